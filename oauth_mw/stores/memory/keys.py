"""Signing keys in the process's own memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...model import KeyRecord
from .contents import Contents


class MemoryKeys:
    """See :class:`~oauth_mw.protocols.KeyStore`.

    :param append: appends an event to the log, for a client or, by ``""``, for all of them.
    """

    def __init__(self, contents: Contents, append: Callable[[str], int]) -> None:
        self._all = contents
        self._append = append

    def signing_keys(self) -> Sequence[KeyRecord]:
        with self._all.lock:
            return self._sorted()

    def _sorted(self) -> list[KeyRecord]:
        return sorted(self._all.signing.values(), key=lambda record: (record.signs_from, record.kid))

    def add_signing_key(self, record: KeyRecord, latest: str) -> bool:
        with self._all.lock:
            known = self._sorted()
            if (known[-1].kid if known else "") != latest:
                return False
            self._all.signing[record.kid] = record
            return True

    def need_signing_key(self, kid: str, until: int) -> bool:
        with self._all.lock:
            record = self._all.signing.get(kid)
            if record is not None:
                self._all.signing[kid] = record._replace(needed_until=max(record.needed_until, until))
            return record is not None

    def remove_signing_key(self, kid: str) -> bool:
        with self._all.lock:
            if self._all.signing.pop(kid, None) is None:
                return False
            self._append("")
            return True

    def drop_signing_key(self, kid: str, needed_until: int) -> bool:
        with self._all.lock:
            record = self._all.signing.get(kid)
            if record is None or record.needed_until > needed_until:
                return False
            del self._all.signing[kid]
            return True
