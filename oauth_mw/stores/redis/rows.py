"""Between what lies in Redis and the nouns. Positions are decimals of 19 digits: as text they sort as numbers do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ...credentials import DIGEST_BYTES, MAX_SECRETS, SALT_BYTES, VERIFIER_BYTES
from ...errors import StoreUnavailable
from ...model import Client, ClientSecret, KeyRecord, Revocation, TokenRecord, Value
from .. import decoding
from ..decoding import FAULTS, attributes, blob, decimal, decoded, flag, maybe, number, text

POSITION_DIGITS = 19
# Redis counts a token's life by its own clock; workers judge its expiry by theirs.
TTL_MARGIN = 60

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

    def once(self, key: bytes) -> str:
        return f"{self.prefix}:once:{key.hex()}"

    def token(self, key: bytes) -> str:
        return self.any_token + key.hex()


def several(count: int, reply: Any) -> list[Any]:
    """A reply that has so many parts."""
    if type(reply) is not list or len(reply) != count:
        raise ValueError("no such reply")
    return reply


def scanned(reply: Any) -> tuple[bytes, list[bytes]]:
    """What SCAN gives: the cursor for the next step, and some names of keys."""
    cursor, names = reply
    return blob(cursor), [blob(name) for name in names]


def in_pairs(found: Any) -> list[tuple[Any, Any]]:
    """What HGETALL and HSCAN give: names and values by turns."""
    return list(zip(found[::2], found[1::2], strict=True))


def ids_from(found: Any) -> list[str]:
    return [client_id.decode() for client_id in found]


def read(reader: Callable[..., T], *found: Any) -> T:
    """What ``reader`` makes of a record or a reply.

    :raises StoreUnavailable: it is nothing of ours.
    """
    try:
        return reader(*found)
    except FAULTS:
        raise StoreUnavailable("a record in Redis, or a reply of a server, cannot be read") from None


def position_text(position: int) -> str:
    return f"{max(position, 0):0{POSITION_DIGITS}d}"


def token_text(token: TokenRecord) -> str:
    row: list[object] = [token.client_id, token.scope, token.issued_at, token.position]
    more = [_pairs(token.attributes, token.public_attributes), token.revoked, token.audience]
    while more and not more[-1]:
        del more[-1]
    return _dump([*row, *more])


def token_from(row: bytes, ended: bytes | None, revoked: int) -> TokenRecord:
    """
    :param ended: the position of the last event that ended all tokens of its client; ``None``: no such client.
    :param revoked: not 0 when the token was ended by itself.
    :raises ValueError: it is no row of ours.
    """
    client_id, scope, issued_at, position, *more = decoded(row)
    pairs, marked, audience = more + _LEFT_OUT[len(more) :]
    values, public = attributes(pairs)
    times = number(issued_at), number(position)
    dead = flag(marked) or flag(revoked) or ended is None or position < decimal(ended)
    return TokenRecord(text(client_id), text(scope), *times, values, public, _texts(audience), dead)


def ended_from(name: bytes, value: bytes) -> Revocation:
    """
    :param name: a token's key, or a client's id behind an expiry of 0.
    :raises ValueError: it is nothing of ours.
    """
    if not any(name[:4]):
        return Revocation(decimal(value), name[4:].decode())
    position, alone, client_id = value.partition(b"a")
    return Revocation(decimal(position), client_id.decode(), blob(name), bool(alone))


def of_all(client_id: str) -> bytes:
    """The name of a client's last revocation of all tokens, as :func:`ended_from` reads it."""
    return bytes(4) + client_id.encode()


def key_text(key: KeyRecord) -> str:
    return _dump([key.signs_from, key.needed_until, key.algorithm, key.public, key.private, key.created_at])


def key_from(kid: bytes, row: bytes) -> KeyRecord:
    """
    :raises ValueError: it is no record of ours.
    """
    signs_from, needed_until, algorithm, public, private, created_at = decoded(row)
    record = KeyRecord(kid.decode(), algorithm, public, private, created_at, signs_from, needed_until)
    if not record.is_valid():
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
    record, enabled, secrets, ended = fields
    if not record:
        return None
    name, scopes, default_scope, lifetime, token_format, audiences, default_audience, *more = decoded(record)
    pairs, resource_server, created_at = more
    values, public = attributes(pairs)
    return Client(
        text(client_id),
        text(name),
        _texts(scopes),
        maybe(_texts, default_scope),
        maybe(decoding.lifetime, lifetime),
        maybe(decoding.token_format, token_format),
        _texts(audiences),
        maybe(_texts, default_audience),
        values,
        public,
        flag(resource_server),
        flag(decimal(enabled)),
        number(created_at),
        tuple([_secret_from(line) for line in secrets.split(b"\n")]) if secrets else (),
        decimal(ended),
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


def _secret_from(line: bytes) -> ClientSecret:
    secret_id, salt, digest, label, created_at, not_after, weak = decoded(line)
    times = number(created_at), maybe(number, not_after)
    return ClientSecret(text(secret_id), bytes.fromhex(salt), bytes.fromhex(digest), text(label), *times, flag(weak))


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _pairs(values: Mapping[str, Value], public: frozenset[str]) -> Pairs:
    return {name: (value, name in public) for name, value in values.items()}


def _texts(found: Any) -> tuple[str, ...]:
    if type(found) is not list:
        raise TypeError("no list")
    return tuple([text(each) for each in found])
