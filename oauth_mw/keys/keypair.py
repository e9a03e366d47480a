"""A key and the one algorithm that it is used with (RFC 8725 §3.1).

joserfc reads and writes JWKs. Signing and verifying (RFC 7518 §3.3, §3.4, RFC 8037 §3.1) call cryptography directly:
joserfc looks up the algorithm and the key for each signature, a quarter of the time of a check, and emits a warning at
each use of EdDSA.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from .pkcs8 import encrypted_pem

RSA_BITS = 2048
UNFIT = f"expected a key on P-256 or Ed25519, or RSA with {RSA_BITS} bits or more"

_ECDSA, _PKCS1, _SHA256 = ECDSA(SHA256()), PKCS1v15(), SHA256()


def _sign_es256(key: Any, message: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(message, _ECDSA))
    return r.to_bytes(32) + s.to_bytes(32)


def _verify_es256(key: Any, signature: bytes, message: bytes) -> None:
    if len(signature) != 64:
        raise ValueError("an ES256 signature has 64 bytes")
    numbers = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    key.verify(encode_dss_signature(*numbers), message, _ECDSA)


# By algorithm: sign(private key, message), and verify(public key, signature, message), which raises InvalidSignature or
# ValueError.
_FUNCTIONS: Mapping[str, tuple[Callable[[Any, bytes], bytes], Callable[[Any, bytes, bytes], None]]] = {
    "ES256": (_sign_es256, _verify_es256),
    "EdDSA": (lambda key, message: bytes(key.sign(message)), lambda key, *signed: key.verify(*signed)),
    "RS256": (
        lambda key, message: bytes(key.sign(message, _PKCS1, _SHA256)),
        lambda key, *signed: key.verify(*signed, _PKCS1, _SHA256),
    ),
}
ALGORITHMS = tuple(_FUNCTIONS)

_GENERATE: Mapping[str, Callable[[], object]] = {
    "ES256": lambda: generate_private_key(SECP256R1()),
    "EdDSA": Ed25519PrivateKey.generate,
    "RS256": lambda: generate_rsa_key(65537, RSA_BITS),
}


class Key:
    """A key pair, or its public half. Its id is its thumbprint (RFC 7638).

    :param native: a key of cryptography.
    :raises ValueError: no supported algorithm uses such keys.
    """

    __slots__ = ("_key", "_private", "_public", "_sign", "_verify", "algorithm", "kid")

    def __init__(self, native: Any) -> None:
        self.algorithm, kind = _algorithm_of(native)
        self._key = key = kind.import_key(native)
        self._sign, self._verify = _FUNCTIONS[self.algorithm]
        self._private, self._public = key.private_key if key.is_private else None, key.public_key
        self.kid: str = key.thumbprint()

    def __repr__(self) -> str:
        return f"Key(kid={self.kid!r}, algorithm={self.algorithm!r})"

    @property
    def private(self) -> bool:
        return self._private is not None

    def sign(self, message: bytes) -> bytes:
        if self._private is None:
            raise TypeError("a public key cannot sign")
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

    def pem(self, password: str | None = None) -> str:
        """The private half as PKCS #8.

        :param password: encrypts it, which takes a tenth of a second, as decrypting does.
        """
        encoding = Encoding.PEM if password is None else Encoding.DER
        data: bytes = self._key.private_key.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())
        return data.decode() if password is None else encrypted_pem(data, password)


def make(algorithm: str) -> Key:
    """Generate a key pair."""
    while (key := Key(_GENERATE[algorithm]())).kid.startswith("-"):
        pass  # on a command line, such an id looks like an option
    return key


def from_jwk(text: str) -> Key:
    """Read a public key; ``ValueError`` is raised if it has no supported algorithm."""
    try:
        members = json.loads(text)
        return Key(import_key({name: members[name] for name in members.keys() - {"kid", "use", "alg"}}).raw_value)
    except (AttributeError, JoseError, KeyError, RecursionError, TypeError, ValueError):
        raise ValueError("it is not a public key for a supported algorithm") from None


def from_pem(text: str, password: str | None = None) -> Key:
    """Read a key pair.

    :param password: decrypts the key if it is encrypted.
    :raises ValueError: it cannot be read, or no supported algorithm uses such keys. The text shows nothing of the key.
    """
    try:
        return Key(_load(text, password))
    except UnsupportedAlgorithm:
        raise ValueError(UNFIT) from None


def from_public_pem(text: str) -> Key:
    """Read a public key. It raises ``ValueError`` as :func:`from_pem` does."""
    try:
        native = load_pem_public_key(text.encode())
    except (UnsupportedAlgorithm, ValueError):
        raise ValueError("no PEM of a public key that can be read") from None
    return Key(native)


def _load(text: str, password: str | None) -> object:
    for given in (password.encode(), None) if password else (None,):
        try:
            return load_pem_private_key(text.encode(), given)
        except TypeError:  # a password was given for a key in the clear, or none for an encrypted one
            continue
        except ValueError:
            break
    raise ValueError("no PEM of a private key that can be read " + ("with the password" if password else "as it is"))


def _algorithm_of(native: object) -> tuple[str, Any]:
    """The algorithm for a key of cryptography, and joserfc's class for it.

    :raises ValueError: there is none.
    """
    if isinstance(native, EllipticCurvePrivateKey | EllipticCurvePublicKey) and native.curve.name == SECP256R1.name:
        return "ES256", ECKey
    if isinstance(native, Ed25519PrivateKey | Ed25519PublicKey):
        return "EdDSA", OKPKey
    if isinstance(native, RSAPrivateKey | RSAPublicKey) and native.key_size >= RSA_BITS:
        return "RS256", RSAKey
    raise ValueError(UNFIT)
