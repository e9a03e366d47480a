"""Rows of tokens, decoded; the same for every SQL engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...model import LAST_SECOND, TokenRecord
from ..decoding import flag, number, read, text
from ..records import extra_from


def token_from_row(row: Sequence[Any]) -> TokenRecord:
    """
    :param row: client id, scope, time and position of the issue, ``extra``, then one or two reasons for which the token
        may be revoked.
    :raises StoreUnavailable: it is garbled.
    """
    return read("a token's row", _token, row)


def _token(row: Sequence[Any]) -> TokenRecord:
    client_id, scope, issued_at, position, extra = row[:5]
    token = TokenRecord(text(client_id), text(scope), number(issued_at), number(position))
    if flag(row[5]) or flag(row[-1]):
        token = token._replace(revoked=True)
    return token if extra is None else token._replace(**extra_from(extra))


def first_key(second: int) -> bytes:
    """Where the keys of tokens that expire in this second begin."""
    return min(max(second, 0), LAST_SECOND).to_bytes(4)
