"""Last uses of secrets in a SQL store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from ...model import CLIENTS_PER_PAGE, Client
from ..copying import batches
from ..decoding import number, read, text
from ..records import removed_secrets
from . import statements
from .engine import SQLEngine, by_driver

USE = "a last use"


def note_uses(engine: SQLEngine, uses: Mapping[tuple[str, str], int]) -> None:
    """See :meth:`oauth_mw.protocols.TokenStore.note_uses`."""
    # In order, so that of two transactions none waits for a row of the other with a lock on a later one.
    rows = [(secret_id, second, client_id) for (client_id, secret_id), second in sorted(uses.items())]
    for some in batches(rows, CLIENTS_PER_PAGE):
        with engine.batch() as link:
            statement = engine.compiled(statements.note_use(engine.upsert))
            for row in some:
                link.driver.execute(statement, row)


def last_uses(engine: SQLEngine, client_ids: Sequence[str]) -> Mapping[tuple[str, str], int]:
    """See :meth:`oauth_mw.protocols.TokenStore.last_uses`."""
    found: dict[tuple[str, str], int] = {}
    for ids in batches(client_ids, CLIENTS_PER_PAGE):
        with engine.reading() as link:
            rows = link.core.execute(statements.LAST_USES, {"ids": ids}).all()
        found.update(read(USE, _use, *row) for row in rows)
    return found


def forget_uses(engine: SQLEngine, connection: Connection, before: Client, after: Client | None) -> None:
    """Remove those of a client that is deleted, or of its removed secrets, in the transaction that changes it."""
    if after is None:
        by_driver(connection, engine.compiled(statements.FORGET_CLIENT), before.client_id)
        return
    for secret_id in removed_secrets(before, after):
        by_driver(connection, engine.compiled(statements.FORGET_SECRET), before.client_id, secret_id)


def _use(client_id: Any, secret_id: Any, used_at: Any) -> tuple[tuple[str, str], int]:
    return (text(client_id), text(secret_id)), number(used_at)
