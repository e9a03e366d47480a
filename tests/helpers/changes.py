"""What operators do to the clients and keys of a store. Each returns whether there was something to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from oauth_mw.admin.clients import without_secret
from oauth_mw.errors import NotFound, StoreUnavailable
from oauth_mw.keys.schedule import with_key, without_key
from oauth_mw.model import Client, KeyRecord
from oauth_mw.protocols import KeyStore, Store


def end_client(store: Store, client_id: str, *, disable: bool = False, delete: bool = False) -> bool:
    """Revoke all tokens of a client, in one step with what else is asked for."""
    seen = []

    def change(client: Client) -> Client | None:
        seen.append(client)
        return None if delete else replace(client, enabled=False) if disable else client

    store.update_client(client_id, change, revoke_tokens=True)
    return bool(seen)


def end_before(store: Store, client_id: str, moment: int) -> bool:
    """Revoke the tokens of a client that were issued before a moment."""
    return bool(store.update_client(client_id, lambda client: client, revoke_tokens=True, issued_before=moment))


def remove_secret(store: Store, client_id: str, secret_id: str, *, and_tokens: bool = False) -> bool:
    try:
        return bool(store.update_client(client_id, lambda c: without_secret(c, secret_id), revoke_tokens=and_tokens))
    except NotFound:
        return False


def remove_first_secret(store: Store, *, and_tokens: bool = False) -> bool:
    """Of the client ``tester``."""
    client = store.find_client("tester")
    assert client
    return remove_secret(store, "tester", client.secrets[0].secret_id, and_tokens=and_tokens)


class Repeating:
    """Makes each change twice, as a store does after it lost the answer to the first attempt."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def update_client(self, client_id: str, change: Callable[[Client], Client | None], **options: Any) -> Client | None:
        self._store.update_client(client_id, change, **options)
        return self._store.update_client(client_id, change, **options)


# The ways to revoke all tokens of the client ``tester``.
ENDS: dict[str, Callable[[Store], bool]] = {
    "end all": lambda store: end_client(store, "tester"),
    "disable": lambda store: end_client(store, "tester", disable=True),
    "delete": lambda store: end_client(store, "tester", delete=True),
    "remove secret": lambda store: remove_first_secret(store, and_tokens=True),
}


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


@contextmanager
def locked(store: Any) -> Iterator[None]:
    """Hold the write lock of an SQLite store without a connection: a child of this process could not use SQLite."""
    connections = store.engine._current(time.monotonic() + 1)
    connections.lock(time.monotonic() + 1)
    try:
        yield
    finally:
        connections.unlock()
