"""``oauth-mw serve``: put the middleware in front of any WSGI app, for development."""

from __future__ import annotations

import logging
import os
import socket
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field
from importlib import import_module
from operator import attrgetter
from typing import Any
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import click

from ..assembly import judge
from ..config import OPTIONS
from ..errors import ConfigError, Faults
from ..middleware import OAuthMiddleware
from ..paste import SECRET
from .target import STORE_NOT_GIVEN, Target, open_or_create, set_option
from .terminal import F, combined, json_option, print_json

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
option_flags = combined(*(_flag(name, each) for name, each in OPTIONS.items() if name != SECRET))


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

    MODULE is imported from the working directory. Each option of the middleware is a flag, except
    key_encryption_secret, which is read from OAUTH_MW_KEY_ENCRYPTION_SECRET. A flag for several
    values may be repeated: --public-paths with one path or more, --required-scopes with one rule.
    """
    try:
        from waitress import create_server  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        raise ConfigError("serve", "needs waitress: pip install 'oauth_mw[serve]'") from None
    wrapped = _load(app)
    # Repeated flags become lines, as in an ini.
    lines = {
        name: "\n".join(value) if isinstance(value, tuple) else value for name, value in flags.items() if value != ()
    }
    given = {name: value for name, value in lines.items() if value is not None}
    faults = Faults()
    options: dict[str, Any] = {**target.reading(config, variables).options(faults), **given}
    if "store" not in options:
        raise ConfigError("store", STORE_NOT_GIVEN)
    settings = judge(options, faults)
    del options["store"]
    listening = _listen(host, port)
    try:
        store = open_or_create(str(settings.store), timeout=settings.store_timeout_seconds)
        served = _logged(OAuthMiddleware(wrapped, store=store, **options))
        server = create_server(served, sockets=[listening])
        _announce(app, listening, host, store.url, as_json)
        server.run()  # until Ctrl-C
    except KeyboardInterrupt:
        pass
    finally:
        listening.close()
    click.echo("stopped", err=True)


def _load(place: str) -> WSGIApplication:
    """Import ``MODULE:APP``, with the working directory first in the path."""
    module, _, name = place.partition(":")
    if not module or not name:
        raise ConfigError(place, "expected MODULE:APP, such as hello:app")
    sys.path.insert(0, os.getcwd())
    try:
        found = attrgetter(name)(import_module(module))
    except Exception as error:
        raise ConfigError(place, f"cannot be imported: {type(error).__name__}: {error}{_line_of(error)}") from None
    if not callable(found):
        raise ConfigError(place, "is no WSGI app: it cannot be called")
    app: WSGIApplication = found
    return app


def _line_of(error: Exception) -> str:
    """The file and line at which the import failed."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [each for each in frames if each.filename != __file__ and "importlib" not in each.filename]
    return f" ({theirs[-1].filename}, line {theirs[-1].lineno})" if theirs else ""


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
        path = quote(environ["PATH_INFO"].encode("latin-1"))

        def answered(status: str, headers: Any, exc_info: Any = None) -> Any:
            log.info('%s "%s %s" %s', environ["REMOTE_ADDR"], environ["REQUEST_METHOD"], path, status[:3])
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
