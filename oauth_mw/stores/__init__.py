"""``open_store``: from a URL to a store."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from ..config import STORE_URLS
from ..errors import ConfigError, StoreUnavailable
from ..model import Clock
from ..protocols import Store
from .restarts import is_replacement
from .versions import Progress

if TYPE_CHECKING:
    from .memory.store import MemoryStore
    from .redis import RedisStore
    from .sql.store import SQLStore

T = TypeVar("T")

_PARTS = re.compile("([a-z0-9+.-]*:/{0,2}|)(.*)", re.DOTALL | re.IGNORECASE)
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:]*)(:\d{1,5})?", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^/?]*:.*@|password=", re.DOTALL | re.IGNORECASE)
_ODD = re.compile(r"[#;=\s]")


def open_store(
    url: str,
    *,
    create: bool = False,
    timeout: float = 5.0,
    clock: Clock = time.time,
    unavailable: Callable[[StoreUnavailable], None] | None = None,
) -> Store:
    """Open the store that ``url`` names.

    :param url: ``sqlite:///file``, ``postgresql+psycopg://user@host/database`` (also
        ``postgresql://`` and ``postgres://``), ``redis://host:port/0`` (also
        ``rediss://``, ``unix://``, ``redis+sentinel://host:port,host:port/service`` and
        ``redis+cluster://host:port,host:port``) or ``memory://``.
    :param create: make the store when it is not there yet.
    :param timeout: seconds that one operation may wait for the store.
    :param clock: the source of time, Unix seconds.
    :param unavailable: called instead of raising when the store does not answer for now. For a worker that takes the
        place of another one, a store that is away or cannot be used is no more than that.
    :raises ConfigError: a URL that cannot work, a missing driver or folder, a store that is not there or is newer than
        this code.
    :raises StoreUnavailable: the store does not answer for now.
    """
    scheme, separator, rest = url.partition("://")
    if scheme not in _OPENERS or not separator:
        raise ConfigError("store", f"expected {STORE_URLS}, got {shown(url)!r}")
    store = _OPENERS[scheme](url, timeout, clock)
    try:
        store.open(create=create)
    except StoreUnavailable as error:
        if unavailable is None:
            raise
        unavailable(error)
    except ConfigError as error:
        if unavailable is None or not is_replacement():
            raise
        unavailable(StoreUnavailable(str(error)))
    return store


def upgrade_store(url: str, *, timeout: float = 5.0, progress: Progress = lambda done, total: None) -> str:
    """Upgrade a store that an older version of this code made. Its workers must have been stopped.

    :param url: as in :func:`open_store`, which has raised :class:`~oauth_mw.errors.StoreOutdated` for it.
    :param timeout: seconds to wait for the store, and for a lock in it; not for the work itself.
    :param progress: called now and then, with how much was done since the last call, and how much there is in all.
    :return: the path of a copy of the store as it was, which is kept of an SQLite database; else empty.
    :raises AdminError: a row is garbled; the text names its table and client, and nothing was changed.
    :raises ConfigError: no store is there, or none that can be upgraded.
    :raises OSError: the copy could not be made; nothing was changed.
    :raises StoreUnavailable: the store does not answer.
    """
    upgrade = _UPGRADES.get(_OPENERS.get(url.partition("://")[0], _memory))
    if upgrade is None:
        raise ConfigError("store", f"{shown(url)!r} names no store that could be upgraded")
    return upgrade(url, timeout, progress)


def _memory(url: str, timeout: float, clock: Clock) -> MemoryStore:
    from .memory.store import MemoryStore

    if url != "memory://":
        raise ConfigError("store", f"memory:// takes nothing after it, got {shown(url)!r}")
    return MemoryStore(clock)


def _sqlite(url: str, timeout: float, clock: Clock) -> SQLStore:
    from .sql.sqlite.engine import SQLiteEngine
    from .sql.store import SQLStore

    return SQLStore(SQLiteEngine(url.removeprefix("sqlite://"), timeout), clock)


def _postgresql(url: str, timeout: float, clock: Clock) -> SQLStore:
    from .sql.postgresql.engine import PostgresEngine
    from .sql.store import SQLStore

    return SQLStore(PostgresEngine(url, timeout), clock)


def _redis(url: str, timeout: float, clock: Clock) -> RedisStore:
    from .redis import RedisStore

    return RedisStore.from_url(url, timeout=timeout, clock=clock)


# Each imports its driver only when it is called.
_OPENERS: Mapping[str, Callable[[str, float, Clock], MemoryStore | SQLStore | RedisStore]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "postgresql+psycopg": _postgresql,
    "postgresql": _postgresql,
    "postgres": _postgresql,
    "redis": _redis,
    "rediss": _redis,
    "unix": _redis,
    "redis+sentinel": _redis,
    "redis+cluster": _redis,
}


def _upgrade_sqlite(url: str, timeout: float, progress: Progress) -> str:
    from .sql.sqlite.engine import SQLiteEngine
    from .sql.upgrade import upgrade

    return upgrade(SQLiteEngine(url.removeprefix("sqlite://"), timeout), progress)


def _upgrade_postgresql(url: str, timeout: float, progress: Progress) -> str:
    from .sql.postgresql.engine import PostgresEngine
    from .sql.upgrade import upgrade

    return upgrade(PostgresEngine(url, timeout), progress)


def _upgrade_redis(url: str, timeout: float, progress: Progress) -> str:
    from .redis.upgrade import upgrade

    upgrade(url, timeout=timeout, progress=progress)
    return ""


# By what opens a store.
_UPGRADES: Mapping[object, Callable[[str, float, Progress], str]] = {
    _sqlite: _upgrade_sqlite,
    _postgresql: _upgrade_postgresql,
    _redis: _upgrade_redis,
}


def in_folder(url: T, folder: str | None) -> T | str:
    """The URL with a relative file made relative to ``folder``; anything else as it is."""
    if isinstance(url, str) and folder and url.startswith("sqlite:///") and not url.startswith("sqlite:///:"):
        return "sqlite:///" + os.path.join(folder, url.removeprefix("sqlite:///"))
    return url


def shown(url: str) -> str:
    """The URL without what may be a password, whether or not it can work; in doubt its scheme alone."""
    scheme, rest = _PARTS.fullmatch(url).groups()  # type: ignore[union-attr]  # anything matches
    place, _, query = rest.partition("?")
    login, _, place = place.rpartition("@")
    hosts, _, path = place.partition("/")
    # A password may hold any character: where one looks for the end of it, it may still go on.
    doubtful = "@" in query or ":" in path or not all(map(_HOST.fullmatch, hosts.split(",")))
    return str(scheme) if doubtful or _ODD.search(login + place) else f"{scheme}{place}"


def has_password(url: str) -> bool:
    """Whether a store URL seems to hold a password."""
    return bool(_PASSWORD.search(url))
