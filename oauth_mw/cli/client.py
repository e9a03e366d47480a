"""``oauth-mw client``: register, show and change clients."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import click

from .. import admin
from ..admin.fields import CLEARED
from ..admin.uses import NEVER, LastUse
from ..attributes import parse_attribute
from ..config import Settings, first_paths
from ..credentials import has_expired
from ..errors import AUTHORIZATION, AdminError
from ..model import QUOTA_MODES, TOKEN_FORMATS, Client, Value
from ..protocols import Store
from ..urls import endpoint_url
from .clients_file import apply, export
from .groups import Group
from .limits import CLEARED_LIMITS, limit_options, limit_pairs, limit_views
from .naming import client_argument, client_id_of
from .rotate import rotate
from .secret import import_options, is_imported, new_secret, secret_table, secret_views
from .tables import columns, table
from .target import Target
from .terminal import Output, Undo, attribute_text, coloured, confirm, instant, merged, on_store, on_target, yes_option
from .times import parse_duration, parse_instant

COLON = (
    "warning: the client id has a colon, at which a Basic header is divided: a client must send it as %3A"
    " (RFC 6749 §2.3.1), and many do not"
)
# The fields that an update can clear, by the options that set them.
_LIMITS = {field for field, _ in CLEARED_LIMITS.values()}
_CLEARED = {field.replace("_", "-").removesuffix("s"): field for field in CLEARED if field not in _LIMITS}
_CLEARED |= {option: field for option, (field, _) in CLEARED_LIMITS.items()}
# What holds then, where it is not the server's value.
_WITHOUT = {
    "not_after": "it does not expire",
    "tokens_per_hour": "any number of tokens",
    "tokens_per_day": "any number of tokens",
    "quota_mode": "enforce the quota",
    **dict(CLEARED_LIMITS.values()),
}
_OF_SERVER = "use the server's"


def _joined(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> str | None:
    return " ".join(filter(None, values)) if values else None


def _several(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...] | None:
    return values or None


def _parsed(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> dict[str, Value] | None:
    """Parse attributes; ``AdminError`` is raised if a name is repeated."""
    found: dict[str, Value] = {}
    for name, value in map(parse_attribute, texts):
        if name in found:
            raise AdminError(f"attribute {name!r}: given twice")
        found[name] = value
    return found or None


def _named(context: click.Context, parameter: click.Parameter, name: str | None) -> str | None:
    """Refuse an empty name: tables and questions would show nothing. Programs may give none."""
    if name is not None and not name.strip():
        raise AdminError("the name of a client is empty: name what it is for")
    return name


def _repeatable(
    option: str, callback: Callable[..., Any], help: str, name: str = "", metavar: str | None = None
) -> Any:
    """An option that may be repeated; ``None`` if it is not given."""
    names = [option, name] if name else [option]
    return click.option(*names, multiple=True, callback=callback, metavar=metavar, help=f"{help}; repeatable.")


_AUDIENCES = "URI that its tokens may be for, or that identifies a resource server (none: those of the server)"
field_options = merged(
    _repeatable("--scope", _joined, 'Scopes that it may have: "reports:read reports:write"'),
    _repeatable("--default-scope", _joined, "Scope of its tokens if a request names none"),
    click.option("--allow-odd-scope", is_flag=True, help="Accept a scope that contains , or ; or begins with #."),
    click.option("--lifetime", type=int, metavar="SECONDS", help="Lifetime of its tokens."),
    click.option("--token-format", type=click.Choice(TOKEN_FORMATS), help="Format of its tokens."),
    click.option(
        "--not-after",
        type=parse_instant,
        metavar="TIME",
        help="When it expires, and its tokens at the latest: ISO 8601, or Unix seconds.",
    ),
    click.option(
        "--tokens-per-hour", type=int, metavar="N", help="Tokens that it is issued in an hour of UTC at most."
    ),
    click.option("--tokens-per-day", type=int, metavar="N", help="Tokens that it is issued in a day of UTC at most."),
    click.option(
        "--quota-mode",
        type=click.Choice(QUOTA_MODES),
        help="Refuse tokens beyond these numbers (the default), or only report them.",
    ),
    _repeatable("--audience", _several, _AUDIENCES, "audiences", "URI"),
    _repeatable("--default-audience", _several, "Audience of its tokens if a request names none", metavar="URI"),
    _repeatable("--attribute", _parsed, "Attribute of each token, visible to the app", "attributes", "KEY=VALUE"),
    _repeatable(
        "--public-attribute",
        _parsed,
        "The same, and also a member of the token answer",
        "public_attributes",
        "KEY=VALUE",
    ),
    limit_options,
)
clear_options = merged(
    *(
        click.option(f"--no-{option}", is_flag=True, help=f"Remove it: {_WITHOUT.get(field, _OF_SERVER)}.")
        for option, field in _CLEARED.items()
    )
)


def client_view(client: Client, use: LastUse = NEVER) -> dict[str, Any]:
    return {
        "client_id": client.client_id,
        "name": client.name,
        "scope": " ".join(client.scopes),
        "default_scope": None if client.default_scope is None else " ".join(client.default_scope),
        "lifetime": client.lifetime,
        "token_format": client.token_format,
        "audiences": list(client.audiences),
        "default_audience": None if client.default_audience is None else list(client.default_audience),
        "attributes": _attributes(client, public=False),
        "public_attributes": _attributes(client, public=True),
        "resource_server": client.resource_server,
        **limit_views(client),
        "enabled": client.enabled,
        "not_after": client.not_after,
        "tokens_per_hour": client.tokens_per_hour,
        "tokens_per_day": client.tokens_per_day,
        "quota_mode": client.quota_mode,
        "created_at": client.created_at,
        "last_used_at": use.client,
        "secrets": secret_views(client.secrets, use),
        "revoked_secrets": list(client.revoked_secrets),
    }


def shown(client: Client, use: LastUse) -> Output:
    """All fields of a client."""
    view = client_view(client, use)
    default = "the option default_scope, else all" if client.default_scope is None else view["default_scope"]
    default_audience = " ".join(client.default_audience or ()) or "the first of the option audience that it may have"
    pairs = [
        ("client_id", client.client_id),
        ("name", client.name),
        ("state", _state(client)),
        ("role", _role(client)),
        ("scope", view["scope"]),
        ("default_scope", default),
        ("lifetime", f"{client.lifetime} s" if client.lifetime else "the option access_token_lifetime"),
        ("token_format", client.token_format or "the option token_format"),
        ("audiences", " ".join(client.audiences) or "the option audience"),
        ("default_audience", default_audience),
        ("attributes", attribute_text(view["attributes"])),
        ("public_attributes", attribute_text(view["public_attributes"])),
        ("not_after", instant(client.not_after)),
        ("tokens_per_hour", str(client.tokens_per_hour or "any number")),
        ("tokens_per_day", str(client.tokens_per_day or "any number")),
        ("quota_mode", client.quota_mode or QUOTA_MODES[0]),
        *limit_pairs(client),
        ("created", instant(client.created_at)),
        ("last_used", instant(use.client)),
    ]
    return Output(view, f"{columns(pairs)}\n\n{secret_table(client.secrets, use)}")


def _attributes(client: Client, *, public: bool) -> dict[str, Value]:
    return {name: value for name, value in client.attributes.items() if (name in client.public_attributes) is public}


def _state(client: Client) -> str:
    if not client.enabled:
        return "disabled"
    return "expired" if has_expired(client, time.time()) else "enabled"


def _role(client: Client) -> str:
    return "resource server" if client.resource_server else "client"


@click.group(cls=Group)
def client() -> None:
    """Register, show and change clients.

    CLIENT is the id of a client, or its name if no other client has the same.
    """


client.add_command(rotate)
client.add_command(apply)
client.add_command(export)


@client.command("add")
@click.argument("name", callback=_named)
@field_options
@click.option("--resource-server", is_flag=True, help="It may introspect tokens that are for it, and is issued none.")
@click.option("--id", "client_id", help="An existing id, instead of a generated one.")
@import_options
@on_target
def add(target: Target, /, **options: Any) -> Output:
    """Register a client and show its secret, only this once. An id is never reused."""
    imported = is_imported(options)
    with target.store(create=True) as store:
        made, secret = admin.add_client(store, **{name: each for name, each in options.items() if each is not None})
    view = client_view(made)
    if ":" in made.client_id:
        click.echo(coloured(COLON), err=True)
    output = new_secret(made.client_id, made.secrets[0], secret, view, imported=imported, named=False)
    note = "\n".join(filter(None, [output.note, _next_step(made, target.settings(secret=False))]))

    def undo() -> None:
        with target.store() as store:
            admin.delete_client(store, made.client_id)

    what = f"client {made.client_id!r}, whose id is not used again,"
    return output._replace(note=note, undo=None if imported else Undo(what, undo))


def _next_step(client: Client, settings: Settings) -> str:
    """A command that requests a token, or that introspects one. The secret is not part of it.

    ``""`` if there is none: the endpoint is off, or reads Basic alone, from another header than curl's.
    """
    path, form = first_paths(settings).get("token_path"), "grant_type=client_credentials"
    if client.resource_server:
        path, form = settings.introspection_path, "token=TOKEN"
    if path is None:
        return ""
    url = endpoint_url(settings.public_url or "http://127.0.0.1:8080", path)
    if settings.authorization_header == AUTHORIZATION and "client_secret_basic" in settings.client_auth_methods:
        sent = quote_plus(client.client_id) if ":" in client.client_id else client.client_id
        how, credentials = "curl asks for the secret", ["-u", sent]
    elif "client_secret_post" in settings.client_auth_methods:
        sent = quote_plus(client.client_id)
        how, credentials = "put the secret in", ["-d", f"client_id={sent}", "-d", "client_secret=SECRET"]
    else:
        return ""
    line = shlex.join(["curl", *credentials, "-d", form, url])
    return f"next, {'introspect' if client.resource_server else 'request'} a token; {how}:\n  {line}"


@client.command("list")
@click.option(
    "--unused-for",
    type=parse_duration,
    metavar="DURATION",
    help="Only those that were not used for so long (90d, 12h, or seconds), from the creation on if they never were.",
)
@on_store
def list_(store: Store, unused_for: int | None) -> Output:
    """List all clients.

    LAST_USED is noted once an hour by each worker: the last use may be up to an hour later.
    """
    note = ""
    if unused_for is None:
        found = list(admin.with_last_use(store, admin.list_clients(store)))
    else:
        now = int(time.time())
        found = list(admin.unused_clients(store, unused_for, clock=lambda: now))
        note = f"clients that were certainly not used since {instant(now - unused_for)}: {len(found)}"
    rows = [
        [
            each.client_id,
            each.name,
            _state(each),
            _role(each),
            instant(use.client),
            " ".join(each.scopes),
        ]
        for each, use in found
    ]
    heads = ["CLIENT_ID", "NAME", "STATE", "ROLE", "LAST_USED", "SCOPE"]
    return Output([client_view(*each) for each in found], table(heads, rows), note)


@client.command("show")
@client_argument
@on_store
def show(store: Store, client_id: str) -> Output:
    """Show all fields of CLIENT, but not the text of its secrets."""
    return shown(admin.get_client(store, client_id), admin.last_use(store, client_id))


@client.command("update")
@client_argument
@click.option("--name", callback=_named)
@field_options
@clear_options
@click.option("--no-attributes", is_flag=True, help="Remove all attributes; --public-attribute may add new ones.")
@click.option(
    "--resource-server/--no-resource-server", default=None, help="Whether it may introspect tokens that are for it."
)
@on_target
def update(target: Target, /, client_id: str, *, no_attributes: bool, allow_odd_scope: bool, **fields: Any) -> Output:
    """Change the given fields of CLIENT. Of the tokens issued before, only the limits change.

    An option that is repeatable replaces all values of its kind.
    """
    cleared = [option for option in _CLEARED if fields.pop(f"no_{option.replace('-', '_')}")]
    changes = {name: value for name, value in fields.items() if value is not None}
    for option in cleared:
        if _CLEARED[option] in changes:
            raise click.UsageError(f"--{option} and --no-{option} exclude each other.")
    if no_attributes and "attributes" in changes:
        raise click.UsageError("--attribute and --no-attributes exclude each other.")
    if no_attributes:
        changes = {"attributes": {}, "public_attributes": {}, **changes}
    if not changes and not cleared:
        raise click.UsageError("Nothing to change: give at least one option.")
    clear = [_CLEARED[option] for option in cleared]
    with target.store() as store:
        client_id = client_id_of(store, client_id)
        changed = admin.update_client(store, client_id, **changes, allow_odd_scope=allow_odd_scope, clear=clear)
        return shown(changed, admin.last_use(store, client_id))


@client.command("disable")
@client_argument
@on_store
def disable(store: Store, client_id: str) -> Output:
    """Refuse CLIENT and revoke all of its tokens, at once."""
    admin.disable_client(store, client_id)
    return Output({"client_id": client_id, "enabled": False}, f"disabled {client_id}; all of its tokens are revoked")


@client.command("enable")
@client_argument
@on_store
def enable(store: Store, client_id: str) -> Output:
    """Issue tokens to CLIENT again. Its earlier tokens stay revoked."""
    admin.enable_client(store, client_id)
    return Output({"client_id": client_id, "enabled": True}, f"enabled {client_id}")


@client.command("delete")
@client_argument
@yes_option
@on_store
def delete(store: Store, client_id: str, yes: bool) -> Output:
    """Remove CLIENT and its secrets, and revoke all of its tokens. Its id is never reused."""
    found = admin.get_client(store, client_id)
    if not yes:
        confirm(f"Delete {client_id} ({found.name}) for good, and revoke its tokens?")
    admin.delete_client(store, client_id)
    return Output({"client_id": client_id, "deleted": True}, f"deleted {client_id}; all of its tokens are revoked")
