"""What operators do to the clients and keys of a store, told by whether there was something to do."""

from __future__ import annotations

from collections.abc import Callable

from oauth_mw.admin.clients import disabled, without_secret
from oauth_mw.errors import NotFound, StoreUnavailable
from oauth_mw.keys.schedule import with_key, without_key
from oauth_mw.model import Client, KeyRecord
from oauth_mw.protocols import KeyStore, Store


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


def add_key(keys: KeyStore, record: KeyRecord, latest: str = "", now: int = 0) -> bool:
    return keys.update_keys(lambda found: with_key(found, record, latest, now)).find(record.kid) == record


def remove_key(keys: KeyStore, kid: str) -> bool:
    try:
        keys.update_keys(lambda found: without_key(found, kid), revoke_all=True)
    except NotFound:
        return False
    return True


def works(store: Store) -> bool:
    """Whether the store finds the client of the tests."""
    try:
        return store.find_client("tester") is not None
    except StoreUnavailable:
        return False


def attempt(do: Callable[[], object]) -> object:
    """What ``do`` returns, or why the store is unavailable."""
    try:
        return do()
    except StoreUnavailable as error:
        return error.reason
