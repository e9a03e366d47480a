"""The connections to SQLite that this process has open, and what becomes of them when it forks.

No thread may be within SQLite at that moment. SQLite keeps its books on locks by process, so a
child with an inherited file would take its parent's locks for its own; and it has mutexes of its
own, which a child waits for in vain if a thread of the parent held one.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, Engine

FORK_SECONDS = 1.0

_PAUSE = 0.0005

# What a fork brought along: closing a connection would drop the parent's locks.
inherited: list[object] = []


class Link(NamedTuple):
    """A connection: SQLAlchemy's, and the driver's under it for the hot statements."""

    core: Connection
    driver: Any

    def wait_at_most(self, seconds: float) -> None:
        """Let SQLite wait so long for a lock."""
        self.driver.execute(f"PRAGMA busy_timeout={max(int(seconds * 1000), 1)}")

    def close(self) -> None:
        try:
            self.core.close()
        finally:
            _opened.discard(self.core)

    def drop(self) -> None:
        """Close it, whatever state it is in."""
        self.core.invalidate()
        self.close()


class Holder(Protocol):
    """Who keeps connections for later use."""

    pid: int

    def rest(self, until: float) -> bool:
        """Let nobody begin to write or to read, until :meth:`wake`; whether all writers came to an end."""

    def wake(self, quiet: bool) -> None:
        """
        :param quiet: what :meth:`rest` gave.
        """

    def give_up_idle(self) -> Iterable[Link]:
        """All that nobody is using just now."""


holders: weakref.WeakSet[Holder] = weakref.WeakSet()

_opened: weakref.WeakSet[Connection] = weakref.WeakSet()
_opening = threading.Lock()  # held for a fork too
_forking = 0  # the thread that holds it for a fork
_resting: list[tuple[Holder, bool]] = []


def open_link(engine: Engine) -> Link:
    with _opening:
        core = engine.connect()
        _opened.add(core)
    return Link(core, core.connection.driver_connection)


def _before_fork() -> None:
    global _forking
    until = time.monotonic() + FORK_SECONDS
    if not _opening.acquire(timeout=FORK_SECONDS):
        return
    _forking = threading.get_ident()
    own = [holder for holder in list(holders) if holder.pid == os.getpid()]
    _resting.extend((holder, holder.rest(until)) for holder in own)
    idle: list[Link] = []
    while True:
        # Those in use come back one by one, and nobody opens another.
        idle.extend(link for holder in own for link in holder.give_up_idle())
        if len(idle) >= len(_opened) or time.monotonic() >= until:
            break
        time.sleep(_PAUSE)
    for link in idle:
        link.close()


def _in_parent() -> None:
    global _forking
    if _forking == threading.get_ident():
        _wake()
        _forking = 0
        _opening.release()


def _in_child() -> None:
    global _forking, _opening
    inherited.extend(_opened)
    _opened.clear()
    _wake()
    # A thread that held it is the parent's.
    _forking, _opening = 0, threading.Lock()


def _wake() -> None:
    while _resting:
        holder, quiet = _resting.pop()
        holder.wake(quiet)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
