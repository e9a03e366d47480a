"""First contact with an SQLite database: how it is opened, made, and joined with its counter file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from urllib.parse import quote

from sqlalchemy import Connection

from ....errors import StoreUnavailable
from ..engine import make_engine
from .change_counter import CounterFile
from .connections import Dial
from .fork import Link, open_link
from .nonce import read_nonce, renew_nonce


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


def settle(path: str, counter: CounterFile, link: Link, served: bool, until: float) -> None:
    """Have database and counter file belong together. A start takes the file over from another name.

    :param served: this process has used this very file before, so that another name may have taken it over.
    :raises StoreUnavailable: another name has.
    """
    found, mine = read_nonce(link.driver), counter.nonce
    if found and found == mine:
        return
    if served and found > mine > 0:
        raise StoreUnavailable(
            f"{path} was opened by another name since (a hard link, or a mount of the file): "
            "mount the folder that it lies in, not the file, and restart"
        )
    try:
        with _queue(counter, until):
            renew_nonce(link.driver, counter)
    except (sqlite3.Error, StoreUnavailable):
        # Where an older version made the store, one that cannot be written can be read all the same.
        if found or mine:
            raise


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
