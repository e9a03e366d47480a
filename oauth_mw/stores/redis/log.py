"""Read the revocation log in Redis."""

from __future__ import annotations

from typing import Any

from ...cutoffs import Cutoff, spares
from ...model import DenylistPage, LogPage, LogState, Revocation
from ..decoding import blob, decimal
from .network import Command
from .rows import Keys, cutoff_from, events_from, in_pairs, of_all, position_text, revocation_from
from .rows import read as read_found
from .scripts import NO_STORE, READ_LOG, VERSION
from .session import RedisSession


def state(session: RedisSession) -> LogState:
    store_id, position, floor = session.fields("store_id", "position", "floor", deadline=session.deadline())
    return read_found(lambda: LogState(store_id.decode(), decimal(position), decimal(floor)))


def read(session: RedisSession, store_id: str, after: int) -> LogPage:
    deadline, keys = session.deadline(), (session.keys.store, session.keys.log)
    known, follow = store_id.partition("/")[0], f"{after}-0" if after >= 0 else ""
    script = ("EVALSHA", READ_LOG, len(keys), *keys, VERSION, known, follow, session.sizes.events_per_read + 1)

    def operation() -> Any:
        found, run = session.with_run_id(script, deadline)
        return found if found == NO_STORE else (found, run)

    return read_found(_page, *session.with_store(operation, deadline), store_id, after, session.sizes.events_per_read)


def read_denylist(session: RedisSession, after: tuple[Any, ...] = ()) -> DenylistPage:
    scan = ("HSCAN", session.keys.revoked, *(after or (b"0",)), "COUNT", session.sizes.denylist_page)
    deadline = session.deadline()
    (reply,) = session.of_primary([scan], deadline)
    page = read_found(_denylist_page, reply)
    singly = sorted({event.client_id for event in page.events if event.key})
    if not singly:
        return page
    (found,) = session.of_primary([("HMGET", session.keys.revoked, *map(of_all, singly))], deadline)
    last = read_found(lambda: {name: decimal(each or b"0") for name, each in zip(singly, found, strict=True)})
    # An event that spares tokens is kept for a while after it lost its effect: what belongs to ``last`` is still there.
    nexts = session.of_primary([_next(session.keys, *each) for each in last.items()], deadline)
    cutoffs = read_found(
        lambda: {name: cutoff_from(before, each) for (name, before), each in zip(last.items(), nexts, strict=True)}
    )
    return page._replace(events=[each for each in page.events if _is_needed(each, cutoffs.get(each.client_id))])


def _next(names: Keys, client_id: str, position: int) -> Command:
    """Read the client's log-only revocation right after a position, if there is one."""
    first, beyond = position_text(position + 1), position_text(position + 2)
    return ("ZRANGEBYLEX", names.log_only(client_id), "[" + first, "(" + beyond)


def _is_needed(event: Revocation, cutoff: Cutoff | None) -> bool:
    """Whether a token needs an entry of its own, or is covered by a later revocation of all its client's tokens."""
    if event.key is None or cutoff is None:
        return True
    return event.position > (cutoff.before if spares(event.key) else cutoff.since)


def _denylist_page(reply: Any) -> DenylistPage:
    cursor, found = reply
    events = [revocation_from(*pair) for pair in in_pairs(found)]
    needed = [event for event in events if event.key is None or event.log_only]
    return DenylistPage(needed, None if blob(cursor) == b"0" else (cursor,))


def _page(reply: Any, run: str, store_id: str, after: int, at_most: int) -> LogPage:
    store, head, swept, entries = reply
    here, position, floor = f"{store.decode()}/{run}", decimal(head), decimal(swept)
    return LogPage(here, position, events_from(entries), True).since(store_id, after, floor, at_most=at_most)
