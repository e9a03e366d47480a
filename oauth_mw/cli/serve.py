"""``oauth-mw serve``: put the middleware in front of any WSGI app, for development."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import MISSING, Field
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import click

from ..apps import check_app
from ..config import OPTIONS
from ..errors import ConfigError, Faults
from ..events import escaped
from ..paste import SECRET
from ..startup import check_options
from .target import STORE_NOT_GIVEN, Target, open_or_create, refuse_file, set_option
from .terminal import F, json_option, merged, print_json

log = logging.getLogger("oauth_mw.serve")


def _flag(name: str, each: Field[Any]) -> Callable[[F], F]:
    flag = "--" + name.replace("_", "-")
    help = each.metadata["help"] + "."
    if isinstance(each.default, bool):
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=help)
    default: object = " ".join(each.default) if isinstance(each.default, tuple) else each.default
    if default not in ("", None, MISSING):
        help += f"  [default: {default:g}]" if isinstance(default, float) else f"  [default: {default}]"
    return click.option(flag, name, multiple=isinstance(each.default, tuple), metavar="VALUE", help=help)


# A flag for each option except the secret: other users can read a command line.
option_flags = merged(*(_flag(name, each) for name, each in OPTIONS.items() if name != SECRET))


@click.command()
@click.argument("app", metavar="MODULE:APP")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 chooses a free one.")
@click.option("--config", metavar="INI[#NAME]", help="Read options from this Paste ini; flags override them.")
@set_option
@option_flags
@json_option
@click.pass_obj
def serve(
    target: Target,
    /,
    app: str,
    host: str,
    port: int,
    config: str | None,
    variables: dict[str, str],
    as_json: bool,
    **flags: Any,
) -> None:
    """Wrap a WSGI app and serve it, for development only: plain http, one process.

    MODULE is imported from the working directory; MODULE:make() calls a factory. Each option is a
    flag, except key_encryption_secret, which is read from OAUTH_MW_KEY_ENCRYPTION_SECRET. A flag for
    several values may be repeated: --public-paths with one path or more, --required-scopes with one rule.
    """
    try:
        from waitress import create_server  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        raise ConfigError("serve", "needs waitress: pip install 'oauth_mw[serve]'") from None
    from ..middleware import OAuthMiddleware  # imports WebOb, which a help does not need
    from .find import load

    wrapped = load(app)
    check_app(wrapped, app, f"'{app}()'")
    faults = Faults()
    target = target.reading(config, variables)
    given = _given(flags)
    options: dict[str, Any] = {**target.options(faults), **given}
    if "store" not in options:
        raise _without_store(app, wrapped)
    refuse_file(options, faults)
    with target.naming_variables(given):
        settings = check_options(options, faults, wrapped)
        del options["store"]
        with _listen(host, port) as listening, suppress(KeyboardInterrupt):
            store = open_or_create(str(settings.store), timeout=settings.store_timeout_seconds)
            served = _logged(OAuthMiddleware(wrapped, store=store, **options))
            server = create_server(served, sockets=[listening])
            _announce(app, listening, host, store.url, as_json)
            server.run()  # until Ctrl-C
    click.echo("stopped", err=True)


def _without_store(app: str, wrapped: WSGIApplication) -> ConfigError:
    from ..finding import middlewares

    if next(middlewares(wrapped), None):
        return ConfigError(app, "contains an OAuthMiddleware already: serve it as any WSGI app, not by this command")
    return ConfigError("store", STORE_NOT_GIVEN)


def _given(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that were given; repeated ones become lines, as in an ini."""
    given = {name: value for name, value in flags.items() if value not in ((), None)}
    return {name: "\n".join(value) if isinstance(value, tuple) else value for name, value in given.items()}


def _listen(host: str, port: int) -> socket.socket:
    six = ":" in host
    try:
        return socket.create_server(
            (host, port),
            family=socket.AF_INET6 if six else socket.AF_INET,
            dualstack_ipv6=six and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        raise OSError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from None


def _logged(app: WSGIApplication) -> WSGIApplication:
    """Log each request without its query, which may contain a token."""

    def logged(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method, path = escaped(environ["REQUEST_METHOD"]), escaped(environ["PATH_INFO"])

        def answered(status: str, headers: Any, exc_info: Any = None) -> Any:
            log.info('%s "%s %s" %s', environ["REMOTE_ADDR"], method, path, status[:3])
            return start_response(status, headers, exc_info)

        return app(environ, answered)

    return logged


def _announce(app: str, listening: socket.socket, host: str, store: str, as_json: bool) -> None:
    logging.basicConfig(format="%(message)s")
    logging.getLogger("oauth_mw").setLevel(logging.INFO)  # why requests are refused
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{listening.getsockname()[1]}"
    if as_json:
        print_json({"app": app, "url": url, "store": store})
        sys.stdout.flush()
    click.echo(f"serving {app} on {url}, for development only (Ctrl-C stops)", err=True)
