"""What the SQL store needs of an engine: all that differs between SQLite and PostgreSQL."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Engine, create_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.sql import ClauseElement

from ...protocols import Waiter
from .statements import Upsert


def _is_no_row(record: logging.LogRecord) -> bool:
    """At DEBUG, SQLAlchemy logs each row that it reads. Ours hold hashes of secrets, and private keys."""
    return record.levelno > logging.DEBUG


def make_engine(url: str, creator: Callable[[], Any], **options: Any) -> Engine:
    """An engine in autocommit whose log holds no values, at whatever level.

    :param url: names the driver.
    :param creator: opens a connection of the driver.
    :param options: SQLAlchemy's; without a ``poolclass`` it pools nothing.
    """
    engine = create_engine(
        url,
        creator=creator,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        logging_name="oauth_mw",  # a logger of its own, so that the app's engines log as before
        **{"poolclass": NullPool, **options},
    )
    assert isinstance(engine.logger, logging.Logger)
    engine.logger.addFilter(_is_no_row)
    return engine


class SQLLink(Protocol):
    """A connection: SQLAlchemy's, and the driver's under it for the hot statements."""

    @property
    def core(self) -> Connection: ...

    @property
    def driver(self) -> Any: ...


class SQLEngine(Protocol):
    """Connections to one database. Calls, and what is done in a ``with``, raise its errors as ``StoreUnavailable``."""

    url: str  # for messages: without a password
    check: Callable[[Connection], None]
    generation: Callable[[], object]
    generation_shows_all: bool
    upsert: Upsert  # that of its dialect alone: importing another one takes as long as all our modules
    locks_rows: bool  # several connections may write at once, so each must lock the rows that it will delete

    @property
    def microseconds(self) -> ColumnElement[int] | None:
        """The engine's clock, if it has one."""

    @property
    def store_id(self) -> ColumnElement[str]:
        """The id by which followers know the store. NULL after the engine may have lost tokens in a crash."""

    def renew(self) -> None:
        """Give the store a new id for its followers, if it is NULL."""

    def recheck(self) -> None:
        """Check the store as at the first contact: it has another id than before.

        :raises StoreUnavailable: what is there now cannot be used.
        """

    def compiled(self, statement: ClauseElement) -> str: ...

    def open(self, create: Callable[[Connection], None] | None) -> None: ...

    def has_table(self, connection: Connection, name: str) -> bool:
        """Whether the table is there.

        :raises ConfigError: what has this name is not the store's.
        """

    def verify(self) -> None: ...

    def on_revocation(self, callback: Callable[[], None]) -> None: ...

    def waiter(self) -> Waiter | None: ...

    def warnings(self) -> Sequence[str]: ...

    def close(self) -> None: ...

    def swept(self, rows: int) -> None:
        """Called after a sweep has removed ``rows`` rows and holds no lock any more."""

    def read_row(self, statement: str, values: Sequence[object]) -> Any:
        """The first row of a compiled statement that only reads, or ``None``. It costs less than :meth:`reading`."""

    def write_row(self, statement: str, values: Sequence[object]) -> None:
        """Execute a compiled statement that writes, in a transaction of its own. It costs less than :meth:`writing`."""

    def reading(self) -> AbstractContextManager[SQLLink]: ...

    def writing(self) -> AbstractContextManager[SQLLink]: ...

    def batch(self) -> AbstractContextManager[SQLLink]:
        """A transaction of several statements. It excludes no others, and a power failure may lose it."""

    def transaction(self, *, revokes: bool = False, upgrades: bool = False) -> AbstractContextManager[Connection]:
        """A transaction that excludes all others and survives power loss. With ``revokes``, followers are woken.

        :param upgrades: the schema is about to change.
        """

    def begin_upgrade(self, connection: Connection) -> str:
        """Prepare for an upgrade, within its transaction; the path of a copy that was kept, empty for none.

        :raises ConfigError: this user or role may not do it.
        :raises OSError: the copy could not be made.
        """

    def hand_on(self, connection: Connection, table: str, heir: str) -> None:
        """Grant roles the same rights to a new table, and to its columns and sequence, as they have to an old one."""


def by_driver(connection: Connection, statement: str, *values: object) -> Any:
    """Execute a compiled statement over the driver's connection, and return the cursor.

    All records are written and read by it, because they contain private keys and hashes of secrets: a tracing library
    that watches SQLAlchemy is passed the parameters of SQLAlchemy's own statements.
    """
    cursor = connection.connection.cursor()
    cursor.execute(statement, values)
    return cursor
