"""Between rows and nouns: the same for every SQL engine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any

from ..credentials import VERIFIER_BYTES
from ..errors import StoreUnavailable
from ..model import EMPTY, Client, ClientSecret, TokenRecord, Value
from . import schema

_client, _secret, _token = schema.client.c, schema.secret.c, schema.token.c

CLIENT_COLUMNS = (
    _client.client_id,
    _client.name,
    _client.scope,
    _client.default_scope,
    _client.lifetime,
    _client.token_format,
    _client.audiences,
    _client.default_audience,
    _client.attributes,
    _client.resource_server,
    _client.enabled,
    _client.created_at,
)
SECRET_COLUMNS = (
    _secret.secret_id,
    _secret.salt,
    _secret.digest,
    _secret.label,
    _secret.created_at,
    _secret.not_after,
    _secret.weak,
)
TOKEN_COLUMNS = (
    _client.client_id,
    _token.scope,
    _token.issued_at,
    _token.position,
    _token.attributes,
    _token.audience,
)

_WIDTH = len(CLIENT_COLUMNS)
_GARBLED = (AttributeError, TypeError, ValueError)

Attributes = tuple[Mapping[str, Value], frozenset[str]]
NO_ATTRIBUTES: Attributes = (EMPTY, frozenset())


def client_from_rows(rows: Sequence[Sequence[Any]]) -> Client | None:
    """A client from the rows of its join with its secrets: client columns, secret columns, ``ended``.

    :raises StoreUnavailable: they hold what was never written there.
    """
    if not rows:
        return None
    first = rows[0]
    client_id, name, scope, default_scope, lifetime, token_format, audiences, default_audience = first[:8]
    attributes, resource_server, enabled, created_at = first[8:_WIDTH]
    try:
        values, public = NO_ATTRIBUTES if attributes is None else read_attributes(attributes)
        return Client(
            client_id,
            name,
            tuple(scope.split()),
            None if default_scope is None else tuple(default_scope.split()),
            lifetime,
            token_format,
            () if audiences is None else tuple(audiences.split()),
            None if default_audience is None else tuple(default_audience.split()),
            values,
            public,
            bool(resource_server),
            bool(enabled),
            created_at,
            tuple([_secret_from(row[_WIDTH:-1]) for row in rows if row[_WIDTH] is not None]),
            first[-1],
        )
    except _GARBLED:
        raise StoreUnavailable("a client's row is garbled") from None


def _secret_from(columns: Sequence[Any]) -> ClientSecret:
    secret_id, salt, digest, label, created_at, not_after, weak = columns
    return ClientSecret(secret_id, bytes(salt), bytes(digest), label, created_at, not_after, bool(weak))


def verifiers_from_rows(rows: Sequence[Sequence[Any]]) -> bytes:
    """
    :raises StoreUnavailable: they hold what was never written there.
    """
    try:
        verifiers = b"".join(chain.from_iterable(rows))
    except _GARBLED:
        raise StoreUnavailable("a secret's row is garbled") from None
    if len(verifiers) % VERIFIER_BYTES:
        raise StoreUnavailable("a secret's row is garbled")
    return verifiers


def client_values(client: Client) -> dict[str, object]:
    """The columns that an update may change."""
    return {
        "name": client.name,
        "scope": " ".join(client.scopes),
        "default_scope": None if client.default_scope is None else " ".join(client.default_scope),
        "lifetime": client.lifetime,
        "token_format": client.token_format,
        "audiences": audience_text(client.audiences),
        "default_audience": None if client.default_audience is None else " ".join(client.default_audience),
        "attributes": attributes_text(client.attributes, client.public_attributes),
        "resource_server": client.resource_server,
        "enabled": client.enabled,
    }


def secret_values(secret: ClientSecret) -> dict[str, object]:
    return {
        "secret_id": secret.secret_id,
        "salt": secret.salt,
        "digest": secret.digest,
        "label": secret.label,
        "created_at": secret.created_at,
        "not_after": secret.not_after,
        "weak": secret.weak,
    }


def token_from_row(row: Sequence[Any]) -> TokenRecord:
    """
    :raises StoreUnavailable: it holds what was never written there.
    """
    client_id, scope, issued_at, position, attributes, audience, revoked = row
    try:
        values, public = read_attributes(attributes)
        meant_for = tuple(audience.split()) if audience else ()
    except _GARBLED:
        raise StoreUnavailable("a token's row is garbled") from None
    return TokenRecord(client_id, scope, issued_at, position, values, public, meant_for, bool(revoked))


def audience_text(audience: Sequence[str]) -> str | None:
    """Joined by spaces, which no URI holds; NULL for none."""
    return " ".join(audience) if audience else None


def attributes_text(values: Mapping[str, Value], public: frozenset[str]) -> str | None:
    """JSON, each value with whether it is public; NULL for none."""
    if not values:
        return None
    return json.dumps({name: [value, name in public] for name, value in values.items()})


def read_attributes(text: str | None) -> Attributes:
    if text is None:
        return NO_ATTRIBUTES
    pairs = json.loads(text)
    values = MappingProxyType({name: value for name, (value, _) in pairs.items()})
    return values, frozenset(name for name, (_, is_public) in pairs.items() if is_public)
