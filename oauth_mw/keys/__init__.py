"""Signing keys: one of them signs, all published ones verify (RFC 7517).

Without an issuer, no library for keys is imported.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..config import Settings
from ..errors import ConfigError
from ..model import Clock
from ..protocols import KeyStore

if TYPE_CHECKING:
    from .files import FileKeys
    from .ring import KeyRing

# Seconds for which other services may cache the key set.
JWKS_MAX_AGE = 300
# Seconds for which a worker uses the keys without reading them again.
REFRESH_SECONDS = 1.0
MAX_PEM_BYTES = 65_536  # every PEM of a key is shorter
CORRUPT_KEY = "a signing key's record in the store is corrupt: restore the store from a backup"


def lead_seconds(lag: float) -> int:
    """How long a key is published before it signs: until no service and no worker uses a key set without it."""
    return JWKS_MAX_AGE + math.ceil(REFRESH_SECONDS + lag)


def check_installed() -> None:
    """Raise ``ConfigError`` if joserfc, which reads and writes keys, is not installed."""
    try:
        import joserfc  # noqa: F401
    except ImportError:
        raise ConfigError("signing_algorithm", "signing keys need joserfc: pip install 'oauth_mw[jwt]'") from None


def signing_keys(settings: Settings, store: KeyStore, clock: Clock, made: Callable[[str], None]) -> KeyRing | FileKeys:
    """The keys of ``signing_key_files`` if it is set, else those in the store.

    :param made: called with the id of each key that this worker has made.
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
        made=made,
    )


def file_keys(settings: Settings) -> FileKeys | None:
    """The keys of ``signing_key_files``; ``ConfigError`` is raised if a file cannot be used."""
    if not settings.signing_key_files:
        return None
    from .files import FileKeys

    return FileKeys(settings.signing_key_files, settings.key_encryption_secret)
