"""``oauth-mw client``: register, show and change clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from .. import admin
from ..admin.clients import CLEARED
from ..attributes import parse_attribute
from ..errors import AdminError
from ..model import TOKEN_FORMATS, Client, Value
from .secret import import_options, is_imported, new_secret, secret_table, secret_views
from .target import Target
from .terminal import Answer, answers, attribute_text, client_argument, columns, combined, instant, yes_option

# The fields that an update can clear, by the options that set them.
_CLEARED = {field.replace("_", "-").removesuffix("s"): field for field in CLEARED}


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


def _repeatable(
    option: str, callback: Callable[..., Any], help: str, name: str = "", metavar: str | None = None
) -> Any:
    """An option that may be repeated; ``None`` if it is not given."""
    names = [option, name] if name else [option]
    return click.option(*names, multiple=True, callback=callback, metavar=metavar, help=f"{help}; repeatable.")


_AUDIENCES = "URI that its tokens may be for, or that identifies a resource server (none: those of the server)"
field_options = combined(
    _repeatable("--scope", _joined, 'Scopes that it may have: "reports:read reports:write"'),
    _repeatable("--default-scope", _joined, "Scope of its tokens if a request names none"),
    click.option("--allow-odd-scope", is_flag=True, help="Accept a scope that contains , or ; or begins with #."),
    click.option("--lifetime", type=int, metavar="SECONDS", help="Lifetime of its tokens."),
    click.option("--token-format", type=click.Choice(TOKEN_FORMATS), help="Format of its tokens."),
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
)
clear_options = combined(
    *(click.option(f"--no-{option}", is_flag=True, help="Remove it: use the server's.") for option in _CLEARED)
)


def client_view(client: Client) -> dict[str, Any]:
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
        "enabled": client.enabled,
        "created_at": client.created_at,
        "secrets": secret_views(client.secrets),
    }


def shown(client: Client) -> Answer:
    """All fields of a client."""
    view = client_view(client)
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
        ("created", instant(client.created_at)),
    ]
    return Answer(view, f"{columns(pairs)}\n\n{secret_table(client.secrets)}")


def _attributes(client: Client, *, public: bool) -> dict[str, Value]:
    return {name: value for name, value in client.attributes.items() if (name in client.public_attributes) is public}


def _state(client: Client) -> str:
    return "enabled" if client.enabled else "disabled"


def _role(client: Client) -> str:
    return "resource server" if client.resource_server else "client"


@click.group()
def client() -> None:
    """Register, show and change clients."""


@client.command("add")
@click.argument("name")
@field_options
@click.option("--resource-server", is_flag=True, help="It may introspect tokens that are for it, and is issued none.")
@click.option("--id", "client_id", help="An existing id, instead of a generated one.")
@import_options
@answers
def add(target: Target, /, **options: Any) -> Answer:
    """Register a client and show its secret, only this once. An id is never reused."""
    imported = is_imported(options)
    with target.store(create=True) as store:
        made, secret = admin.add_client(store, **{name: each for name, each in options.items() if each is not None})
    view = client_view(made)
    return new_secret(made.client_id, made.secrets[0], secret, view, imported=imported, named=False)


@client.command("list")
@answers
def list_(target: Target) -> Answer:
    """List all clients."""
    with target.store() as store:
        clients = list(admin.list_clients(store))
    rows = [
        [each.client_id, each.name, _state(each), _role(each), instant(each.created_at), " ".join(each.scopes)]
        for each in clients
    ]
    heads = ["CLIENT_ID", "NAME", "STATE", "ROLE", "CREATED", "SCOPE"]
    return Answer([client_view(each) for each in clients], columns([heads, *rows]))


@client.command("show")
@client_argument
@answers
def show(target: Target, client_id: str) -> Answer:
    """Show all fields of CLIENT, but not the text of its secrets."""
    with target.store() as store:
        return shown(admin.get_client(store, client_id))


@client.command("update")
@client_argument
@click.option("--name")
@field_options
@clear_options
@click.option("--no-attributes", is_flag=True, help="Remove all attributes; --public-attribute may add new ones.")
@click.option(
    "--resource-server/--no-resource-server", default=None, help="Whether it may introspect tokens that are for it."
)
@answers
def update(target: Target, /, client_id: str, *, no_attributes: bool, allow_odd_scope: bool, **fields: Any) -> Answer:
    """Change the given fields of CLIENT. Tokens issued before do not change.

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
        return shown(admin.update_client(store, client_id, **changes, allow_odd_scope=allow_odd_scope, clear=clear))


@client.command("disable")
@client_argument
@answers
def disable(target: Target, client_id: str) -> Answer:
    """Refuse CLIENT and revoke all of its tokens, at once."""
    with target.store() as store:
        admin.disable_client(store, client_id)
    return Answer({"client_id": client_id, "enabled": False}, f"disabled {client_id}; all of its tokens are revoked")


@client.command("enable")
@client_argument
@answers
def enable(target: Target, client_id: str) -> Answer:
    """Issue tokens to CLIENT again. Its earlier tokens stay revoked."""
    with target.store() as store:
        admin.enable_client(store, client_id)
    return Answer({"client_id": client_id, "enabled": True}, f"enabled {client_id}")


@client.command("delete")
@client_argument
@yes_option
@answers
def delete(target: Target, client_id: str, yes: bool) -> Answer:
    """Remove CLIENT and its secrets, and revoke all of its tokens. Its id is never reused."""
    with target.store() as store:
        found = admin.get_client(store, client_id)
        if not yes:
            click.confirm(f"Delete {client_id} ({found.name}) for good, and revoke its tokens?", abort=True, err=True)
        admin.delete_client(store, client_id)
    return Answer({"client_id": client_id, "deleted": True}, f"deleted {client_id}; all of its tokens are revoked")
