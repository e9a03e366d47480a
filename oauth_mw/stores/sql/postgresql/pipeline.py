"""One statement as a transaction of its own, in one round trip: what is sent to PostgreSQL behind a pooler.

psycopg's own pipeline sends each statement by itself, which costs three times as much, and a Flush after the end, for
which PgBouncer keeps a session with the client. So this builds on names of psycopg's that are private: setup.cfg bounds
its version, and a test names them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psycopg import Cursor
from psycopg.pq import ExecStatus
from psycopg.waiting import READY_R, WAIT_R, WAIT_RW


def in_transaction(cursor: Cursor[Any], before: Iterable[bytes], query: bytes, parameters: Any) -> Any:
    """A generator for ``Connection.wait``; it returns the last result of ``before``, and leaves the
    statement's in ``cursor``.

    :param before: statements without parameters; the first begins the transaction.
    :raises psycopg.Error: one of them failed; the transaction may be open still.
    """
    yield from cursor._start_query(query)
    statement = cursor._convert_query(query, parameters)
    pgconn: Any = cursor.connection.pgconn
    pgconn.enter_pipeline_mode()
    for each in before:
        pgconn.send_query_params(each, None)
    pgconn.send_query_params(
        statement.query, statement.params, param_formats=statement.formats, param_types=statement.types
    )
    pgconn.send_query_params(b"COMMIT", None)
    pgconn.pipeline_sync()
    results = []
    while (result := (yield from _next_result(pgconn))).status != ExecStatus.PIPELINE_SYNC:
        results.append(result)
        yield from _next_result(pgconn)  # none: the end of what this statement gave
    pgconn.exit_pipeline_mode()
    for result in results:
        cursor._check_results([result])
    *_, last, own, _ = results
    cursor._set_results([own])
    return last


def _next_result(pgconn: Any) -> Any:
    while pgconn.flush():
        if (yield WAIT_RW) & READY_R:
            pgconn.consume_input()
    while pgconn.is_busy():
        if (yield WAIT_R) & READY_R:
            pgconn.consume_input()
    return pgconn.get_result()
