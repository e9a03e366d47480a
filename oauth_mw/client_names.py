"""Who the clients of refused requests are, for the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from .deadlines import RequestDeadline
from .errors import StoreUnavailable
from .model import Client, Clock, TokenRecord

KEPT_SECONDS = 60.0
MAX_NAMES = 1000
MAX_WAIT = 0.25  # seconds: a refusal should not wait for its log

T = TypeVar("T")


class Reader(Protocol):
    """The methods of a store that are used here."""

    def find_client(self, client_id: str) -> Client | None: ...

    def find_token(self, key: bytes) -> TokenRecord | None: ...


class ClientNames:
    """Find clients and their names. A name is read from the store at most once a minute.

    While the store does not answer, one refusal a minute waits for it, for :data:`MAX_WAIT` seconds.
    """

    def __init__(self, store: Reader, monotonic: Clock) -> None:
        self._store = store
        self._monotonic = monotonic
        self._names: dict[str, tuple[str, float]] = {}
        self._paused_until = 0.0

    def name_of(self, client_id: str) -> str:
        """Return the name; empty if there is no such client, or if its name cannot be read."""
        now = self._monotonic()
        name, kept_until = self._names.get(client_id, ("", 0.0))
        if not client_id or now < kept_until:
            return name
        found = self._read(lambda: (self._store.find_client(client_id),))
        if found is None:
            return name
        if len(self._names) >= MAX_NAMES:
            self._names = {}
        name = found[0].name if found[0] else ""
        self._names[client_id] = name, now + KEPT_SECONDS
        return name

    def owner_of(self, token_id: str) -> str:
        """Return the id of the client of a token that has a row; empty if it has none, or if that cannot be read."""
        record = self._read(lambda: self._store.find_token(bytes.fromhex(token_id)))
        return record.client_id if record else ""

    def _read(self, find: Callable[[], T]) -> T | None:
        now = self._monotonic()
        if now < self._paused_until:
            return None
        try:
            with RequestDeadline(MAX_WAIT):
                return find()
        except StoreUnavailable:
            self._paused_until = now + KEPT_SECONDS
            return None
