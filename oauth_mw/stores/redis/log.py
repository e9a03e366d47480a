"""Reading the revocation log in Redis."""

from __future__ import annotations

from typing import Any

from ...model import MAX_EVENTS_PER_READ, DenylistPage, LogPage, LogState
from ..decoding import blob, decimal
from .rows import events_from, in_pairs, of_all, revocation_from
from .rows import read as read_found
from .scripts import NO_STORE, READ_LOG, VERSION
from .session import RedisSession

DENYLIST_PAGE_SIZE = 1000


def state(session: RedisSession) -> LogState:
    store_id, position, floor = session.fields("store_id", "position", "floor", deadline=session.deadline())
    return read_found(lambda: LogState(store_id.decode(), decimal(position), decimal(floor)))


def read(session: RedisSession, store_id: str, after: int) -> LogPage:
    deadline, keys = session.deadline(), (session.keys.store, session.keys.log)
    known, follow = store_id.partition("/")[0], f"{after}-0" if after >= 0 else ""
    script = ("EVALSHA", READ_LOG, len(keys), *keys, VERSION, known, follow, MAX_EVENTS_PER_READ + 1)

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
    last = read_found(lambda: {name: decimal(each or b"0") for name, each in zip(singly, found, strict=True)})
    # Those that were revoked with all others since need not be known singly.
    return page._replace(events=[each for each in page.events if not each.key or each.position > last[each.client_id]])


def _denylist_page(reply: Any) -> DenylistPage:
    cursor, found = reply
    events = [revocation_from(*pair) for pair in in_pairs(found)]
    needed = [event for event in events if event.key is None or event.log_only]
    return DenylistPage(needed, None if blob(cursor) == b"0" else (cursor,))


def _page(reply: Any, run: str, store_id: str, after: int) -> LogPage:
    store, head, swept, entries = reply
    here, position, floor = f"{store.decode()}/{run}", decimal(head), decimal(swept)
    return LogPage(here, position, events_from(entries), True).since(store_id, after, floor)
