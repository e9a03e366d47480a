"""A token endpoint written by hand that signs. In a file of its own: cryptography would weigh on every worker."""

from __future__ import annotations

import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from typing import Any

from by_hand import TokenEndpoint
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from oauth_mw.keys.keypair import Key


class SigningEndpoint(TokenEndpoint):
    """Instead of an insert: claims, a signature."""

    def __init__(self, database: str, client_id: str, secret: str, scope: str, issuer: str, key: Key) -> None:
        super().__init__(database, client_id, secret, scope)
        self._issuer = issuer
        self._sign, _ = raw(key)
        self._header = encoded({"typ": "at+jwt", "alg": key.algorithm, "kid": key.kid}) + b"."

    def issued(self, client_id: str, scope: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "sub": client_id,
            "aud": self._issuer,
            "client_id": client_id,
            "iat": now,
            "exp": now + 3600,
            "jti": secrets.token_urlsafe(16),
            "scope": scope,
        }
        message = self._header + encoded(claims)
        return (message + b"." + urlsafe_b64encode(self._sign(message)).rstrip(b"=")).decode()


def encoded(members: dict[str, object]) -> bytes:
    return urlsafe_b64encode(json.dumps(members, separators=(",", ":")).encode()).rstrip(b"=")


def raw(key: Key) -> tuple[Callable[[bytes], bytes], Callable[[bytes, bytes], object]]:
    """What cryptography itself needs to sign a message, and to check its signature or raise ``InvalidSignature``."""
    native: Any = load_pem_private_key(key.pem().encode(), None)
    public: Any = native.public_key()
    if key.algorithm == "EdDSA":
        return native.sign, public.verify
    if key.algorithm == "RS256":
        how = {"padding": PKCS1v15(), "algorithm": SHA256()}
        return partial(native.sign, **how), partial(public.verify, **how)
    ecdsa = ECDSA(SHA256())

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(native.sign(message, ecdsa))
        return r.to_bytes(32) + s.to_bytes(32)

    def verify(signature: bytes, message: bytes) -> None:
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        public.verify(encode_dss_signature(r, s), message, ecdsa)

    return sign, verify
