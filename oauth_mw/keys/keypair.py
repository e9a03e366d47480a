"""A key, the one algorithm that it is used with (RFC 8725 §3.1), and how it is written.

joserfc reads and writes JWKs. Signing and verifying (RFC 7518 §3.3, §3.4, RFC 8037 §3.1) call cryptography directly:
joserfc looks up the algorithm and the key for each signature, a quarter of the time of a check, and emits a warning at
each use of EdDSA.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from hashlib import pbkdf2_hmac
from secrets import token_bytes
from textwrap import wrap
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

RSA_BITS = 2048
UNFIT = f"expected a key on P-256 or Ed25519, or RSA with {RSA_BITS} bits or more"
# Rounds of PBKDF2: about a tenth of a second, for each reading and for each guess of an attacker.
ROUNDS = 600_000

_ECDSA, _PKCS1, _SHA256 = ec.ECDSA(SHA256()), PKCS1v15(), SHA256()


def _sign_es256(key: Any, message: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(message, _ECDSA))
    return r.to_bytes(32) + s.to_bytes(32)


def _verify_es256(key: Any, signature: bytes, message: bytes) -> None:
    if len(signature) != 64:
        raise ValueError("an ES256 signature has 64 bytes")
    numbers = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    key.verify(encode_dss_signature(*numbers), message, _ECDSA)


class _Algorithm(NamedTuple):
    """``verify`` takes a public key, a signature and the message, and raises ``InvalidSignature`` or ``ValueError``.

    ``jwk`` is joserfc's class of such keys.
    """

    jwk: Any
    generate: Callable[[], object]
    sign: Callable[[Any, bytes], bytes]
    verify: Callable[[Any, bytes, bytes], None]


_BY_NAME = {
    "ES256": _Algorithm(ECKey, lambda: ec.generate_private_key(ec.SECP256R1()), _sign_es256, _verify_es256),
    "EdDSA": _Algorithm(
        OKPKey,
        ed25519.Ed25519PrivateKey.generate,
        lambda key, message: bytes(key.sign(message)),
        lambda key, *signed: key.verify(*signed),
    ),
    "RS256": _Algorithm(
        RSAKey,
        lambda: rsa.generate_private_key(65537, RSA_BITS),
        lambda key, message: bytes(key.sign(message, _PKCS1, _SHA256)),
        lambda key, *signed: key.verify(*signed, _PKCS1, _SHA256),
    ),
}
ALGORITHMS = tuple(_BY_NAME)


class Key:
    """A key pair, or its public key alone. Its id is its thumbprint (RFC 7638).

    :param native: a key of cryptography.
    :raises ValueError: no supported algorithm uses such keys.
    """

    __slots__ = ("_key", "_private", "_public", "_sign", "_verify", "algorithm", "kid")

    def __init__(self, native: Any) -> None:
        self.algorithm = _algorithm_of(native)
        kind, _, self._sign, self._verify = _BY_NAME[self.algorithm]
        self._key = key = kind.import_key(native)
        self._private, self._public = key.private_key if key.is_private else None, key.public_key
        self.kid: str = key.thumbprint()

    def sign(self, message: bytes) -> bytes:
        return self._sign(self._private, message)

    def verify(self, message: bytes, signature: bytes) -> bool:
        try:
            self._verify(self._public, signature, message)
            return True
        except (InvalidSignature, ValueError):
            return False

    def jwk(self) -> dict[str, str]:
        """The public key, as a member of a key set (RFC 7517 §4)."""
        members = self._key.as_dict(private=False)
        return {**members, "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def pem(self, password: str | None = None) -> str:
        """The private key as PKCS #8.

        :param password: encrypts it, which takes a tenth of a second, as decrypting does.
        """
        encoding = Encoding.PEM if password is None else Encoding.DER
        data: bytes = self._key.private_key.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())
        return data.decode() if password is None else _encrypted_pem(data, password)


def make(algorithm: str) -> Key:
    while (key := Key(_BY_NAME[algorithm].generate())).kid.startswith("-"):
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
    """Read a key pair; the password decrypts it if it is encrypted.

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
        raise ValueError("it is not a PEM of a public key that can be read") from None
    return Key(native)


def _load(text: str, password: str | None) -> object:
    for given in (password.encode(), None) if password else (None,):
        try:
            return load_pem_private_key(text.encode(), given)
        except TypeError:  # a password was given for an unencrypted key, or none for an encrypted one
            continue
        except ValueError:
            break
    raise ValueError(
        f"it is not a PEM of a private key that can be read {'with the' if password else 'without a'} password"
    )


def _algorithm_of(native: object) -> str:
    if isinstance(native, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        if native.curve.name == ec.SECP256R1.name:
            return "ES256"
    elif isinstance(native, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey):
        return "EdDSA"
    elif isinstance(native, rsa.RSAPrivateKey | rsa.RSAPublicKey) and native.key_size >= RSA_BITS:
        return "RS256"
    raise ValueError(UNFIT)


# A private key encrypted with a password: PKCS #8 (RFC 5958) with PBES2 (RFC 8018), as OpenSSL reads and writes it.
# cryptography writes the same, but with 2,048 rounds of PBKDF2, and has no parameter for their number.

# DER: tags, and constant parts.
_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("300c06082a864886f70d02090500")
_AES256_CBC = bytes.fromhex("060960864801650304012a")


def _encrypted_pem(key: bytes, password: str) -> str:
    """Encrypt a private key, given as PKCS #8 in DER."""
    salt, start = token_bytes(16), token_bytes(16)
    derived = pbkdf2_hmac("sha256", password.encode(), salt, ROUNDS, 32)
    padder, encryptor = PKCS7(128).padder(), Cipher(AES(derived), CBC(start)).encryptor()
    data = encryptor.update(padder.update(key) + padder.finalize()) + encryptor.finalize()
    rounds = _der(_INTEGER, ROUNDS.to_bytes(3))
    derivation = _der(_SEQUENCE, _PBKDF2, _der(_SEQUENCE, _der(_OCTETS, salt), rounds, _HMAC_SHA256))
    cipher = _der(_SEQUENCE, _AES256_CBC, _der(_OCTETS, start))
    scheme = _der(_SEQUENCE, _PBES2, _der(_SEQUENCE, derivation, cipher))
    lines = wrap(b64encode(_der(_SEQUENCE, scheme, _der(_OCTETS, data))).decode(), 64)  # RFC 7468 §2
    return "\n".join(["-----BEGIN ENCRYPTED PRIVATE KEY-----", *lines, "-----END ENCRYPTED PRIVATE KEY-----", ""])


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag]) + (length if size < 0x80 else bytes([0x80 | len(length)]) + length) + content
