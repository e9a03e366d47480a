"""What operators do to the clients of a store, told by whether there was something to do."""

from __future__ import annotations

from oauth_mw.admin.clients import disabled, without_secret
from oauth_mw.errors import NotFound
from oauth_mw.model import Client
from oauth_mw.protocols import Store


def end_client(store: Store, client_id: str, *, disable: bool = False, delete: bool = False) -> bool:
    """Revoke all tokens of a client, in one step with what else is asked for."""
    seen = []

    def change(client: Client) -> Client | None:
        seen.append(client)
        return None if delete else disabled(client) if disable else client

    store.update_client(client_id, change, revoke_tokens=True)
    return bool(seen)


def remove_secret(store: Store, client_id: str, secret_id: str, *, and_tokens: bool = False) -> bool:
    try:
        return bool(store.update_client(client_id, lambda c: without_secret(c, secret_id), revoke_tokens=and_tokens))
    except NotFound:
        return False
