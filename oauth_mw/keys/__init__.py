"""Signing keys: one of them signs, all that are listed verify (RFC 7517)."""

from __future__ import annotations

import math

from ..errors import ConfigError

# For how long others may keep the key set.
JWKS_MAX_AGE = 300
LOOK_SECONDS = 1.0
CORRUPT = "a signing key's record is garbled"


def lead_seconds(lag: float) -> int:
    """For how long a key is published before it signs: until nobody goes by a key set without it any more.

    :param lag: ``revocation_lag_seconds``.
    """
    return JWKS_MAX_AGE + math.ceil(LOOK_SECONDS + lag)


def check_installed() -> None:
    """
    :raises ConfigError: what makes and reads keys is not there.
    """
    try:
        import joserfc  # noqa: F401  # to see whether it is there, and works
    except ImportError:
        raise ConfigError("signing_algorithm", "signing keys need joserfc: pip install 'oauth_mw[jwt]'") from None
