"""What followers read of the revocation log in Redis."""

from __future__ import annotations

from typing import Any

from ...model import MAX_EVENTS_PER_READ, DenylistPage, LogPage, Revocation
from ..decoding import blob, decimal
from .rows import ended_from, in_pairs, of_all
from .rows import read as read_found
from .scripts.changes import NO_STORE, READ_LOG, VERSION
from .session import RedisSession

DENYLIST_PAGE_SIZE = 1000


def read(steps: RedisSession, store_id: str, after: int) -> LogPage:
    deadline = steps.deadline()
    follow = f"{after}-0" if after >= 0 else ""
    known = store_id.partition("/")[0]
    script = ("EVALSHA", READ_LOG, 2, steps.keys.store, steps.keys.log, VERSION, known, follow, MAX_EVENTS_PER_READ + 1)

    def ask() -> Any:
        found, run = steps.with_run_id(script, deadline)
        return found if found == NO_STORE else (found, run)

    return read_found(_page, *steps.with_store(ask, deadline), store_id, after)


def read_denylist(steps: RedisSession, cursor: bytes = b"0") -> DenylistPage:
    scan = ("HSCAN", steps.keys.revoked, cursor, "COUNT", DENYLIST_PAGE_SIZE)
    deadline = steps.deadline()
    (reply,) = steps.of_primary([scan], deadline)
    page = read_found(_denylist_page, reply)
    singly = sorted({event.client_id for event in page.events if event.key})
    if not singly:
        return page
    (found,) = steps.of_primary([("HMGET", steps.keys.revoked, *map(of_all, singly))], deadline)
    last = dict(zip(singly, read_found(_positions, found), strict=True))
    # Those that were revoked with all others since need not be known singly.
    return page._replace(events=[each for each in page.events if not each.key or each.position > last[each.client_id]])


def _denylist_page(reply: Any) -> DenylistPage:
    cursor, found = reply
    events = [ended_from(*pair) for pair in in_pairs(found)]
    alone = [event for event in events if event.key is None or event.alone]
    return DenylistPage(alone, None if blob(cursor) == b"0" else (cursor,))


def _positions(found: Any) -> list[int]:
    return [decimal(each or b"0") for each in found]


def _page(reply: Any, run: str, store_id: str, after: int) -> LogPage:
    store, head, swept, entries = reply
    here, position, floor = f"{store.decode()}/{run}", decimal(head), decimal(swept)
    events = [
        Revocation(decimal(entry[:-2]), client_id.decode(), blob(key) or None, bool(alone))
        for entry, (_, client_id, _, key, *alone) in entries
    ]
    # A restored backup may have moved on past the follower: then what it saw last is not there.
    known = after == floor or (after > floor and events and events[0].position == after)
    if store_id != here or not known or len(events) > MAX_EVENTS_PER_READ:
        return LogPage(here, position, [], False)
    return LogPage(here, position, [event for event in events if event.position > after], True)
