"""Signing keys: one of them signs, all published ones verify (RFC 7517)."""

from __future__ import annotations

import math

from ..errors import ConfigError

# Seconds for which other services may cache the key set.
JWKS_MAX_AGE = 300
# Seconds for which a worker uses the keys without reading them again.
REFRESH_SECONDS = 1.0
MAX_PEM_BYTES = 65_536  # every PEM of a key is shorter
CORRUPT_KEY = "a signing key's record in the store is corrupt: restore the store from a backup"


def lead_seconds(lag: float) -> int:
    """How long a key is published before it signs: until no service and no worker uses a key set without it.

    :param lag: ``revocation_lag_seconds``.
    """
    return JWKS_MAX_AGE + math.ceil(REFRESH_SECONDS + lag)


def check_installed() -> None:
    """Raise ``ConfigError`` if joserfc, which reads and writes keys, is not installed."""
    try:
        import joserfc  # noqa: F401
    except ImportError:
        raise ConfigError("signing_algorithm", "signing keys need joserfc: pip install 'oauth_mw[jwt]'") from None
