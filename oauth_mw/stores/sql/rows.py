"""Rows of tokens, decoded; the same for every SQL engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...cutoffs import Cutoff
from ...model import LAST_SECOND, TokenRecord
from ..decoding import blob, flag, maybe, number, read, text
from ..records import extra_from


def token_from_row(row: Sequence[Any]) -> TokenRecord:
    """
    :param row: client id, scope, time and position of the issue, ``extra``, whether it is revoked singly, and what
        :func:`cutoff_from` reads, or ``None`` twice.
    :raises StoreUnavailable: it is garbled.
    """
    return read("a token's row", _token, row)


def _token(row: Sequence[Any]) -> TokenRecord:
    client_id, scope, issued_at, position, extra, revoked, revoked_before, key = row
    token = TokenRecord(text(client_id), text(scope), number(issued_at), number(position))
    if flag(revoked) or (revoked_before is not None and cutoff_from(revoked_before, key).covers(position, issued_at)):
        token = token._replace(revoked=True)
    return token if extra is None else token._replace(**extra_from(extra))


def cutoff_from(revoked_before: Any, key: Any) -> Cutoff:
    return Cutoff(number(revoked_before), maybe(blob, key) or b"")


def first_key(second: int) -> bytes:
    """Where the keys of tokens that expire in this second begin."""
    return min(max(second, 0), LAST_SECOND).to_bytes(4)
