"""The signing keys of a configuration. What they are made with is imported only where there is an issuer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .config import Settings
from .keys import lead_seconds
from .model import Clock
from .protocols import Store

if TYPE_CHECKING:
    from .keys.files import FileKeys
    from .keys.ring import KeyRing


def signing_keys(settings: Settings, store: Store, clock: Clock) -> KeyRing | FileKeys:
    """Those of the files that are named, else those in the store.

    :raises ConfigError: a file cannot be used.
    """
    if settings.signing_key_files:
        return _file_keys(settings)
    from .keys.ring import KeyRing

    return KeyRing(
        store.key_store(),
        clock,
        time.monotonic,
        algorithm=settings.signing_algorithm,
        lifetime=settings.signing_key_lifetime,
        lead=lead_seconds(settings.revocation_lag_seconds),
        secret=settings.key_encryption_secret,
    )


def judge_keys(settings: Settings) -> Sequence[str]:
    """What to know about where the keys lie.

    :raises ConfigError: a file cannot be used.
    """
    if not settings.signing_key_files:
        clear = settings.issuer and not settings.key_encryption_secret
        return ["key_encryption_secret: is not set, so private signing keys lie in the store in the clear"] * bool(
            clear
        )
    from .keys.files import readable_by_all

    _file_keys(settings)
    open_to_all = readable_by_all(settings.signing_key_files)
    return [f"signing_key_files: every user of this machine can read {file}" for file in open_to_all]


def _file_keys(settings: Settings) -> FileKeys:
    from .keys.files import FileKeys

    return FileKeys(settings.signing_key_files, settings.key_encryption_secret)
