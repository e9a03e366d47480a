"""Notice that a database was opened by another name, or exchanged by what was in a backup.

A random number stands in the database and in the counter file beside each of its names. To open a
database with another number than its counter's writes a new one into both. Then the counter beside
the other name differs, and the processes that use that name stop.

The number lies in a page of its own that is written into the main file at once: processes of two
names share nothing else, because each name has its own ``-wal`` file.
"""

from __future__ import annotations

import secrets
import sqlite3
from typing import Any

from ...decoding import number, read
from .change_counter import CounterFile

_MAKE = "CREATE TABLE IF NOT EXISTS oauth_mw_nonce (one INTEGER PRIMARY KEY, nonce INTEGER NOT NULL)"
_READ = "SELECT nonce FROM oauth_mw_nonce WHERE one = 1"
_WRITE = "INSERT OR REPLACE INTO oauth_mw_nonce VALUES (1, ?)"


def read_nonce(driver: Any) -> int:
    """What the database holds now; 0 where there is none.

    :raises sqlite3.Error: it cannot be read.
    :raises StoreUnavailable: it is none that was ever written there.
    """
    # The page may have changed in the main file without a trace in our -wal, so none that was read before will do.
    driver.execute("PRAGMA shrink_memory")
    try:
        row = driver.execute(_READ).fetchone()
    except sqlite3.OperationalError as error:
        # Without a code where the module could not decode what SQLite gave it.
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR:
            raise
        return 0  # no such table: an older version made the store
    return read("the number of the database's file", number, row[0]) if row else 0


def renew_nonce(driver: Any, counter: CounterFile) -> None:
    """Write a new one into the database and the counter file, if they differ. Only within the writers' queue.

    A later one is larger, so that what a backup brought back is known from what another name has written.

    :raises sqlite3.Error: it cannot be written; then nothing has changed.
    """
    driver.execute("BEGIN IMMEDIATE")
    before = counter.nonce
    try:
        found = read_nonce(driver)
        if not found or found != before:
            driver.execute(_MAKE)
            nonce = max(found, before) + 1 + secrets.randbits(40)
            driver.execute(_WRITE, (nonce,))
            # Before the commit: a process that is killed between the two leaves what the next contact mends.
            counter.nonce = nonce
        driver.execute("COMMIT")
    except BaseException:
        counter.nonce = before
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        raise
    driver.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
