"""The signing keys of a configuration. What they are made with is imported only where there is an issuer."""

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
    """Those of the files that are named, else those in the store.

    :raises ConfigError: a file cannot be used.
    """
    if settings.signing_key_files:
        return _file_keys(settings)
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


def judge_keys(settings: Settings) -> None:
    """
    :raises ConfigError: a file cannot be used.
    """
    if settings.signing_key_files:
        _file_keys(settings)


def _file_keys(settings: Settings) -> FileKeys:
    from .files import FileKeys

    return FileKeys(settings.signing_key_files, settings.key_encryption_secret)
