"""The keys of a store in Redis, and the decoding of their values.

Each ``…_from`` raises one of :data:`~oauth_mw.stores.decoding.FAULTS` for a value that the store never writes.
Positions are decimals of 19 digits: as text they sort like the numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from ...cutoffs import Cutoff
from ...model import Client, Count, Counted, Revocation, TokenRecord, Value, Verifiers
from .. import decoding, records
from ..counters import full_places
from ..decoding import blob, decimal, decoded, flag, number, text

# Seconds. Redis deletes a token by its own clock; workers compare its expiry with theirs.
TTL_MARGIN = 60

T = TypeVar("T")

# The end of a token's row, left out if it has no attributes, revocation, audience and members of newer versions.
_LEFT_OUT: list[Any] = [{}, False, [], {}]


class Keys:
    """The names of a store's keys. All but those of tokens are in one slot of a cluster, by the tag in braces."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.tag = tag = "{" + prefix + "}"
        self.any_client = f"{tag}:client:"
        self.any_token = f"{prefix}:t:"
        self.any_log_only = f"{tag}:alone:"
        # The keys of every change, see :data:`.scripts.CHANGE`.
        self.of_change = tuple(f"{tag}:{name}" for name in ("store", "log", "due", "revoked", "clients"))
        self.store, self.log, self.due, self.revoked, self.clients = self.of_change
        self.of_version_2 = f"{tag}:signing"  # the signing keys

    def client(self, client_id: str) -> str:
        return self.any_client + client_id

    def log_only(self, client_id: str) -> str:
        return self.any_log_only + client_id

    def counter(self, key: bytes) -> str:
        return f"{self.tag}:count:{key.hex()}"

    def uses(self, client_id: str) -> str:
        return f"{self.tag}:uses:{client_id}"

    def token(self, key: bytes) -> str:
        return self.any_token + key.hex()


def several(count: int, reply: Any) -> list[Any]:
    """A reply that is a list of ``count`` parts."""
    if type(reply) is not list or len(reply) != count:
        raise ValueError("no such reply")
    return reply


def scanned(reply: Any) -> tuple[bytes, list[bytes]]:
    """The reply to SCAN: the next cursor and some names of keys."""
    cursor, names = reply
    return blob(cursor), [blob(name) for name in names]


def texts_from(found: Any) -> list[str]:
    return [each.decode() for each in found]


def in_pairs(found: Any) -> list[tuple[Any, Any]]:
    """The reply to HGETALL or HSCAN, which alternates names and values."""
    return list(zip(found[::2], found[1::2], strict=True))


def read(reader: Callable[..., T], *found: Any) -> T:
    """Decode a record or a reply by ``reader``, see :func:`oauth_mw.stores.decoding.read`."""
    return decoding.read("a record in Redis, or a reply of a server,", reader, *found)


def position_text(position: int) -> str:
    return f"{max(position, 0):019d}"


# Of a client. A deleted client has an empty record.
CLIENT_FIELDS = ("record", "revoked_before")


def verifiers_from(reply: Any) -> Verifiers:
    verifiers, revoked_before = several(2, reply)
    return records.verifiers_from(verifiers, decimal(revoked_before))


def client_from(client_id: str, record: Any, revoked_before: Any) -> Client | None:
    """
    :return: ``None`` if the client is deleted or never existed.
    """
    if record == b"" or (record is None and revoked_before is None):
        return None
    return records.client_from(client_id, record.decode(), decimal(revoked_before))


def token_text(token: TokenRecord) -> str:
    row: list[object] = [token.client_id, token.scope, token.issued_at, token.position]
    pairs = {name: (value, name in token.public_attributes) for name, value in token.attributes.items()}
    more = [pairs, token.revoked, token.audience, dict(token.other)]
    while more and not more[-1]:
        del more[-1]
    return json.dumps([*row, *more], separators=(",", ":"))


def cutoff_from(revoked_before: int, following: Any) -> Cutoff:
    """
    :param following: a list, perhaps with a member of the client's log-only revocations: the next one.
    """
    (member,) = following or (b"",)
    is_next = blob(member)[:19] == position_text(revoked_before + 1).encode()
    return Cutoff(revoked_before, member[19:51] if is_next else b"")


def token_from(row: bytes, revoked: int, cutoff: Cutoff | None) -> TokenRecord:
    """
    :param revoked: not 0 when the log says that the token is revoked.
    :param cutoff: of its client; ``None`` if there is no such client.
    """
    client_id, scope, issued_at, position, *more = decoded(row)
    pairs, marked, audience, other = more + _LEFT_OUT[len(more) :]
    if type(other) is not dict:
        raise TypeError("no object")
    return TokenRecord(
        text(client_id),
        text(scope),
        number(issued_at),
        number(position),
        *attributes_from(pairs),
        records.texts(audience),
        flag(marked) or flag(revoked) or cutoff is None or cutoff.covers(position, issued_at),
        MappingProxyType(other),
    )


def found_from(row: bytes, revoked: int, revoked_before: bytes | None, following: Any) -> TokenRecord:
    """A token as FIND_TOKEN returns it."""
    cutoff = None if revoked_before is None else cutoff_from(decimal(revoked_before), following)
    return token_from(row, revoked, cutoff)


def attributes_from(pairs: Any) -> tuple[Mapping[str, Value], frozenset[str]]:
    """Attributes, each stored with whether it is public, and the names of the public ones."""
    values = decoding.attributes({name: value for name, (value, _) in pairs.items()})
    return values, frozenset(name for name, (_, is_public) in pairs.items() if flag(is_public))


def counted_from(counts: Sequence[Count], reply: Any) -> Counted:
    """
    :param reply: whether something was counted, and the counters.
    """
    counted, *values = several(len(counts) + 1, reply)
    found = tuple(map(number, values))
    return Counted(found) if flag(counted) else Counted(found, full_places(counts, found))


def uses_from(client_id: str, reply: Any) -> dict[tuple[str, str], int]:
    """
    :param reply: to HGETALL.
    """
    return {(client_id, text(secret_id.decode())): decimal(second) for secret_id, second in in_pairs(reply)}


def revocation_from(name: bytes, value: bytes) -> Revocation:
    """
    :param name: a token's key, or a client's id after an expiry of 0.
    """
    if not any(name[:4]):
        return Revocation(decimal(value), name[4:].decode())
    position, log_only, client_id = value.partition(b"a")
    return Revocation(decimal(position), client_id.decode(), blob(name), bool(log_only))


def events_from(entries: Any) -> list[Revocation]:
    """The events that XRANGE returned."""
    return [
        Revocation(decimal(entry[:-2]), client_id.decode(), blob(key) or None, bool(log_only))
        for entry, (_, client_id, _, key, *log_only) in entries
    ]


def of_all(client_id: str) -> bytes:
    """The name of a client's last revocation of all tokens, as :func:`revocation_from` reads it."""
    return bytes(4) + client_id.encode()
