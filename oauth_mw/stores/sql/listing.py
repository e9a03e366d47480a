"""The tokens of a client in a SQL store, which has no index of them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, literal_column, select

from ...model import TOKENS_PER_PAGE, TokenRecord
from . import schema, statements
from .engine import SQLEngine
from .rows import token_from_row

_client, _token = schema.clients, schema.tokens

_BEYOND = b"\xff" * 33
_AFTER = _token.c.key > bindparam("after")
_STEP = select(_token.c.key).where(_AFTER).order_by(_token.c.key).limit(literal_column("1")).offset(bindparam("others"))
_PAGE = (
    select(_token.c.key, *statements.ROW, *statements.CUTOFF)
    .select_from(statements.TOKENS_OF_CLIENTS)
    .where(_client.c.client_id == bindparam("client_id"), _AFTER, _token.c.key <= bindparam("until"))
    .order_by(_token.c.key)
    .limit(literal_column(str(TOKENS_PER_PAGE)))
    .offset(statements.NONE)
)


def tokens_of(
    engine: SQLEngine, at_once: int, client_id: str, after: bytes = b""
) -> Sequence[tuple[bytes, TokenRecord]]:
    """See :meth:`oauth_mw.protocols.TokenStore.tokens_of`.

    :param at_once: how many tokens a statement reads.
    """
    while True:
        with engine.reading() as link:
            step = link.driver.execute(engine.compiled(_STEP), (after, at_once - 1)).fetchone()
            until = bytes(step[0]) if step else _BEYOND
            rows = link.driver.execute(engine.compiled(_PAGE), (client_id, after, until)).fetchall()
        if rows or step is None:
            return [(bytes(row[0]), token_from_row(row[1:])) for row in rows]
        after = until
