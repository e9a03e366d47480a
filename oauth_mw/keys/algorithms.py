"""Signing and verifying (RFC 7518 §3.3, §3.4, RFC 8037 §3.1), by cryptography directly.

joserfc looks up the algorithm and the key for each signature, a quarter of the time of a check, and emits a warning at
each use of EdDSA.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

_ECDSA, _PKCS1, _SHA256 = ECDSA(SHA256()), PKCS1v15(), SHA256()


class Algorithm(NamedTuple):
    """``sign`` takes cryptography's private key and a message.

    ``verify`` takes its public key, a signature and a message, and raises ``InvalidSignature`` or ``ValueError``.
    """

    sign: Callable[[Any, bytes], bytes]
    verify: Callable[[Any, bytes, bytes], None]


def _sign_es256(key: Any, message: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(message, _ECDSA))
    return r.to_bytes(32) + s.to_bytes(32)


def _verify_es256(key: Any, signature: bytes, message: bytes) -> None:
    if len(signature) != 64:
        raise ValueError("an ES256 signature has 64 bytes")
    numbers = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    key.verify(encode_dss_signature(*numbers), message, _ECDSA)


BY_NAME: Mapping[str, Algorithm] = {
    "ES256": Algorithm(_sign_es256, _verify_es256),
    "EdDSA": Algorithm(lambda key, message: bytes(key.sign(message)), lambda key, *signed: key.verify(*signed)),
    "RS256": Algorithm(
        lambda key, message: bytes(key.sign(message, _PKCS1, _SHA256)),
        lambda key, *signed: key.verify(*signed, _PKCS1, _SHA256),
    ),
}
