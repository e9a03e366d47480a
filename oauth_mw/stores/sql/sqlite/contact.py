"""First contact with an SQLite database: how it is opened, made, and joined with its counter file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection

from ....errors import StoreUnavailable
from ..engine import make_engine
from .change_counter import CounterFile
from .connections import Dial
from .fork import Link, open_link
from .nonce import read_nonce, renew_nonce

YIELD_SECONDS = 0.2
PAUSE = 0.01


def dialling(path: str, timeout: float) -> Dial:
    """How connections are opened: by values, since what waits for an engine to go must not keep it."""
    address = f"file:{quote(os.fsencode(path))}?mode=rw"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)

    engine = make_engine("sqlite://", connect)

    def dial(until: float) -> Link:
        link = open_link(engine)
        try:
            link.wait_at_most(until - monotonic())
            link.driver.execute("PRAGMA synchronous=NORMAL")  # the first one to read the file
            link.wait_at_most(timeout)
            return link
        except BaseException:
            link.close(broken=True)
            raise

    return dial


def make_tables(create: Callable[[Connection], None], counter: CounterFile | None, link: Link, until: float) -> None:
    with _queue(counter, until):
        link.driver.execute("PRAGMA journal_mode=WAL")
        link.driver.execute("BEGIN IMMEDIATE")
        create(link.core)
        link.driver.execute("COMMIT")


def settle(path: str, counter: CounterFile, link: Link, *, served: bool, mounts_seen: bool, until: float) -> None:
    """Have database and counter file belong together. A start takes the file over from another name.

    :param served: this process has used this very file before, so that another name may have taken it over.
    :param mounts_seen: this name is known to be no mount of the file alone.
    :raises StoreUnavailable: another name has; or this one may be a second name, and another process uses the file.
    """
    found, mine = read_nonce(link.driver), counter.nonce
    if found and found == mine:
        return
    if served and found > mine > 0:
        raise StoreUnavailable(
            f"{path} was opened by another name since (a hard link, or a mount of the file): "
            "mount the folder that it lies in, not the file, and restart"
        )
    # A smaller number was in a backup that was put back.
    foreign = not mounts_seen and found > mine
    try:
        # A process that waits in the queue has the file open too, so it gives up soon.
        with _queue(counter, min(until, monotonic() + YIELD_SECONDS) if foreign else until):
            if foreign:
                _await_sole_use(path, link, until)
            renew_nonce(link.driver, counter)
    except (sqlite3.Error, StoreUnavailable):
        # Where an older version made the store, one that cannot be written can be read all the same.
        if found or mine:
            raise


def _await_sole_use(path: str, link: Link, until: float) -> None:
    """Wait until no other process has the database open, by whatever name.

    While the processes of another name have it open, what this one commits stays in a ``-wal`` file that they never
    read, and what they have in theirs replaces it.

    :raises StoreUnavailable: another process has it open.
    """
    while not _leave_wal(link):
        if monotonic() > until - PAUSE:
            raise StoreUnavailable(
                f"{path} is in use, perhaps by another name (a hard link, or a mount of the file): mount the folder "
                "that it lies in, not the file, or stop all processes that use it and try again"
            )
        sleep(PAUSE)
    link.driver.execute("PRAGMA journal_mode=WAL")


def _leave_wal(link: Link) -> bool:
    """SQLite leaves this mode only where no other connection of any process has the database open."""
    try:
        return bool(link.driver.execute("PRAGMA journal_mode=DELETE").fetchone()[0] == "delete")
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        return False


def write_back(driver: Any) -> None:
    """Write what was committed into the main file, which all names of the database share.

    :raises StoreUnavailable: not all of it is there; it may be lost when another name is opened.
    """
    busy, written, copied = driver.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    if busy or written != copied:
        raise StoreUnavailable("what was committed could not be written into the database's main file: try again")


def schema_version(link: Link) -> int:
    """What every change of the schema raises, and SQLite's `.restore` too."""
    return int(link.driver.execute("PRAGMA schema_version").fetchone()[0])


@contextmanager
def _queue(counter: CounterFile | None, until: float) -> Iterator[None]:
    """The writers' queue, for a connection that is not in use yet."""
    if counter is None:
        yield
        return
    counter.lock(until)
    try:
        yield
    finally:
        counter.unlock()
