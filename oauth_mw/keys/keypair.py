"""A key and the one algorithm that it is used with (RFC 8725 §3.1); joserfc reads and writes keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from .algorithms import BY_NAME
from .pkcs8 import encrypted_pem

RSA_BITS = 2048
P_256 = "secp256r1"  # as cryptography calls it
UNFIT = f"expected a key on P-256 or Ed25519, or RSA with {RSA_BITS} bits or more"

ALGORITHMS = tuple(BY_NAME)

_KINDS: Mapping[type, Any] = {
    EllipticCurvePrivateKey: ECKey,
    EllipticCurvePublicKey: ECKey,
    Ed25519PrivateKey: OKPKey,
    Ed25519PublicKey: OKPKey,
    RSAPrivateKey: RSAKey,
    RSAPublicKey: RSAKey,
}


class Key:
    """A key pair, or its public half. Its id is its thumbprint (RFC 7638)."""

    __slots__ = ("_key", "_private", "_public", "_sign", "_verify", "algorithm", "kid")

    def __init__(self, key: ECKey | OKPKey | RSAKey) -> None:
        """
        :raises ValueError: no algorithm of ours is for keys of this kind.
        """
        self._key: Any = key
        self.algorithm = _algorithm_of(key)
        self._sign, self._verify = BY_NAME[self.algorithm]
        self._private, self._public = key.private_key if key.is_private else None, key.public_key
        self.kid = key.thumbprint()

    def __repr__(self) -> str:
        return f"Key(kid={self.kid!r}, algorithm={self.algorithm!r})"

    @property
    def private(self) -> bool:
        return bool(self._key.is_private)

    def sign(self, message: bytes) -> bytes:
        """
        :raises TypeError: it is a public half.
        """
        if self._private is None:
            raise TypeError("a public key signs nothing")
        return self._sign(self._private, message)

    def verify(self, message: bytes, signature: bytes) -> bool:
        try:
            self._verify(self._public, signature, message)
            return True
        except (InvalidSignature, ValueError):
            return False

    def jwk(self) -> dict[str, str]:
        """The public half, as a member of a key set (RFC 7517 §4)."""
        members = self._key.as_dict(private=False)
        return {**members, "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def jwk_text(self) -> str:
        return json.dumps(self.jwk())

    def pem(self, password: str | None = None) -> str:
        """The private half as PKCS #8.

        :param password: what it is encrypted with, which takes a tenth of a second, as reading it does.
        """
        encoding = Encoding.PEM if password is None else Encoding.DER
        data: bytes = self._key.private_key.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())
        return data.decode() if password is None else encrypted_pem(data, password)


def make(algorithm: str) -> Key:
    """A new key pair."""
    key = _made(algorithm)
    # On a command line such an id looks like an option.
    return make(algorithm) if key.kid.startswith("-") else key


def _made(algorithm: str) -> Key:
    if algorithm == "ES256":
        return Key(ECKey.generate_key("P-256", private=True))
    if algorithm == "EdDSA":
        return Key(OKPKey.generate_key("Ed25519", private=True))
    return Key(RSAKey.generate_key(RSA_BITS, private=True))


def from_jwk(text: str) -> Key:
    """
    :raises ValueError: it is no public key for an algorithm of ours.
    """
    try:
        members = json.loads(text)
        return Key(import_key({name: members[name] for name in members.keys() - {"kid", "use", "alg"}}))  # type: ignore[arg-type]  # any kind, judged by Key
    except (AttributeError, JoseError, KeyError, RecursionError, TypeError, ValueError):
        raise ValueError("no public key that can be used") from None


def from_pem(text: str, password: str | None = None) -> Key:
    """
    :param password: what the key is encrypted with, if it is.
    :raises ValueError: it cannot be read with that, or is for no algorithm of ours. The text says nothing of the key.
    """
    try:
        return _key_of(_loaded(text, password))
    except UnsupportedAlgorithm:
        raise ValueError(UNFIT) from None


def from_public_pem(text: str) -> Key:
    """
    :raises ValueError: as :func:`from_pem`.
    """
    try:
        found = load_pem_public_key(text.encode())
    except (UnsupportedAlgorithm, ValueError):
        raise ValueError("no PEM of a public key that can be read") from None
    return _key_of(found)


def _loaded(text: str, password: str | None) -> object:
    for given in (password.encode(), None) if password else (None,):
        try:
            return load_pem_private_key(text.encode(), given)
        except TypeError:  # it is not encrypted, or it is and nothing was given
            continue
        except ValueError:
            break
    raise ValueError("no PEM of a private key that can be read " + ("with the password" if password else "as it is"))


def _key_of(native: object) -> Key:
    short = isinstance(native, RSAPrivateKey | RSAPublicKey) and native.key_size < RSA_BITS
    curve = native.curve.name if isinstance(native, EllipticCurvePrivateKey | EllipticCurvePublicKey) else P_256
    for kind, ours in _KINDS.items():
        if isinstance(native, kind) and not short and curve == P_256:
            return Key(ours.import_key(native))
    raise ValueError(UNFIT)


def _algorithm_of(key: ECKey | OKPKey | RSAKey) -> str:
    if isinstance(key, ECKey) and key.curve_name == "P-256":
        return "ES256"
    if isinstance(key, OKPKey) and key.curve_name == "Ed25519":
        return "EdDSA"
    if isinstance(key, RSAKey) and key.public_key.key_size >= RSA_BITS:
        return "RS256"
    raise ValueError(UNFIT)
