"""Connections to PostgreSQL: what they are made with, and when they have waited long enough."""

from __future__ import annotations

import math
import select
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.dialects.postgresql.psycopg import dialect as _dialect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from ..errors import ConfigError

try:
    import psycopg
    from psycopg.conninfo import make_conninfo
    from psycopg.pq import TransactionStatus
except ImportError:
    raise ConfigError("store", "postgresql+psycopg:// needs psycopg: pip install 'oauth_mw[postgres]'") from None

dialect: Any = _dialect  # SQLAlchemy has left it untyped

_EXPECTED = "expected postgresql+psycopg://user@host/database"
_KEPT_ALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_SECRET = ("password", "sslpassword")


class Driver(psycopg.Connection[Any]):
    """A connection whose every wait ends at ``deadline``, of the monotonic clock."""

    deadline = math.inf
    durable = "on"  # what a transaction sets synchronous_commit to
    warned = False

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        return super().wait(gen, interval, max(self.deadline - time.monotonic(), 0.001))

    def note(self, notice: psycopg.errors.Diagnostic) -> None:
        self.warned = self.warned or notice.severity_nonlocalized == "WARNING"


@dataclass(frozen=True, slots=True)
class Link:
    """A connection: SQLAlchemy's, and the driver's under it for the hot statements."""

    core: Connection
    driver: Driver

    def is_stale(self) -> bool:
        if self.driver.closed:
            return True
        # Nobody asked anything, so what can be read is the end, or a notice that is not worth telling from it.
        watch = select.poll()
        watch.register(self.driver.fileno(), select.POLLIN)
        return bool(watch.poll(0))

    def is_idle(self) -> bool:
        return self.driver.pgconn.transaction_status == TransactionStatus.IDLE

    def close(self) -> None:
        self.core.invalidate()
        self.core.close()


def words(error: BaseException) -> str:
    """PostgreSQL's first line: the others, and SQLAlchemy's, would hold the statement and its parameters."""
    said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
    return "PostgreSQL: " + (said.splitlines()[0] if said else type(error).__name__)


def parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError("store", _EXPECTED) from None


def shown(url: URL) -> str:
    return url.difference_update_query(_SECRET).render_as_string()


def arguments(url: URL, timeout: float) -> dict[str, Any]:
    """What the driver connects with.

    :raises ConfigError: it would refuse them.
    """
    try:
        _, given = dialect().create_connect_args(url)
        make_conninfo(**given)
    except (ArgumentError, ValueError):
        raise ConfigError("store", f"{_EXPECTED}, several hosts as ?host=one:5432&host=two:5432") from None
    except psycopg.Error as error:
        raise ConfigError("store", f"{shown(url)}: {str(error).strip()}") from None
    hosts = str(given.get("host", "")).count(",") + 1
    bounds = {**_KEPT_ALIVE, "tcp_user_timeout": int(timeout * 1000), "connect_timeout": math.ceil(timeout / hosts)}
    return {**bounds, **given}


def make_engine(arguments: dict[str, Any], timeout: float) -> Engine:
    """Connections as the store needs them; nobody but :class:`Link` keeps them."""
    milliseconds = max(int(timeout * 1000), 1)
    settings = (
        f"SET statement_timeout TO {milliseconds}; "
        # A process that is stopped within a transaction must not keep all others from theirs.
        f"SET idle_in_transaction_session_timeout TO {milliseconds}; "
        # An issued token may be lost with the power; what may not is written in a transaction.
        "SET synchronous_commit TO off"
    )

    def connect() -> Driver:
        driver = Driver.connect(**arguments, autocommit=True)
        try:
            driver.deadline = time.monotonic() + timeout
            driver.add_notice_handler(driver.note)
            row = driver.execute("SELECT current_setting('synchronous_commit')").fetchone()
            driver.durable = row[0] if row and row[0] != "off" else "on"
            driver.execute(settings)
        except BaseException:
            driver.close()
            raise
        return driver

    return create_engine(
        "postgresql+psycopg://",
        creator=connect,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        use_native_hstore=False,
    )
