"""The records of a store as JSON texts: a client with its secrets, the signing keys, and the rare fields of tokens.

A store does not look into these texts. A new field is one row in a table here. A member that is not in the table was
written by a newer version; it is kept in ``other`` and written again: workers of two versions can share a store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any, TypeVar

from ..credentials import DIGEST_BYTES, MAX_SECRETS, SALT_BYTES, VERIFIERS_BYTES, verifiers_of
from ..model import EMPTY, Client, ClientSecret, KeyRecord, KeySet, StoredClient, TokenRecord, Verifiers
from . import decoding
from .decoding import flag, number, text

T = TypeVar("T", Client, ClientSecret, KeyRecord, TokenRecord)

# How each member is read; a member that is missing has the default of its field.
Readers = Mapping[str, Callable[[Any], Any]]

BLANK_VERIFIERS = bytes(VERIFIERS_BYTES + DIGEST_BYTES)


def texts(found: Any) -> tuple[str, ...]:
    if type(found) is not list:
        raise TypeError("no list")
    return tuple([text(each) for each in found])


def _hexadecimal(size: int) -> Callable[[Any], bytes]:
    def read(found: Any) -> bytes:
        value = bytes.fromhex(text(found))
        if len(value) != size:
            raise ValueError("not as many bytes")
        return value

    return read


def _secrets(found: Any) -> tuple[ClientSecret, ...]:
    if type(found) is not list:
        raise TypeError("no list")
    if len(found) > MAX_SECRETS:
        raise ValueError("more secrets than are compared")
    return tuple([ClientSecret(**_values(_SECRET, each)) for each in found])


def _words(found: Any) -> frozenset[str]:
    return frozenset(texts(found))


_SECRET: Readers = {
    "secret_id": text,
    "salt": _hexadecimal(SALT_BYTES),
    "digest": _hexadecimal(DIGEST_BYTES),
    "label": text,
    "created_at": number,
    "not_after": number,
    "weak": flag,
}
_CLIENT: Readers = {
    "name": text,
    "scopes": texts,
    "default_scope": texts,
    "lifetime": decoding.lifetime,
    "token_format": decoding.token_format,
    "audiences": texts,
    "default_audience": texts,
    "attributes": decoding.attributes,
    "public_attributes": _words,
    "resource_server": flag,
    "enabled": flag,
    "created_at": number,
    "secrets": _secrets,
    "allowed_addresses": texts,
    "allowed_requests": texts,
    "rate_limit": text,
    "not_after": number,
    "tokens_per_hour": number,
    "tokens_per_day": number,
    "quota_mode": decoding.quota_mode,
    "revoked_secrets": texts,
    "imported": decoding.texts_by_name,
}
_KEY: Readers = {
    "kid": text,
    "algorithm": text,
    "public": text,
    "private": text,
    "created_at": number,
    "signs_from": number,
    "needed_until": number,
}
_EXTRA: Readers = {"attributes": decoding.attributes, "public_attributes": _words, "audience": texts}


def client_text(client: Client) -> str:
    """The record of a client: all but its id and its ``revoked_before``."""
    return _dump(_members(_CLIENT, client))


def client_from(client_id: str, record: str, revoked_before: int) -> Client:
    """A client from its record.

    :raises ValueError: it is no record (or another of :data:`~oauth_mw.stores.decoding.FAULTS`).
    """
    found = _values(_CLIENT, json.loads(text(record)))
    return Client(text(client_id), revoked_before=number(revoked_before), **found)


def deleted_client(client_id: str, revoked_before: int) -> StoredClient:
    """What a store keeps of a deleted client."""
    return StoredClient(Client(text(client_id), "", enabled=False, revoked_before=number(revoked_before)), deleted=True)


def client_row(client: Client) -> tuple[bytes, str]:
    """Return a client's verifiers with the digest of its record, always of the same length, and the record.

    :raises ValueError: there are more secrets than a client may have.
    """
    verifiers, record = verifiers_of(client), client_text(client)
    if len(verifiers) > VERIFIERS_BYTES:
        raise ValueError("too many secrets")
    return verifiers.ljust(VERIFIERS_BYTES, b"\0") + sha256(record.encode()).digest(), record


def verifiers_from(found: Any, revoked_before: Any) -> Verifiers:
    """
    :raises ValueError: they are not what :func:`client_row` returns.
    """
    # A client that was written before there was a digest has none, so its record is read each time.
    if type(found) is not bytes or len(found) not in (VERIFIERS_BYTES, len(BLANK_VERIFIERS)):
        raise ValueError("no verifiers")
    return Verifiers(found[:VERIFIERS_BYTES], found[VERIFIERS_BYTES:], number(revoked_before))


def verifiers_with(client: Client) -> Verifiers:
    """What a store finds as the verifiers of a client, if it has been written by this version."""
    return verifiers_from(client_row(client)[0], client.revoked_before)


def removed_secrets(before: Client, after: Client) -> list[str]:
    """The ids of the secrets that a client has no more, in order."""
    return sorted({each.secret_id for each in before.secrets} - {each.secret_id for each in after.secrets})


def key_set_text(keys: KeySet) -> str:
    return _dump({"keys": [_members(_KEY, key) for key in keys.keys], **keys.other})


def key_set_from(record: str) -> KeySet:
    """
    :raises ValueError: it is no record (or another of :data:`~oauth_mw.stores.decoding.FAULTS`).
    """
    found = json.loads(text(record))
    keys = [KeyRecord(**_values(_KEY, each)) for each in found.pop("keys")]
    return KeySet.of(keys, MappingProxyType(found) if found else EMPTY)


def extra_text(token: TokenRecord) -> str | None:
    """The record of a token's attributes and audience; ``None`` if it has neither."""
    if not (token.attributes or token.audience or token.other):
        return None
    return _dump(_members(_EXTRA, token))


def extra_from(record: str) -> dict[str, Any]:
    """The fields of a :class:`~oauth_mw.model.TokenRecord` that :func:`extra_text` has written.

    :raises ValueError: it is no record (or another of :data:`~oauth_mw.stores.decoding.FAULTS`).
    """
    return _values(_EXTRA, json.loads(text(record)))


def _members(readers: Readers, value: T) -> dict[str, Any]:
    """The members of a record: those that differ from their defaults, and those of newer versions."""
    defaults = _DEFAULTS[type(value)]
    found = {name: getattr(value, name) for name in readers}
    members = {name: _plain(each) for name, each in found.items() if name not in defaults or each != defaults[name]}
    return {**members, **value.other}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple) and value and isinstance(value[0], ClientSecret):
        return [_members(_SECRET, each) for each in value]
    return value


def _values(readers: Readers, members: Any) -> dict[str, Any]:
    if type(members) is not dict:
        raise TypeError("no object")
    values, other = {}, {}
    for name, found in members.items():
        reader = readers.get(name)
        if reader is None:
            other[name] = found
        else:
            values[name] = reader(found)
    public = values.get("public_attributes")
    if public and not public <= values.get("attributes", EMPTY).keys():
        raise ValueError("a public attribute that is none")
    if other:
        values["other"] = MappingProxyType(other)
    return values


_DEFAULTS: Mapping[type, Mapping[str, Any]] = {
    Client: {name: getattr(Client(""), name) for name in _CLIENT},
    ClientSecret: ClientSecret._field_defaults,
    KeyRecord: KeyRecord._field_defaults,
    TokenRecord: TokenRecord._field_defaults,
}


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
