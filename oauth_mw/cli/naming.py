"""How commands are given a client or a secret: by its id, or by its name or label if only one has it."""

from __future__ import annotations

import click

from .. import admin
from ..credentials import is_printable
from ..errors import AdminError, NotFound
from ..model import Client
from ..protocols import Store
from ..texts import unprintable


def _possible(context: click.Context, argument: click.Parameter, value: str) -> str:
    """Refuse what is neither an id nor a name, before it reaches the store."""
    if not value or unprintable(value):
        raise NotFound(f"there is no {str(argument.metavar).lower()} {value!r}")
    return value


client_argument = click.argument("client_id", metavar="CLIENT", callback=_possible)
secret_argument = click.argument("secret_id", metavar="SECRET", callback=_possible)


def client_id_of(store: Store, text: str) -> str:
    """Return the id of the client that has this id, else of the one with this name.

    :raises AdminError: several clients have this name.
    :raises NotFound: no client has this id or name.
    """
    if is_printable(text) and store.find_client(text):
        return text
    found = [client.client_id for client in admin.list_clients(store) if client.name == text]
    return _only(found, f"clients have the name {text!r}", f"there is no client {text!r}: see `client list`")


def secret_id_of(client: Client, text: str) -> str:
    """Return the id of the secret of this client that has this id, else of the one with this label. Raises the same."""
    if any(secret.secret_id == text for secret in client.secrets):
        return text
    found = [secret.secret_id for secret in client.secrets if secret.label == text]
    missing = f"client {client.client_id!r} has no secret {text!r}: see `secret list`"
    return _only(found, f"secrets have the label {text!r}", missing)


def _only(ids: list[str], several: str, missing: str) -> str:
    if not ids:
        raise NotFound(missing)
    if len(ids) > 1:
        raise AdminError(f"{len(ids)} {several}: give the id of one, such as {ids[0]} or {ids[1]}")
    return ids[0]
