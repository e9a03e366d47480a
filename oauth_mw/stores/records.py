"""The records of a store as JSON texts: a client with its secrets, the signing keys, and what few tokens have.

A store keeps these texts and knows nothing of what is in them. A new field is one row in a table here. A member that is
not in the table was written by a newer version; it is kept in ``other`` and written again, so that workers of two
versions can share a store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar

from ..credentials import DIGEST_BYTES, MAX_SECRETS, SALT_BYTES, VERIFIERS_BYTES, verifiers_of
from ..model import EMPTY, Client, ClientSecret, KeyRecord, KeySet, StoredClient, TokenRecord
from . import decoding
from .decoding import flag, number, text

T = TypeVar("T", Client, ClientSecret, KeyRecord, TokenRecord)

# How each member is read; a member that is missing has the default of its field.
Readers = Mapping[str, Callable[[Any], Any]]

BLANK_VERIFIERS = bytes(VERIFIERS_BYTES)


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


@lru_cache(maxsize=1024)
def client_from(client_id: str, record: str, revoked_before: int) -> Client:
    """A client from its record. Most requests come from few clients, so that records are parsed once.

    :raises ValueError: it is no record (or another of :data:`~oauth_mw.stores.decoding.FAULTS`).
    """
    found = _values(_CLIENT, json.loads(text(record)))
    return Client(text(client_id), revoked_before=number(revoked_before), **found)


def deleted_client(client_id: str, revoked_before: int) -> StoredClient:
    """What is left of a client that was deleted."""
    return StoredClient(Client(text(client_id), "", enabled=False, revoked_before=number(revoked_before)), deleted=True)


def padded_verifiers(client: Client) -> bytes:
    """What presented secrets are compared with, always of the same length.

    :raises ValueError: there are more secrets than a client may have.
    """
    verifiers = verifiers_of(client)
    if len(verifiers) > VERIFIERS_BYTES:
        raise ValueError("too many secrets")
    return verifiers.ljust(VERIFIERS_BYTES, b"\0")


def verifiers_from(found: Any) -> bytes:
    """
    :raises ValueError: they were never written there.
    """
    if len(decoding.blob(found)) != VERIFIERS_BYTES:
        raise ValueError("no verifiers")
    return bytes(found)


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
    """What few tokens have; ``None`` for the others."""
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
