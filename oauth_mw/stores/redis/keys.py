"""Signing keys in Redis: one record, a field of the store's own key."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ...errors import StoreUnavailable
from ...model import KeySet
from ..records import key_set_from, key_set_text
from .rows import read, several
from .scripts.changes import NO_STORE, PUT_KEYS, VERSION
from .session import RedisSession


def read_keys(session: RedisSession) -> KeySet:
    return decoded(record_of(session, session.deadline()))


def update_keys(
    session: RedisSession, write: Callable[..., Any], change: Callable[[KeySet], KeySet], *, revoke_all: bool
) -> KeySet:
    """See :meth:`~oauth_mw.protocols.KeyStore.update_keys`.

    :param write: runs the script of a change.
    """
    deadline = session.deadline()
    while time.monotonic() < deadline:
        seen = record_of(session, deadline)
        try:
            after = change(decoded(seen))
        except Exception:
            session.confirm(deadline)
            raise
        if write(PUT_KEYS, "1" if revoke_all else "0", seen, key_set_text(after), deadline=deadline):
            return after
    raise StoreUnavailable("other workers kept changing the signing keys")


def record_of(session: RedisSession, deadline: float) -> bytes:
    """The record of the signing keys.

    :raises StoreUnavailable: there is none.
    """

    def ask() -> Any:
        found = session.of_primary([("HMGET", session.keys.store, "version", "keys")], deadline)
        version, record = read(several, 2, *found)
        return record if version == VERSION else NO_STORE

    record = session.with_store(ask, deadline)
    if type(record) is not bytes:
        raise StoreUnavailable("the signing keys in Redis are missing")
    return record


def decoded(record: bytes) -> KeySet:
    return read(lambda: key_set_from(record.decode()))
