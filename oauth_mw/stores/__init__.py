"""``open_store``: from a URL to a store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import ConfigError, StoreUnavailable
from ..model import Clock, Store

KINDS = "memory:// or sqlite:///file"


T = TypeVar("T")


def open_store(
    url: str,
    *,
    create: bool = False,
    timeout: float = 5.0,
    clock: Clock = time.time,
    unavailable: Callable[[StoreUnavailable], None] | None = None,
) -> Store:
    """Open the store that ``url`` names: ``memory://`` or ``sqlite:///file``.

    :param create: make the store when it is not there yet.
    :param timeout: seconds that one operation may wait for the store.
    :param clock: the source of time, Unix seconds.
    :param unavailable: called instead of raising when the store does not answer for now.
    :raises ConfigError: a URL that cannot work, a missing folder, a store that is not there or is newer than this code.
    :raises StoreUnavailable: the store does not answer for now.
    """
    scheme, separator, rest = url.partition("://")
    if scheme == "memory" and separator:
        if rest:
            raise ConfigError("store", f"memory:// takes nothing after it, got {url!r}")
        from .memory import MemoryStore

        return MemoryStore(clock)
    if scheme == "sqlite" and separator:
        from .sql import SQLStore
        from .sqlite import SQLiteEngine

        store = SQLStore(SQLiteEngine(rest, timeout), clock)
        try:
            store.open(create=create)
        except StoreUnavailable as error:
            if unavailable is None:
                raise
            unavailable(error)
        return store
    raise ConfigError("store", f"expected {KINDS}, got {_masked(url)!r}")


def in_folder(url: T, folder: str | None) -> T | str:
    """The URL with a relative file made relative to ``folder``; anything else as it is."""
    if isinstance(url, str) and folder and url.startswith("sqlite:///") and not url.startswith("sqlite:///:"):
        return "sqlite:///" + os.path.join(folder, url.removeprefix("sqlite:///"))
    return url


def _masked(url: str) -> str:
    """The URL without what may be a password."""
    scheme, separator, rest = url.partition("://")
    return scheme + separator + rest.rpartition("@")[2]
