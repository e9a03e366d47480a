"""Signing keys in Redis: one hash, in the slot of the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...model import KeyRecord
from .rows import in_pairs, key_from, key_text, read
from .scripts import keys as scripts
from .scripts.changes import NO_STORE, VERSION
from .session import Steps


class RedisKeys:
    """See :class:`~oauth_mw.protocols.KeyStore`.

    :param end: makes a change that appends an event, and tells those who watch.
    """

    def __init__(self, steps: Steps, end: Callable[..., int]) -> None:
        self._steps = steps
        self._end = end

    def signing_keys(self) -> Sequence[KeyRecord]:
        names, deadline = self._steps.keys, self._steps.deadline()

        def ask() -> Any:
            version, found = self._steps.of_primary(
                [("HGET", names.store, "version"), ("HGETALL", names.signing)], deadline
            )
            return found if version == VERSION else NO_STORE

        found = self._steps.here(ask, deadline)
        records = [read(key_from, *pair) for pair in read(in_pairs, found)]
        return sorted(records, key=lambda record: (record.signs_from, record.kid))

    def add_signing_key(self, record: KeyRecord, latest: str) -> bool:
        return self._change(scripts.ADD_KEY, record.kid, key_text(record), latest)

    def need_signing_key(self, kid: str, until: int) -> bool:
        return self._change(scripts.NEED_KEY, kid, str(until))

    def remove_signing_key(self, kid: str) -> bool:
        return 0 < self._end(
            scripts.REMOVE_KEY, "", kid, deadline=self._steps.deadline(), more=(self._steps.keys.signing,)
        )

    def drop_signing_key(self, kid: str, needed_until: int) -> bool:
        return self._change(scripts.DROP_KEY, kid, str(needed_until))

    def _change(self, script: str, *arguments: str) -> bool:
        more = (self._steps.keys.signing,)
        return self._steps.change(script, "", *arguments, deadline=self._steps.deadline(), more=more)
