"""First contact with an SQLite database: open it, create its tables, and pair it with its counter file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection

from ....errors import StoreUnavailable
from ..engine import make_engine
from .change_counter import CounterFile, read_nonce, renew_nonce
from .connections import Dial
from .files import address, as_owner
from .fork import Link, open_link

YIELD_SECONDS = 0.2
PAUSE = 0.01


def dialling(path: str, timeout: float) -> Dial:
    """Return a function that opens connections. It refers to no store, so it keeps none alive."""

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address(path, "rw"), uri=True, isolation_level=None, check_same_thread=False)

    engine = make_engine("sqlite://", connect)

    def dial(until: float) -> Link:
        with as_owner(path):
            link = open_link(engine)
            try:
                link.wait_at_most(until - monotonic())
                link.driver.execute("PRAGMA synchronous=NORMAL")  # the first statement that reads the file
                link.wait_at_most(timeout)
                return link
            except BaseException:
                link.close(broken=True)
                raise

    return dial


def make_tables(create: Callable[[Connection], None], counter: CounterFile | None, link: Link, until: float) -> None:
    with _locked(counter, until):
        link.driver.execute("PRAGMA journal_mode=WAL")
        link.driver.execute("BEGIN IMMEDIATE")
        create(link.core)
        link.driver.execute("COMMIT")


def settle(path: str, counter: CounterFile, link: Link, *, served: bool, own_name: bool, until: float) -> None:
    """Pair the database with the counter file, by a number in both. A start takes the file over from another name.

    :param served: this process has used this very file before. If the numbers differ, another name has taken it over.
    :param own_name: it is known that other processes use the file by this name, if they use it: not by the name that it
        was moved from, or that it was mounted from.
    :raises StoreUnavailable: another name has taken it over; or this may be a second name, and another process uses the
        file.
    """
    found, mine = read_nonce(link.driver), counter.nonce
    if found and found == mine:
        return
    if served and found > mine > 0:
        raise StoreUnavailable(
            f"{path} was opened under another name meanwhile (a hard link, or a mount of the file): "
            "mount its folder, not the file, and restart"
        )
    # A smaller number comes from a backup that was restored.
    foreign = not own_name and found > mine
    try:
        # A process that waits for the lock has the file open, too, so do not make it wait for long.
        with _locked(counter, min(until, monotonic() + YIELD_SECONDS) if foreign else until):
            if foreign and counter.nonce == mine:
                counter.nonce = 0  # of an earlier use of this name: it does not show that the name is in use now
                _await_sole_use(path, link, until)
            renew_nonce(link.driver, counter)
    except (sqlite3.Error, StoreUnavailable):
        # A store of an older version has no number. If it cannot be written now, it can still be read.
        if found or mine:
            raise


def _await_sole_use(path: str, link: Link, until: float) -> None:
    """Wait until no other process has the database open under any name.

    While processes use another name, they never read the ``-wal`` file of this one, and their own overwrites it.

    :raises StoreUnavailable: another process has it open.
    """
    while not _leave_wal(link):
        if monotonic() > until - PAUSE:
            raise StoreUnavailable(
                f"{path} is in use, perhaps under another name (a hard link, a mount of the file, or the one before a "
                "move): mount its folder, not the file, or stop all processes that use it and try again"
            )
        sleep(PAUSE)
    link.driver.execute("PRAGMA journal_mode=WAL")


def _leave_wal(link: Link) -> bool:
    """Leave WAL mode, which SQLite does only while no other connection of any process has the database open."""
    try:
        return bool(link.driver.execute("PRAGMA journal_mode=DELETE").fetchone()[0] == "delete")
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        return False


def write_back(driver: Any) -> None:
    """Write everything committed into the main file, which all names of the database share.

    :raises StoreUnavailable: a part is still missing there, and would be lost if another name is opened.
    """
    busy, written, copied = driver.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    if busy or written != copied:
        raise StoreUnavailable("the change is committed but not in the database's main file yet: try again")


def schema_version(link: Link) -> int:
    """A number that every change of the schema increases, and SQLite's ``.restore``, too."""
    return int(link.driver.execute("PRAGMA schema_version").fetchone()[0])


@contextmanager
def _locked(counter: CounterFile | None, until: float) -> Iterator[None]:
    """Hold the write lock, for a connection that is not in the set yet."""
    if counter is None:
        yield
        return
    counter.lock(until)
    try:
        yield
    finally:
        counter.unlock()
