"""A private key encrypted with a password: PKCS #8 (RFC 5958) with PBES2 (RFC 8018), as OpenSSL reads and writes it.

cryptography writes the same, but with 2,048 rounds of PBKDF2, and has no parameter for their number.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import pbkdf2_hmac
from secrets import token_bytes
from textwrap import wrap

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

# About a tenth of a second, for each reading and for each guess of an attacker.
ROUNDS = 600_000

# DER: tags, and constant parts.
_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("300c06082a864886f70d02090500")
_AES256_CBC = bytes.fromhex("060960864801650304012a")
_ROUNDS = bytes([_INTEGER, 3]) + ROUNDS.to_bytes(3)


def encrypted_pem(key: bytes, password: str) -> str:
    """Encrypt a private key, given as PKCS #8 in DER."""
    salt, start = token_bytes(16), token_bytes(16)
    derived = pbkdf2_hmac("sha256", password.encode(), salt, ROUNDS, 32)
    padder, encryptor = PKCS7(128).padder(), Cipher(AES(derived), CBC(start)).encryptor()
    data = encryptor.update(padder.update(key) + padder.finalize()) + encryptor.finalize()
    derivation = _der(_SEQUENCE, _PBKDF2, _der(_SEQUENCE, _der(_OCTETS, salt), _ROUNDS, _HMAC_SHA256))
    cipher = _der(_SEQUENCE, _AES256_CBC, _der(_OCTETS, start))
    scheme = _der(_SEQUENCE, _PBES2, _der(_SEQUENCE, derivation, cipher))
    lines = wrap(b64encode(_der(_SEQUENCE, scheme, _der(_OCTETS, data))).decode(), 64)  # RFC 7468 §2
    return "\n".join(["-----BEGIN ENCRYPTED PRIVATE KEY-----", *lines, "-----END ENCRYPTED PRIVATE KEY-----", ""])


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag]) + (length if size < 0x80 else bytes([0x80 | len(length)]) + length) + content
