"""``oauth-mw client``: register, look at and change clients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

import click

from .. import admin
from ..attributes import parse_attribute
from ..errors import AdminError
from ..model import TOKEN_FORMATS, Client, Value
from .output import attribute_text, instant, json_option, print_columns, print_json, print_table
from .prompts import client_argument, odd_scope_option
from .secret import import_options, imported_secret, in_order, print_new_secret, print_secrets, secret_view
from .target import Target

attribute_options = {
    kind: click.option(f"--{kind}", f"{kind.replace('-', '_')}s", multiple=True, metavar="KEY=VALUE", help=text)
    for kind, text in {
        "attribute": "Copied to each token, for the app to see; repeatable.",
        "public-attribute": "The same, and a member of the token answer; repeatable.",
    }.items()
}


audience_option = click.option(
    "--audience",
    "audiences",
    multiple=True,
    metavar="URI",
    help="A resource that its tokens may be for, or that a resource server is; repeatable. None: those of the server.",
)
default_audience_option = click.option(
    "--default-audience",
    multiple=True,
    metavar="URI",
    help="What its tokens are for when it asks for none; repeatable.",
)
token_format_option = click.option("--token-format", type=click.Choice(TOKEN_FORMATS), help="Of its tokens.")


def client_view(client: Client) -> dict[str, object]:
    values, public = client.attributes, client.public_attributes
    return {
        "client_id": client.client_id,
        "name": client.name,
        "scope": " ".join(client.scopes),
        "default_scope": None if client.default_scope is None else " ".join(client.default_scope),
        "lifetime": client.lifetime,
        "token_format": client.token_format,
        "audiences": list(client.audiences),
        "default_audience": None if client.default_audience is None else list(client.default_audience),
        "attributes": {name: value for name, value in values.items() if name not in public},
        "public_attributes": {name: value for name, value in values.items() if name in public},
        "resource_server": client.resource_server,
        "enabled": client.enabled,
        "created_at": client.created_at,
        "secrets": [secret_view(each) for each in in_order(client.secrets)],
    }


def print_client(client: Client, as_json: bool) -> None:
    if as_json:
        print_json(client_view(client))
        return
    values, public = client.attributes, client.public_attributes
    default = "the option default_scope, else all" if client.default_scope is None else " ".join(client.default_scope)
    pairs = [
        ("client_id", client.client_id),
        ("name", client.name),
        ("state", _state(client)),
        ("role", _role(client)),
        ("scope", " ".join(client.scopes)),
        ("default_scope", default),
        ("lifetime", f"{client.lifetime} s" if client.lifetime else "the option access_token_lifetime"),
        ("token_format", client.token_format or "the option token_format"),
        ("audiences", " ".join(client.audiences) or "the option audience"),
        (
            "default_audience",
            " ".join(client.default_audience or ()) or "the first of the option audience that it may have",
        ),
        ("attributes", attribute_text({name: value for name, value in values.items() if name not in public})),
        ("public_attributes", attribute_text({name: value for name, value in values.items() if name in public})),
        ("created", instant(client.created_at)),
    ]
    print_columns(pairs)
    click.echo()
    print_secrets(client.secrets)


def _state(client: Client) -> str:
    return "enabled" if client.enabled else "disabled"


def _role(client: Client) -> str:
    return "resource server" if client.resource_server else "client"


def _attributes(texts: Iterable[str]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, value in map(parse_attribute, texts):
        if name in found:
            raise AdminError(f"attribute {name!r}: given twice")
        found[name] = value
    return found


# What an update can take away, and the option that gives it.
_CLEARED = {
    "default_scope": "default-scope",
    "lifetime": "lifetime",
    "token_format": "token-format",
    "audiences": "audience",
    "default_audience": "default-audience",
}


@click.group()
def client() -> None:
    """Register, look at and change clients."""


@client.command("add")
@click.argument("name")
@click.option("--scope", default="", help='All that it may have: "reports:read reports:write".')
@click.option("--default-scope", help="What it gets when it asks for no scope.")
@odd_scope_option
@click.option("--lifetime", type=int, metavar="SECONDS", help="Of its tokens.")
@token_format_option
@audience_option
@default_audience_option
@attribute_options["attribute"]
@attribute_options["public-attribute"]
@click.option("--resource-server", is_flag=True, help="It may introspect tokens that are for it, and gets none itself.")
@click.option("--id", "client_id", help="An id from elsewhere, instead of a fresh one.")
@import_options
@json_option
@click.pass_obj
def add(
    target: Target,
    /,
    *,
    attributes: tuple[str, ...],
    public_attributes: tuple[str, ...],
    default_audience: tuple[str, ...],
    secret_file: BinaryIO | None,
    allow_weak_secret: bool,
    as_json: bool,
    **fields: Any,
) -> None:
    """Register a client and show its secret, this once. An id is never used twice."""
    private, public = _attributes(attributes), _attributes(public_attributes)
    text = imported_secret(secret_file, allow_weak_secret)
    with target.store(create=True) as store:
        made, secret = admin.add_client(
            store,
            **fields,
            default_audience=default_audience or None,
            attributes=private,
            public_attributes=public,
            secret=text,
            allow_weak_secret=allow_weak_secret,
        )
    if as_json:
        shown = None if text is not None else secret
        print_json({"client_id": made.client_id, "client_secret": shown, **client_view(made)})
    else:
        print_new_secret([("client_id", made.client_id)], made.secrets[0], secret, imported=text is not None)


@client.command("list")
@json_option
@click.pass_obj
def list_(target: Target, as_json: bool) -> None:
    """List all clients."""
    with target.store() as store:
        clients = list(admin.list_clients(store))
    if as_json:
        print_json([client_view(each) for each in clients])
        return
    rows = [
        [each.client_id, each.name, _state(each), _role(each), instant(each.created_at), " ".join(each.scopes)]
        for each in clients
    ]
    print_table(["CLIENT_ID", "NAME", "STATE", "ROLE", "CREATED", "SCOPE"], rows)


@client.command("show")
@client_argument
@json_option
@click.pass_obj
def show(target: Target, client_id: str, as_json: bool) -> None:
    """Show all about CLIENT but its secrets themselves."""
    with target.store() as store:
        print_client(admin.get_client(store, client_id), as_json)


@client.command("update")
@client_argument
@click.option("--name")
@click.option("--scope", help="All that it may have.")
@click.option("--default-scope", help="What it gets when it asks for no scope.")
@click.option("--no-default-scope", is_flag=True, help="No default of its own any more.")
@odd_scope_option
@click.option("--lifetime", type=int, metavar="SECONDS", help="Of its tokens.")
@click.option("--no-lifetime", is_flag=True, help="No lifetime of its own any more.")
@token_format_option
@click.option("--no-token-format", is_flag=True, help="No format of its own any more.")
@audience_option
@click.option("--no-audience", is_flag=True, help="Those of the server again.")
@default_audience_option
@click.option("--no-default-audience", is_flag=True, help="No default of its own any more.")
@attribute_options["attribute"]
@attribute_options["public-attribute"]
@click.option("--no-attributes", is_flag=True, help="Drop all attributes; --public-attribute may give new ones.")
@click.option(
    "--resource-server/--no-resource-server", default=None, help="Whether it may introspect tokens that are for it."
)
@json_option
@click.pass_obj
def update(
    target: Target,
    /,
    client_id: str,
    *,
    attributes: tuple[str, ...],
    public_attributes: tuple[str, ...],
    no_attributes: bool,
    allow_odd_scope: bool,
    as_json: bool,
    **fields: Any,
) -> None:
    """Change what is given; it counts from the next token on.

    --audience, --default-audience, --attribute and --public-attribute replace all of their kind.
    """
    clear = [name for name, option in _CLEARED.items() if fields.pop(f"no_{option.replace('-', '_')}")]
    changes = {name: value for name, value in fields.items() if value not in (None, ())}
    for name in changes.keys() & clear:
        raise click.UsageError(f"--{_CLEARED[name]} and --no-{_CLEARED[name]} exclude each other.")
    if no_attributes and attributes:
        raise click.UsageError("--attribute and --no-attributes exclude each other.")
    if attributes or no_attributes:
        changes["attributes"] = _attributes(attributes)
    if public_attributes or no_attributes:
        changes["public_attributes"] = _attributes(public_attributes)
    if not changes and not clear:
        raise click.UsageError("Nothing to change: give at least one option.")
    with target.store() as store:
        changed = admin.update_client(store, client_id, **changes, allow_odd_scope=allow_odd_scope, clear=clear)
        print_client(changed, as_json)


@client.command("disable")
@client_argument
@json_option
@click.pass_obj
def disable(target: Target, client_id: str, as_json: bool) -> None:
    """Refuse CLIENT and end all of its tokens, at once."""
    with target.store() as store:
        admin.disable_client(store, client_id)
    _done({"client_id": client_id, "enabled": False}, f"disabled {client_id}; all of its tokens have ended", as_json)


@client.command("enable")
@client_argument
@json_option
@click.pass_obj
def enable(target: Target, client_id: str, as_json: bool) -> None:
    """Let CLIENT get tokens again. Those that it had stay dead."""
    with target.store() as store:
        admin.enable_client(store, client_id)
    _done({"client_id": client_id, "enabled": True}, f"enabled {client_id}", as_json)


@client.command("delete")
@client_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def delete(target: Target, client_id: str, yes: bool, as_json: bool) -> None:
    """Remove CLIENT and its secrets, and end all of its tokens. Its id is never used again."""
    if as_json and not yes:
        raise click.UsageError("--json asks nothing: give --yes too.")
    with target.store() as store:
        found = admin.get_client(store, client_id)
        if not yes:
            click.confirm(f"Delete {client_id} ({found.name}) for good, and end its tokens?", abort=True, err=True)
        admin.delete_client(store, client_id)
    _done({"client_id": client_id, "deleted": True}, f"deleted {client_id}; all of its tokens have ended", as_json)


def _done(view: dict[str, object], sentence: str, as_json: bool) -> None:
    if as_json:
        print_json(view)
    else:
        click.echo(sentence)
