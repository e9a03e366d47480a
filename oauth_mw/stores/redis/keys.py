"""Signing keys in Redis: one hash, in the slot of the log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ...errors import StoreUnavailable
from ...model import KeySet
from .rows import in_pairs, key_from, key_text, read
from .scripts.changes import NO_STORE, UPDATE_KEYS, VERSION
from .session import RedisSession

Pairs = list[tuple[Any, Any]]


def read_keys(steps: RedisSession) -> KeySet:
    return _key_set(_read(steps, steps.deadline()))


def update_keys(
    steps: RedisSession, write: Callable[..., Any], change: Callable[[KeySet], KeySet], *, revoke_all: bool
) -> KeySet:
    """See :class:`~oauth_mw.protocols.KeyStore`.

    :param write: runs the script of a change that may append an event.
    """
    deadline, more = steps.deadline(), (steps.keys.signing,)
    while time.monotonic() < deadline:
        found = _read(steps, deadline)
        before = _key_set(found)
        try:
            after = change(before)
        except Exception:
            # What was read may be a change that no replica has confirmed yet. No hash has -1 fields.
            steps.reply(UPDATE_KEYS, "", "0", "-1", deadline=deadline, more=more)
            raise
        changed = [text for key in after.keys if key not in before.keys for text in (key.kid, key_text(key))]
        gone = [text for key in before.keys if after.find(key.kid) is None for text in (key.kid, "")]
        seen = [text for pair in found for text in pair]
        how = ("1" if revoke_all else "0", str(len(found)), *seen, *changed, *gone)
        if write(UPDATE_KEYS, "", *how, deadline=deadline, more=more):
            return after
    raise StoreUnavailable("other workers kept changing the signing keys")


def _read(steps: RedisSession, deadline: float) -> Pairs:
    names = steps.keys

    def ask() -> Any:
        version, found = steps.of_primary([("HGET", names.store, "version"), ("HGETALL", names.signing)], deadline)
        return found if version == VERSION else NO_STORE

    return read(in_pairs, steps.with_store(ask, deadline))


def _key_set(found: Pairs) -> KeySet:
    return KeySet.of(read(key_from, *pair) for pair in found)
