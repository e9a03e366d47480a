"""Client secrets and their digests: how they are generated, stored and compared.

A generated secret has 256 random bits, so one salted SHA-256 protects it as well as a slow hash would, and costs a
request about a microsecond.
"""

from __future__ import annotations

import re
import secrets
import string
from hashlib import sha256
from hmac import compare_digest
from struct import Struct

from .errors import AdminError
from .model import Client, ClientSecret

MIN_SECRET = 16
MAX_SECRET = 1024
MAX_SECRETS = 5  # of one client; each authentication computes as many hashes, for any client id
MAX_REVOKED = 100  # ids that are kept of the revoked secrets of one client, some 15 bytes each
MAX_ID = 255
MAX_PASSWORD = 200

# No form, shell or URL needs these characters escaped.
_ALPHABET = string.ascii_letters + string.digits
_ID_ALPHABET = string.ascii_lowercase + string.digits

_PRINTABLE = re.compile(r"[\x20-\x7e]*")

# A verifier is what a presented secret is compared with: 16 bytes of salt, and the SHA-256 of salt and secret.
# No secret matches a blank one.
SALT_BYTES, DIGEST_BYTES = 16, 32
VERIFIER_BYTES = SALT_BYTES + DIGEST_BYTES
VERIFIERS_BYTES = MAX_SECRETS * VERIFIER_BYTES
_VERIFIER = Struct(f"{SALT_BYTES}s{DIGEST_BYTES}s")

_GUESSABLE = re.compile(
    r"p[a@]ss(w[o0]rd|wd|phrase)?|s[e3]cret|changeme|letmein|trustno1|qwert|asdf|zxcv|1q2w|3e4r|1a2b|3c4d|welcome|admin"
    r"|default|example|super|your|token|oauth|random|rand|openssl|hex|bit|key|dev|test|prod|1234|abcd|0000|19\d\d|20\d\d",
    re.IGNORECASE,
)


def is_printable(text: str) -> bool:
    """True if all characters are %x20-7E, as in identifiers, secrets and state (RFC 6749, Appendix A)."""
    return _PRINTABLE.fullmatch(text) is not None


def new_client_id() -> str:
    """Generate an identifier of 20 lower-case letters and digits."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(20))


def new_secret() -> str:
    """Generate a secret of 43 letters and digits: 256 random bits (RFC 6749 §10.10)."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(43))


def hash_secret(
    secret: str, *, label: str = "", created_at: int = 0, not_after: int | None = None, weak: bool = False
) -> ClientSecret:
    """Return the stored form of a secret: salted and hashed, with an id of its own. Times are Unix seconds."""
    salt = secrets.token_bytes(SALT_BYTES)
    return ClientSecret(
        secrets.token_hex(6), salt, sha256(salt + secret.encode()).digest(), label, created_at, not_after, weak
    )


def verifiers_of(client: Client) -> bytes:
    """The verifiers of all secrets of a client, concatenated."""
    return b"".join([each.salt + each.digest for each in client.secrets])


def matching_verifier(secret: str, verifiers: bytes) -> bytes | None:
    """Return the verifier that ``secret`` matches, if any.

    It computes the same number of hashes however few verifiers there are, and compares in constant time.
    """
    presented = secret.encode()
    found = None
    for salt, digest in _VERIFIER.iter_unpack(verifiers.ljust(VERIFIERS_BYTES, b"\0")):
        if compare_digest(sha256(salt + presented).digest(), digest):
            found = salt + digest
    return found


def live_secret(client: Client, verifier: bytes, now: float) -> ClientSecret | None:
    """Return the secret of ``client`` with this verifier, unless it has expired at ``now`` (Unix seconds)."""
    for each in client.secrets:
        if each.salt + each.digest == verifier and not has_expired(each, now):
            return each
    return None


def has_expired(each: ClientSecret | Client, now: float) -> bool:
    """True if a secret or a client is refused at ``now`` (Unix seconds) because of its ``not_after``."""
    return each.not_after is not None and each.not_after <= now


def check_client_id(client_id: str) -> None:
    """Refuse an identifier that cannot be sent (RFC 6749, Appendix A.1).

    :raises AdminError: empty, too long, or a character outside %x20-7E.
    """
    if not 1 <= len(client_id) <= MAX_ID or not is_printable(client_id):
        raise AdminError(f"a client id has 1 to {MAX_ID} printable ASCII characters")


def check_secret(secret: str, client_id: str, *, allow_weak: bool = False) -> bool:
    """Check an imported secret. Return true if it is weak and ``allow_weak`` accepts it.

    :raises AdminError: it has characters that cannot be sent, or it is weak without ``allow_weak``.
    """
    if not 1 <= len(secret) <= MAX_SECRET or not is_printable(secret):
        raise AdminError(f"a client secret has 1 to {MAX_SECRET} printable ASCII characters (RFC 6749, Appendix A.2)")
    weakness = _weakness(secret, client_id)
    if weakness and not allow_weak:
        raise AdminError(f"the client secret is weak: {weakness} (--allow-weak-secret accepts it)")
    return weakness is not None


def password_fault(password: str) -> str | None:
    """Return why ``password`` is not good enough to encrypt a private key; ``None`` if it is.

    An attacker with the file can guess offline, so this is as strict as for client secrets.
    """
    if len(password) > MAX_PASSWORD:
        return f"it has more than {MAX_PASSWORD} characters"
    if not password.isprintable():
        return "it holds a character that is not printable"
    return _weakness(password)


def _weakness(secret: str, client_id: str = "") -> str | None:
    if len(secret) < MIN_SECRET:
        return f"it has fewer than {MIN_SECRET} characters"
    if len(client_id) >= 4 and client_id.lower() in secret.lower():
        return "it holds the client id"
    if len(set(secret)) < 8:
        return "it has fewer than 8 different characters"
    if any(secret == secret[:size] * (len(secret) // size) for size in range(1, len(secret) // 2 + 1)):
        return "it repeats itself"
    # Without its guessable pieces the secret must still have as many different characters.
    if len(set(_GUESSABLE.sub("", secret))) < MIN_SECRET // 2 or _steps(secret) > len(secret) // 2:
        return "it is made of well-known pieces"
    return None


def _steps(secret: str) -> int:
    """Count the characters that repeat their neighbour or are next to it in the alphabet."""
    return sum(abs(ord(a) - ord(b)) <= 1 for a, b in zip(secret, secret[1:], strict=False))
