"""How a private key signs (RFC 7518 §3.3, §3.4, RFC 8037 §3.1).

Each issue signs: here nothing is looked up or made anew for it, as joserfc does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

Signer = Callable[[bytes], bytes]

_ECDSA, _PKCS1, _SHA256 = ECDSA(SHA256()), PKCS1v15(), SHA256()


def _es256(native: Any) -> Signer:
    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(native.sign(message, _ECDSA))
        return r.to_bytes(32) + s.to_bytes(32)

    return sign


def _eddsa(native: Any) -> Signer:
    sign: Signer = native.sign
    return sign


def _rs256(native: Any) -> Signer:
    return lambda message: bytes(native.sign(message, _PKCS1, _SHA256))


# By algorithm, of cryptography's private key.
SIGNERS: Mapping[str, Callable[[Any], Signer]] = {"ES256": _es256, "EdDSA": _eddsa, "RS256": _rs256}
