"""Faults of an SQLite store. None relies on file permissions, which do not bind root."""

from __future__ import annotations

import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

from faults import READS, WRITES, Fault
from sites import SQLiteSite
from sqlalchemy import event
from sqlalchemy.pool import Pool

# Full

FILLINGS = [
    "INSERT INTO oauth_mw_tokens VALUES (x'ffffffff' || randomblob(28), 0, '', 0, 0, 0, NULL)",
    "INSERT INTO oauth_mw_revocations SELECT min(position) - 1, '', NULL, 1 << 40, 0 FROM oauth_mw_revocations",
    "INSERT INTO oauth_mw_clients SELECT NULL, hex(randomblob(4)), 1, 0, '', ''",
]


@contextmanager
def full(site: SQLiteSite) -> Iterator[None]:
    """No connection may add a page, and all pages are full."""
    limited: list[sqlite3.Connection] = []

    def limit(connection: sqlite3.Connection, record: object = None) -> None:
        connection.execute("PRAGMA max_page_count=1")  # or as many as there are
        limited.append(connection)

    event.listen(Pool, "connect", limit)
    site.store.close()
    with site.sql() as database:
        limit(database)
        database.execute("PRAGMA synchronous=OFF")
        for filling in FILLINGS:
            while _fits(database, filling):
                pass
    try:
        yield
    finally:
        event.remove(Pool, "connect", limit)
        for connection in limited:
            with suppress(sqlite3.ProgrammingError):  # it was closed
                connection.execute("PRAGMA max_page_count=1000000")


def _fits(database: sqlite3.Connection, filling: str) -> bool:
    try:
        database.execute(filling)
    except sqlite3.OperationalError as error:
        assert error.sqlite_errorname == "SQLITE_FULL"
        return False
    return True


@contextmanager
def no_room(site: SQLiteSite) -> Iterator[None]:
    """This process can no longer write to any file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# Locked

SQL = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    database.execute(statement).fetchall()
print("mine", flush=True)
time.sleep(60)
"""
TURN = """
import fcntl, os, signal, sys
queue = os.open(sys.argv[1] + "-oauth_mw", os.O_RDWR)
fcntl.lockf(queue, fcntl.LOCK_EX)
print("mine", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


@contextmanager
def kept(site: SQLiteSite) -> Iterator[None]:
    """After all connections were closed, another process locked the database, for readers too."""
    site.store.close()
    with site.neighbour(SQL, "PRAGMA locking_mode=EXCLUSIVE", "BEGIN EXCLUSIVE"):
        yield


# Moved away


def files(site: SQLiteSite, pattern: str = "oauth.db*") -> list[Path]:
    return sorted(site.folder.glob(pattern))


@contextmanager
def removed(site: SQLiteSite) -> Iterator[None]:
    """The folder is deleted; afterwards, a copy that was made before is put in its place."""
    with site.sql() as database, closing(sqlite3.connect(f"{site.folder}.copy")) as copy:
        database.backup(copy)
    shutil.rmtree(site.folder)
    yield
    site.folder.mkdir()
    Path(f"{site.folder}.copy").rename(site.path)


@contextmanager
def moved(site: SQLiteSite, pattern: str = "oauth.db*") -> Iterator[None]:
    """Files are moved away, the database first: without a database, nothing uses the rest. Then they are moved back."""
    site.aside.mkdir()
    paths = files(site, pattern)
    for path in paths:
        path.rename(site.aside / path.name)
    yield
    for path in reversed(paths):
        (site.aside / path.name).rename(path)


@contextmanager
def replaced(site: SQLiteSite, make: Callable[[Path], object]) -> Iterator[None]:
    """Something else has the name of the database."""
    with moved(site):
        make(site.path)
        yield
        for path in files(site):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE other (x)")


# Damaged

DAMAGE = """
import os, sqlite3, sys
path, copy, table, begin, end = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
database = sqlite3.connect(path, isolation_level=None)
database.execute("PRAGMA user_version=7")  # so that all other connections read their pages again
assert database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
size = database.execute("PRAGMA page_size").fetchone()[0]
if table:
    begin = size * (database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table]).fetchone()[0] - 1)
    end = begin + size
database.close()
with open(path, "rb+") as file, open(copy, "wb") as whole:
    whole.write(file.read())
    if begin == end:
        file.truncate(end)
    else:
        file.seek(begin)
        file.write(bytes([0xA5]) * ((end if end > 0 else whole.tell()) - begin))
"""
REPAIR = """
import sys
with open(sys.argv[2], "rb") as whole, open(sys.argv[1], "rb+") as file:
    file.write(whole.read())
"""


@contextmanager
def damaged(site: SQLiteSite, table: str = "", begin: int = 0, end: int = 0) -> Iterator[None]:
    """The file is overwritten from ``begin`` to ``end``, or one table is; it is cut there if both are the same."""
    copy = f"{site.folder}.copy"
    site.elsewhere(DAMAGE, copy, table, begin, end)
    yield
    site.elsewhere(REPAIR, copy)


@contextmanager
def garbled(site: SQLiteSite) -> Iterator[None]:
    """A row has a record and verifiers that the store never wrote."""
    with garbled_record(site), site.sql() as database:
        rows = database.execute("SELECT verifiers, number FROM oauth_mw_clients").fetchall()
        database.execute("UPDATE oauth_mw_clients SET verifiers = substr(verifiers, 2)")
        yield
        database.executemany("UPDATE oauth_mw_clients SET verifiers = ? WHERE number = ?", rows)


@contextmanager
def garbled_record(site: SQLiteSite) -> Iterator[None]:
    """The verifiers are intact, by which a worker keeps the client that it has read before."""
    with site.sql() as database:
        database.execute("UPDATE oauth_mw_clients SET record = '{' || record")
    yield
    with site.sql() as database:
        database.execute("UPDATE oauth_mw_clients SET record = substr(record, 2)")


SQLITE = {
    "full": Fault(full, WRITES, at_start=True),
    "no room on the disk": Fault(no_room, WRITES, at_start=True),
    "locked": Fault(lambda site: site.neighbour(SQL, "BEGIN EXCLUSIVE"), WRITES, waits=True, at_start=True),
    "turn of a stopped process": Fault(lambda site: site.neighbour(TURN), WRITES, waits=True, at_start=True),
    "kept by another process": Fault(kept, waits=True, at_start=True),
    "database moved": Fault(partial(moved, pattern="oauth.db")),
    "folder removed": Fault(removed),
    "another database": Fault(partial(replaced, make=other_database)),
    "a text": Fault(partial(replaced, make=lambda path: path.write_text("no database " * 99))),
    "an empty file": Fault(partial(replaced, make=Path.touch)),
    "a folder": Fault(partial(replaced, make=Path.mkdir)),
    "header overwritten": Fault(partial(damaged, begin=0, end=100), at_start=True),
    "pages overwritten": Fault(partial(damaged, begin=4096, end=-1), at_start=True),
    "cut after the first page": Fault(partial(damaged, begin=4096, end=4096)),
    "emptied": Fault(partial(damaged, begin=0, end=0)),
    "tokens overwritten": Fault(
        partial(damaged, table="oauth_mw_tokens"),
        frozenset({"issue", "revoke", "introspect", "first check"}),
        of_jwts=frozenset(),
    ),
    "log overwritten": Fault(
        partial(damaged, table="oauth_mw_revocations"),
        frozenset({"revoke", "first check", "cached check"}),
        of_jwts=frozenset({"revoke", "first check", "cached check", "introspect"}),
    ),
    "clients overwritten": Fault(
        partial(damaged, table="oauth_mw_clients"),
        (WRITES | READS) - {"cached check"},
        of_jwts=WRITES | {"introspect"},
    ),
    "a client's row garbled": Fault(garbled, WRITES | {"introspect"}),
    "a client's record garbled": Fault(garbled_record, {"change"}),
}

SQLITE_WITHOUT_FCNTL = {
    name: SQLITE[name] for name in ("kept by another process", "database moved", "pages overwritten")
}
