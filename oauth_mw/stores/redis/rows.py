"""Between what lies in Redis and the nouns. Positions are decimals of 19 digits: as text they sort as numbers do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from ...credentials import DIGEST_BYTES, MAX_SECRETS, SALT_BYTES, VERIFIER_BYTES
from ...errors import StoreUnavailable
from ...model import EMPTY, Client, ClientSecret, Ended, KeyRecord, TokenRecord, Value

POSITION_DIGITS = 19

T = TypeVar("T")
Pairs = dict[str, tuple[Value, bool]]

# How a token's row ends where it has no attributes, is not revoked and is for nobody in particular.
_LEFT_OUT: list[Any] = [{}, False, []]


class Keys:
    """The names of a store's keys. All but the tokens' lie in one slot of a cluster, by the tag in braces."""

    def __init__(self, prefix: str) -> None:
        tag = "{" + prefix + "}"
        self.prefix = prefix
        self.tag = tag
        self.store = f"{tag}:store"
        self.log = f"{tag}:log"
        self.due = f"{tag}:due"
        self.revoked = f"{tag}:revoked"
        self.clients = f"{tag}:clients"
        self.signing = f"{tag}:signing"
        self.any_alone = f"{tag}:alone:"
        self.any_client = f"{tag}:client:"
        self.any_token = f"{prefix}:t:"

    def client(self, client_id: str) -> str:
        return self.any_client + client_id

    def alone(self, client_id: str) -> str:
        return self.any_alone + client_id

    def token(self, key: bytes) -> str:
        return self.any_token + key.hex()


def read(reader: Callable[..., T], *found: Any) -> T:
    """
    :raises StoreUnavailable: it is nothing of ours.
    """
    try:
        return reader(*found)
    except (ValueError, TypeError):
        raise StoreUnavailable("a record in Redis cannot be read") from None


def position_text(position: int) -> str:
    return f"{max(position, 0):0{POSITION_DIGITS}d}"


def token_text(token: TokenRecord) -> str:
    row: list[object] = [token.client_id, token.scope, token.issued_at, token.position]
    more = [_pairs(token.attributes, token.public_attributes), token.revoked, token.audience]
    while more and not more[-1]:
        del more[-1]
    return _dump([*row, *more])


def token_from(text: bytes, ended: bytes | None, revoked: int) -> TokenRecord:
    """
    :param ended: the position of the last event that ended all tokens of its client; ``None``: no such client.
    :param revoked: not 0 when the token was ended by itself.
    :raises ValueError: it is no row of ours.
    """
    client_id, scope, issued_at, position, *more = json.loads(text)
    if not (isinstance(client_id, str) and isinstance(scope, str) and isinstance(position, int)):
        raise ValueError("no row of a token")
    pairs, marked, audience = more + _LEFT_OUT[len(more) :]
    attributes, public = _read_pairs(pairs)
    dead = bool(revoked or marked) or ended is None or position < int(ended)
    return TokenRecord(client_id, scope, issued_at, position, attributes, public, tuple(audience), dead)


def ended_from(name: bytes, value: bytes) -> Ended:
    """
    :param name: a token's key, or a client's id behind an expiry of 0.
    :raises ValueError: it is nothing of ours.
    """
    if not any(name[:4]):
        return Ended(int(value), name[4:].decode())
    position, alone, client_id = value.partition(b"a")
    return Ended(int(position), client_id.decode(), name, bool(alone))


def key_text(key: KeyRecord) -> str:
    return _dump([key.signs_from, key.needed_until, key.algorithm, key.public, key.private, key.created_at])


def key_from(kid: bytes, text: bytes) -> KeyRecord:
    """
    :raises ValueError: it is no record of ours.
    """
    signs_from, needed_until, algorithm, public, private, created_at = json.loads(text)
    record = KeyRecord(kid.decode(), algorithm, public, private, created_at, signs_from, needed_until)
    if not record.is_whole():
        raise ValueError("no record of a key")
    return record


def client_text(client: Client) -> str:
    """All that an update may change, but ``enabled``, and when the client was made."""
    return _dump(
        [
            client.name,
            client.scopes,
            client.default_scope,
            client.lifetime,
            client.token_format,
            client.audiences,
            client.default_audience,
            _pairs(client.attributes, client.public_attributes),
            client.resource_server,
            client.created_at,
        ]
    )


def client_from(client_id: str, fields: Sequence[bytes | None]) -> Client | None:
    """A client from the fields :data:`CLIENT_FIELDS`; ``None`` when it is deleted or never was.

    :raises ValueError: it is no record of ours.
    """
    text, enabled, secrets, ended = fields
    if not text:
        return None
    name, scopes, default_scope, lifetime, token_format, audiences, default_audience, *more = json.loads(text)
    pairs, resource_server, created_at = more
    attributes, public = _read_pairs(pairs)
    return Client(
        client_id,
        name,
        tuple(scopes),
        None if default_scope is None else tuple(default_scope),
        lifetime,
        token_format,
        tuple(audiences),
        None if default_audience is None else tuple(default_audience),
        attributes,
        public,
        resource_server,
        enabled == b"1",
        created_at,
        tuple([_secret_from(line) for line in secrets.split(b"\n")]) if secrets else (),
        int(ended or b""),
    )


CLIENT_FIELDS = ("record", "enabled", "secrets", "ended")


def secret_line(secret: ClientSecret) -> str:
    secret_id, salt, digest, *more = secret
    return _dump([secret_id, salt.hex(), digest.hex(), *more])


BLANK_LINE = '["000000000000","{}","{}","",0,null,false]'.format("00" * SALT_BYTES, "00" * DIGEST_BYTES)


def verifiers_from(lines: bytes) -> bytes:
    """
    :param lines: of secrets, and then more of :data:`BLANK_LINE` than a client may have secrets.
    :raises ValueError: they are none of ours.
    """
    found = lines.lstrip(b"\n").split(b"\n")
    # Older versions let a client have more secrets than it may have.
    if found[MAX_SECRETS : MAX_SECRETS + 1] == [BLANK_LINE.encode()]:
        del found[MAX_SECRETS:]
    verifiers = bytes.fromhex("".join([_verifier_from(line) for line in found]))
    if len(verifiers) != VERIFIER_BYTES * len(found):
        raise ValueError("no salts and digests of ours")
    return verifiers


def _verifier_from(line: bytes) -> str:
    _, _, _, salt, _, digest, _ = line.split(b'"', 6)
    return (salt + digest).decode()


def secret_start(secret_id: str) -> str:
    """How the line of this secret begins, and no other."""
    return _dump([secret_id])[:-1] + ","


def _secret_from(line: bytes) -> ClientSecret:
    secret_id, salt, digest, *more = json.loads(line)
    return ClientSecret(secret_id, bytes.fromhex(salt), bytes.fromhex(digest), *more)


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _pairs(values: Mapping[str, Value], public: frozenset[str]) -> Pairs:
    return {name: (value, name in public) for name, value in values.items()}


def _read_pairs(pairs: Pairs) -> tuple[Mapping[str, Value], frozenset[str]]:
    if not pairs:
        return EMPTY, frozenset()
    values: dict[str, Any] = {name: value for name, (value, _) in pairs.items()}
    return MappingProxyType(values), frozenset(name for name, (_, is_public) in pairs.items() if is_public)
