"""Calls of a store for the tests of Redis, and their outcome."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from helpers.builders import HOUR, NOW, key_of, registered, token_of
from helpers.changes import end_client
from oauth_mw.errors import StoreUnavailable
from oauth_mw.model import Count
from oauth_mw.protocols import Store

COUNT = Count(b"count", 100, NOW + HOUR)

# One change of each kind that waits for replicas. The token of key_of() was issued before.
CHANGES: dict[str, Callable[[Store], Any]] = {
    "add_client": lambda store: store.add_client(registered("other")),
    "update_client": lambda store: store.update_client("tester", lambda client: replace(client, name="x")),
    "end_client": lambda store: end_client(store, "tester"),
    "delete": lambda store: end_client(store, "tester", delete=True),
    "revoke_token": lambda store: store.revoke_token(key_of()),
    "update_keys": lambda store: store.update_keys(lambda keys: keys),
}
CALLS: dict[str, Callable[[Store], Any]] = CHANGES | {
    "find_client": lambda store: store.find_client("tester"),
    "clients": lambda store: store.clients(),
    "add_token": lambda store: store.add_token(key_of(1), token_of(registered())),
    "add_token, counted": lambda store: store.add_token(key_of(2), token_of(registered()), [COUNT]),
    "count": lambda store: store.count([COUNT]),
    "tokens_of": lambda store: store.tokens_of("tester"),
    "note_uses": lambda store: store.note_uses({("tester", "a"): NOW}),
    "last_uses": lambda store: store.last_uses(["tester"]),
    "find_token": lambda store: store.find_token(key_of()),
    "count_tokens": lambda store: store.count_tokens(),
    "read_log": lambda store: store.read_log("", -1),
    "warnings": lambda store: store.warnings(),
}


def reason(call: Callable[[], object]) -> str:
    """Why the store was unavailable; empty if it was not."""
    return outcome(call)[0]


def outcome(call: Callable[[], object]) -> tuple[str, float]:
    """Why the store was unavailable, or an empty text, and the seconds that the call took."""
    began = time.monotonic()
    try:
        call()
        found = ""
    except StoreUnavailable as error:
        found = error.reason
    return found, time.monotonic() - began
