"""Counters in Redis, which deletes each some time after its window."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ...model import COUNTER_KEEP_SECONDS, Count, Counted
from .network import Command
from .rows import counted_from, read
from .scripts import COUNT, VERSION
from .session import RedisSession


def count(
    session: RedisSession, counts: Sequence[Count], name: str = "", row: str = "", left: int = 0, *, deadline: float
) -> Counted:
    """Count, and with a ``row`` write it in the same step, which only a single server can do.

    :param name: the key of the row.
    :param left: the seconds after which Redis deletes the row.
    """
    now, names = int(session.clock()), session.keys
    keys = [names.store, *(names.counter(each.key) for each in counts), *filter(None, [name])]
    arguments: list[str | int | bytes] = [VERSION, len(counts), row, left]
    for each in counts:
        arguments.append("" if each.limit is None else each.limit)
        arguments.append(max(each.until - now + COUNTER_KEEP_SECONDS, 1))
    command: Command = ("EVALSHA", COUNT, len(keys), *keys, *arguments)
    reply = session.with_store(lambda: session.run(names.store, [command], deadline)[0], deadline)
    return read(partial(counted_from, counts), reply)
