"""Where the signing keys of a configuration come from. Without an issuer, no library for keys is imported."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..config import Settings
from ..model import Clock
from ..protocols import Store
from . import lead_seconds

if TYPE_CHECKING:
    from .files import FileKeys
    from .ring import KeyRing


def signing_keys(settings: Settings, store: Store, clock: Clock) -> KeyRing | FileKeys:
    """The keys of ``signing_key_files`` if it is set, else those in the store.

    :raises ConfigError: a file cannot be used.
    """
    if files := file_keys(settings):
        return files
    from .ring import KeyRing

    return KeyRing(
        store,
        clock,
        time.monotonic,
        algorithm=settings.signing_algorithm,
        lifetime=settings.signing_key_lifetime,
        lead=lead_seconds(settings.revocation_lag_seconds),
        secret=settings.key_encryption_secret,
    )


def file_keys(settings: Settings) -> FileKeys | None:
    """The keys of ``signing_key_files``; ``ConfigError`` is raised if a file cannot be used."""
    if not settings.signing_key_files:
        return None
    from .files import FileKeys

    return FileKeys(settings.signing_key_files, settings.key_encryption_secret)
