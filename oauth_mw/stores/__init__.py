"""``open_store``: from a URL to a store."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qsl

from ..config import STORE_URLS
from ..errors import ConfigError, StoreMissing, StoreUnavailable
from ..model import Clock, Sizes
from ..protocols import Store
from .restarts import is_replacement
from .sql.sqlite.files import absolute
from .versions import Progress

if TYPE_CHECKING:
    from .sql.engine import SQLEngine

T = TypeVar("T")

_PARTS = re.compile("([a-z0-9+.-]*:/{0,2}|)(.*)", re.DOTALL | re.IGNORECASE)
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:]*)(:\d{1,5})?", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^:/?]*:(.*)@|password=([^&]*)", re.DOTALL | re.IGNORECASE)
_ODD = re.compile(r"[#;=\s]")

_SIZES = Sizes()
_create_none = ContextVar("_create_none", default=False)


@contextmanager
def creating_none() -> Iterator[None]:
    """Inside, :func:`open_store` creates no store: it returns an empty one in memory where it would."""
    before = _create_none.set(True)
    try:
        yield
    finally:
        _create_none.reset(before)


def open_store(
    url: str,
    *,
    create: bool = False,
    timeout: float = 5.0,
    clock: Clock = time.time,
    sizes: Sizes = _SIZES,
    unavailable: Callable[[StoreUnavailable], None] | None = None,
) -> Store:
    """Open the store that ``url`` names.

    :param url: ``sqlite:///file``, ``postgresql+psycopg://user@host/database`` (also ``postgresql://`` and
        ``postgres://``), ``redis://host:port/0`` (also ``rediss://``, ``unix://``,
        ``redis+sentinel://host:port,host:port/service`` and ``redis+cluster://host:port,host:port``) or ``memory://``.
    :param create: create the store if it is missing.
    :param timeout: seconds that one operation may wait for the store.
    :param clock: the source of time, Unix seconds.
    :param sizes: how much it reads at once, and keeps; for tests.
    :param unavailable: called instead of raising :class:`~oauth_mw.errors.StoreUnavailable`. In a worker that replaces
        another one, it is also called for a store that is missing or cannot be used.
    :raises ConfigError: the URL cannot work, its driver or folder is missing, or the store is missing or is newer than
        this code.
    :raises StoreUnavailable: the store does not answer for now.
    """
    scheme, separator, rest = url.partition("://")
    if scheme not in _OPENERS or not separator:
        raise ConfigError("store", f"expected {STORE_URLS}, got {shown(url)!r}")
    store = _OPENERS[scheme](url, timeout, clock, sizes)
    try:
        store.open(create=create and not _create_none.get())
    except StoreUnavailable as error:
        if unavailable is None:
            raise
        unavailable(error)
    except ConfigError as error:
        if create and _create_none.get() and isinstance(error, StoreMissing):
            return _stand_in(store.url, clock)
        if unavailable is None or not is_replacement():
            raise
        unavailable(StoreUnavailable(str(error)))
    return store


def is_redis(url: str) -> bool:
    """True if ``url``, also as a store shows it, is that of a store on Redis."""
    return _OPENERS.get(url.partition("://")[0]) is _redis


def upgrade_store(url: str, *, timeout: float = 5.0, progress: Progress = lambda done, total: None) -> str:
    """Upgrade a store that an older version of this code made. Its workers must have been stopped.

    :param url: as in :func:`open_store`, which has raised :class:`~oauth_mw.errors.StoreOutdated` for it.
    :param timeout: seconds to wait for the store, and for a lock in it; not for the work itself.
    :param progress: see :data:`~.versions.Progress`.
    :return: the path of the copy that is kept of an SQLite database as it was; empty for other stores.
    :raises AdminError: a row is garbled; the text names its table and client, and nothing was changed.
    :raises ConfigError: there is no store, or none that can be upgraded.
    :raises OSError: the copy could not be made; nothing was changed.
    :raises StoreUnavailable: the store does not answer.
    """
    opener = _OPENERS.get(url.partition("://")[0])
    if opener is _sql:
        from .sql import upgrade as sql

        return sql.upgrade(_sql_engine(url, timeout), progress)
    if opener is _redis:
        from .redis import upgrade as redis

        redis.upgrade(url, timeout=timeout, progress=progress)
        return ""
    raise ConfigError("store", f"{shown(url)!r} is not the URL of a store that can be upgraded")


def _memory(url: str, timeout: float, clock: Clock, sizes: Sizes) -> Store:
    from .memory import MemoryStore

    if url != "memory://":
        raise ConfigError("store", f"memory:// takes nothing after it, got {shown(url)!r}")
    return MemoryStore(clock, sizes)


def _stand_in(url: str, clock: Clock) -> Store:
    from .memory import StandInStore

    return StandInStore(clock, url)


def _redis(url: str, timeout: float, clock: Clock, sizes: Sizes) -> Store:
    from .redis import RedisStore

    return RedisStore(url, timeout, clock, sizes)


def _sql(url: str, timeout: float, clock: Clock, sizes: Sizes) -> Store:
    from .sql.store import SQLStore

    return SQLStore(_sql_engine(url, timeout), clock, sizes)


def _sql_engine(url: str, timeout: float) -> SQLEngine:
    if url.startswith("sqlite"):
        from .sql.sqlite.engine import SQLiteEngine

        return SQLiteEngine(url.removeprefix("sqlite://"), timeout)
    from .sql.postgresql.engine import PostgresEngine

    return PostgresEngine(url, timeout)


# Each imports its driver only when it is called.
_OPENERS: Mapping[str, Callable[[str, float, Clock, Sizes], Store]] = {
    "memory": _memory,
    **dict.fromkeys(("sqlite", "postgresql+psycopg", "postgresql", "postgres"), _sql),
    **dict.fromkeys(("redis", "rediss", "unix", "redis+sentinel", "redis+cluster"), _redis),
}


def in_folder(url: T, folder: str | None) -> T | str:
    """Return the URL, with a relative SQLite file taken from ``folder``; return anything else as it is."""
    if isinstance(url, str) and folder and url.startswith("sqlite:///") and not url.startswith("sqlite:///:"):
        return "sqlite:///" + os.path.join(folder, url.removeprefix("sqlite:///"))
    return url


def sqlite_file(url: str) -> str:
    """The absolute path of an SQLite store's file; empty for other stores."""
    return absolute(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else ""


def shown(url: str) -> str:
    """Return the URL, valid or not, without what may be a password; in doubt, return the scheme alone."""
    scheme, rest = _PARTS.fullmatch(url).groups()  # type: ignore[union-attr]  # anything matches
    place, _, query = rest.partition("?")
    login, _, place = place.rpartition("@")
    hosts, _, path = place.partition("/")
    # A password may contain any character, even one that seems to end it.
    doubtful = "@" in query or ":" in path or not all(map(_HOST.fullmatch, hosts.split(",")))
    return str(scheme) if doubtful or _ODD.search(login + place) else f"{scheme}{place}"


def has_password(url: str) -> bool:
    """Whether a store URL seems to hold a password."""
    return bool(passwords(url))


def accepts_any_certificate(url: str) -> bool:
    """Whether a store URL says not to check the server's certificate."""
    return ("ssl_cert_reqs", "none") in parse_qsl(url.partition("?")[2])


def passwords(url: str) -> list[str]:
    """What may be passwords in a store URL, as written there; an empty one counts."""
    return ["".join(found) for found in _PASSWORD.findall(url)]
