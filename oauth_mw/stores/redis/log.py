"""Reading the revocation log in Redis."""

from __future__ import annotations

from typing import Any

from ...model import MAX_EVENTS_PER_READ, DenylistPage, LogPage, LogState, Revocation
from ..decoding import blob, decimal
from .rows import in_pairs, of_all, revocation_from, several
from .rows import read as read_found
from .scripts.changes import NO_STORE, READ_LOG, VERSION
from .session import RedisSession

DENYLIST_PAGE_SIZE = 1000


def state(session: RedisSession) -> LogState:
    deadline = session.deadline()
    fields = ("HMGET", session.keys.store, "version", "store_id", "position", "floor")

    def ask() -> Any:
        version, *found = read_found(several, 4, *session.run(session.keys.store, [fields], deadline))
        return found if version == VERSION else NO_STORE

    return read_found(_state, *session.with_store(ask, deadline))


def read(session: RedisSession, store_id: str, after: int) -> LogPage:
    deadline = session.deadline()
    follow = f"{after}-0" if after >= 0 else ""
    known = store_id.partition("/")[0]
    script = (
        "EVALSHA",
        READ_LOG,
        2,
        session.keys.store,
        session.keys.log,
        VERSION,
        known,
        follow,
        MAX_EVENTS_PER_READ + 1,
    )

    def ask() -> Any:
        found, run = session.with_run_id(script, deadline)
        return found if found == NO_STORE else (found, run)

    return read_found(_page, *session.with_store(ask, deadline), store_id, after)


def read_denylist(session: RedisSession, cursor: bytes = b"0") -> DenylistPage:
    scan = ("HSCAN", session.keys.revoked, cursor, "COUNT", DENYLIST_PAGE_SIZE)
    deadline = session.deadline()
    (reply,) = session.of_primary([scan], deadline)
    page = read_found(_denylist_page, reply)
    singly = sorted({event.client_id for event in page.events if event.key})
    if not singly:
        return page
    (found,) = session.of_primary([("HMGET", session.keys.revoked, *map(of_all, singly))], deadline)
    last = dict(zip(singly, read_found(_positions, found), strict=True))
    # Those that were revoked with all others since need not be known singly.
    return page._replace(events=[each for each in page.events if not each.key or each.position > last[each.client_id]])


def _state(store_id: Any, position: Any, floor: Any) -> LogState:
    return LogState(store_id.decode(), decimal(position), decimal(floor))


def _denylist_page(reply: Any) -> DenylistPage:
    cursor, found = reply
    events = [revocation_from(*pair) for pair in in_pairs(found)]
    needed = [event for event in events if event.key is None or event.log_only]
    return DenylistPage(needed, None if blob(cursor) == b"0" else (cursor,))


def _positions(found: Any) -> list[int]:
    return [decimal(each or b"0") for each in found]


def _page(reply: Any, run: str, store_id: str, after: int) -> LogPage:
    store, head, swept, entries = reply
    here, position, floor = f"{store.decode()}/{run}", decimal(head), decimal(swept)
    events = [
        Revocation(decimal(entry[:-2]), client_id.decode(), blob(key) or None, bool(log_only))
        for entry, (_, client_id, _, key, *log_only) in entries
    ]
    return LogPage(here, position, events, True).since(store_id, after, floor)
