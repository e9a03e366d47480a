"""Notice that a database was opened under another name, or replaced by a backup.

A number stands in the database and in the counter file beside each of its names. When a database is opened whose number
differs from its counter's, a new number is written into both. Then the counter beside the other name differs, and the
processes that use that name stop.

The number lies in a page of its own that is written into the main file at once. Processes of two names share nothing
else, because each name has its own ``-wal`` file.
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
    """The number that the database holds now; 0 if there is none.

    :raises sqlite3.Error: it cannot be read.
    :raises StoreUnavailable: what is there was never written by this module.
    """
    # The page may have changed in the main file without a trace in our -wal file, so no cached page will do.
    driver.execute("PRAGMA shrink_memory")
    try:
        row = driver.execute(_READ).fetchone()
    except sqlite3.OperationalError as error:
        # An error of decoding has no code.
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR:
            raise
        return 0  # no such table: an older version created the store
    return read("the number in oauth_mw_nonce", number, row[0]) if row else 0


def renew_nonce(driver: Any, counter: CounterFile) -> None:
    """Write a new number into the database and the counter file, if theirs differ. The caller holds the write lock.

    Later numbers are larger, so that a restored backup can be told from what another name has written.

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
            # Before the commit: if the process is killed between the two, the next contact mends it.
            counter.nonce = nonce
        driver.execute("COMMIT")
    except BaseException:
        counter.nonce = before
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        raise
    driver.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
