"""The revocation log of a SQL store: what is appended, and what followers read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, case, delete, func, insert, literal, select, update

from ...cutoffs import SPARES, Cutoff
from ...errors import StoreUnavailable
from ...model import KEEP_AGAIN_SECONDS, LOG_KEEP_SECONDS, Clock, DenylistPage, LogPage, Revocation, Sizes
from ..decoding import blob, flag, maybe, number, read, text
from . import schema, statements
from .engine import SQLEngine
from .rows import cutoff_from, first_key

OWN_ROW = "the store's own row"
CLIENT = "a client's row"
EVENT = "an event of the revocation log"
KEYS = "the record of the signing keys"
SWEPT_AT_ONCE = 500

_BEYOND_ALL = 2**63 - 1

_store, _client, _log = schema.store, schema.clients, schema.revocations
_SPARING = _log.c.key.between(SPARES, SPARES + b"\xff" * 20)


class SQLLog:
    """See :class:`~oauth_mw.protocols.RevocationLog`."""

    def __init__(self, engine: SQLEngine, clock: Clock, sizes: Sizes) -> None:
        self._engine = engine
        self._clock = clock
        self._events_per_read = sizes.events_per_read
        self._page = sizes.denylist_page
        self._read_after = engine.compiled(statements.read_log(engine.store_id))
        self._tokens = engine.compiled(statements.REVOKED_TOKENS)
        self._clients = engine.compiled(statements.REVOKED_CLIENTS)

    # Within a transaction that revokes tokens

    def revoke_all(self, connection: Connection, client_id: str, issued_before: int | None = None) -> int:
        """Append the events and set the client's ``revoked_before``."""
        cutoff = self._cutoff(connection, client_id)
        position = self.append(connection, client_id)
        connection.execute(update(_client).where(_client.c.client_id == client_id).values(revoked_before=position))
        # Its log-only revocations are not needed any more; if tokens are spared, only those that have spared others.
        keep_until = case((_SPARING, position // 1_000_000 + LOG_KEEP_SECONDS), else_=_log.c.keep_until)
        unneeded = update(_log).where(_log_only_of(client_id)).values(log_only=False, keep_until=keep_until)
        connection.execute(unneeded if issued_before is None else unneeded.where(_SPARING))
        if issued_before is not None:
            key, following = cutoff.sparing(client_id, issued_before), position + 1
            connection.execute(update(_store).values(position=following))
            connection.execute(insert(_log).values(_row(following, client_id, key, _expiry(key), log_only=True)))
        return position

    def _cutoff(self, connection: Connection, client_id: str) -> Cutoff:
        found = select(_client.c.revoked_before, statements.NEXT_KEY).where(_client.c.client_id == client_id)
        return read(CLIENT, cutoff_from, *(connection.execute(found).first() or (0, None)))

    def revoke_log_only(self, connection: Connection, client_id: str, key: bytes, position: int, issued_at: int) -> int:
        # With a lock on the store's row, nothing else appends: only then is it certain what the log holds.
        connection.execute(select(_store.c.position).with_for_update())
        cutoff, of_client = self._cutoff(connection, client_id), _log_only_of(client_id)
        logged = select(_log.c.position).where(of_client, _log.c.key == key)
        if cutoff.covers(position, issued_at) or connection.execute(logged).first():
            return 0
        self.append(connection, client_id, key, log_only=True)
        live = (_log.c.position > cutoff.since) & (_log.c.key >= first_key(int(self._clock()) - LOG_KEEP_SECONDS))
        return int(connection.execute(select(func.count()).select_from(_log).where(of_client, live)).scalar_one())

    def append(
        self, connection: Connection, client_id: str, key: bytes | None = None, *, log_only: bool = False
    ) -> int:
        """Append an event and return its position; sweep what no follower needs any more; remove the store's origin."""
        following, clock = _store.c.position + 1, self._microseconds()
        head = case((following > clock, following), else_=clock)
        moved = update(_store).values(position=head, origin=None).returning(_store.c.position, clock // 1_000_000)
        position, now = read(OWN_ROW, _appended, *(connection.execute(moved).first() or ()))
        row = _row(position, client_id, key, max(now, _expiry(key)), log_only=log_only)
        connection.execute(insert(_log).values(row))
        self._sweep(connection, now)
        return position

    def _sweep(self, connection: Connection, now: int) -> None:
        columns = (_log.c.position, _log.c.key, _log.c.keep_until, _log.c.log_only)
        rows = connection.execute(select(*columns).where(_log.c.keep_until < now).limit(SWEPT_AT_ONCE))
        due = [read(EVENT, _due, *row) for row in rows]
        again = {position for position, once in due if once and self._engine.microseconds is None}
        if again:
            left = _log.c.keep_until - LOG_KEEP_SECONDS - _log.c.position // 1_000_000
            keep_until = now + KEEP_AGAIN_SECONDS + case((left > 0, left), else_=0)
            connection.execute(update(_log).where(_log.c.position.in_(again)).values(keep_until=keep_until))
        swept = [position for position, _ in due if position not in again]
        if swept:
            connection.execute(delete(_log).where(_log.c.position.in_(swept)))
            swept_until = case((_store.c.swept_until < max(swept), max(swept)), else_=_store.c.swept_until)
            connection.execute(update(_store).values(swept_until=swept_until))

    def _microseconds(self) -> ColumnElement[int]:
        """The clock of the engine, if it has one, so that all workers use the same; unless the store was given one."""
        if self._engine.microseconds is not None and self._clock is time.time:
            return self._engine.microseconds
        return literal(int(self._clock() * 1_000_000), BigInteger)

    # For followers

    def read(self, store_id: str, after: int) -> LogPage:
        if not store_id:
            after = _BEYOND_ALL  # a new follower needs no events
        rows = self._rows_after(after)
        if rows[0][0] is None:
            try:
                self._engine.renew()
                rows = self._rows_after(after)
            except StoreUnavailable:
                pass  # if nothing can be written, the follower clears its cache at each read
        here, position, swept_until = read(OWN_ROW, _log_state, *rows[0][:3])
        if store_id and here != store_id:
            self._engine.recheck()
        events = [read(EVENT, _event, *row[3:]) for row in rows if row[3] is not None]
        page = LogPage(here or "", position, events, True)
        return page.since(store_id, after, swept_until, at_most=self._events_per_read)

    def _rows_after(self, after: int) -> Sequence[Sequence[Any]]:
        with self._engine.reading() as link:
            rows: Sequence[Sequence[Any]] = link.driver.execute(
                self._read_after, (after, self._events_per_read + 1)
            ).fetchall()
        if not rows:
            raise StoreUnavailable("the store's own row is missing")
        return rows

    def count(self, at_most: int) -> int:
        some = select(_log.c.position).limit(at_most).subquery()
        with self._engine.reading() as link:
            return int(link.core.execute(select(func.count()).select_from(some)).scalar_one())

    def read_denylist(self, after: tuple[Any, ...] = ()) -> DenylistPage:
        """First the tokens, by client and key; then the clients, by number."""
        with self._engine.reading() as link:
            if len(after) != 1:
                rows = link.driver.execute(self._tokens, (*(after or ("", b"")), self._page)).fetchall()
                events = [read(EVENT, _event, *row, 1) for row in rows]
                return DenylistPage(events, tuple(events[-1][1:3]) if len(events) == self._page else (0,))
            rows = link.driver.execute(self._clients, (*after, self._page)).fetchall()
            events = [read(CLIENT, _event, position, client_id, None, 0) for position, client_id, _ in rows]
            return DenylistPage(events, (rows[-1][2],) if len(rows) == self._page else None)


def _row(position: int, client_id: str, key: bytes | None, until: int, *, log_only: bool) -> dict[str, object]:
    kept = {"keep_until": until + LOG_KEEP_SECONDS, "log_only": log_only}
    return {"position": position, "client_id": client_id, "key": key, **kept}


def _log_only_of(client_id: str) -> ColumnElement[bool]:
    return (_log.c.client_id == client_id) & _log.c.log_only


def _event(position: Any, client_id: Any, key: Any, log_only: Any) -> Revocation:
    return Revocation(number(position), text(client_id), maybe(blob, key), flag(log_only))


def _log_state(store_id: Any, position: Any, swept_until: Any) -> tuple[str | None, int, int]:
    return maybe(text, store_id), number(position), number(swept_until)


def _appended(position: Any, now: Any) -> tuple[int, int]:
    return number(position), int(now)


def _due(position: Any, key: Any, keep_until: Any, log_only: Any) -> tuple[int, bool]:
    """The position, and whether to keep the event once more: it is log-only, and was not due before."""
    kept = _expiry(maybe(blob, key)) + LOG_KEEP_SECONDS + KEEP_AGAIN_SECONDS
    return number(position), flag(log_only) and number(keep_until) < kept


def _expiry(key: bytes | None) -> int:
    return int.from_bytes(key[:4]) if key else 0
