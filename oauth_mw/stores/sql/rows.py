"""Between rows and nouns: the same for every SQL engine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from ...credentials import VERIFIER_BYTES
from ...errors import StoreUnavailable
from ...model import LAST_SECOND, Client, ClientSecret, TokenRecord, Value
from .. import decoding
from ..decoding import FAULTS, NO_ATTRIBUTES, Attributes, blob, flag, maybe, number, text, words
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
            text(client_id),
            text(name),
            words(scope),
            maybe(words, default_scope),
            maybe(decoding.lifetime, lifetime),
            maybe(decoding.token_format, token_format),
            maybe(words, audiences) or (),
            maybe(words, default_audience),
            values,
            public,
            flag(resource_server),
            flag(enabled),
            number(created_at),
            tuple([_secret_from(row[_WIDTH:-1]) for row in rows if row[_WIDTH] is not None]),
            number(first[-1]),
        )
    except FAULTS:
        raise StoreUnavailable("a client's row is garbled") from None


def _secret_from(columns: Sequence[Any]) -> ClientSecret:
    secret_id, salt, digest, label, created_at, not_after, weak = columns
    times = number(created_at), maybe(number, not_after)
    return ClientSecret(text(secret_id), blob(salt), blob(digest), text(label), *times, flag(weak))


def verifiers_from_rows(rows: Sequence[Sequence[Any]]) -> bytes:
    """
    :raises StoreUnavailable: they hold what was never written there.
    """
    try:
        verifiers = b"".join(chain.from_iterable(rows))
    except FAULTS:
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
    :param row: :data:`TOKEN_COLUMNS`, then one or two reasons for which it may be revoked.
    :raises StoreUnavailable: it holds what was never written there.
    """
    client_id, scope, issued_at, position, attributes, audience, *revoked = row
    try:
        values, public = NO_ATTRIBUTES if attributes is None else read_attributes(attributes)
        return TokenRecord(
            text(client_id),
            text(scope),
            number(issued_at),
            number(position),
            values,
            public,
            () if audience is None else words(audience),
            flag(revoked[0]) or flag(revoked[-1]),
        )
    except FAULTS:
        raise StoreUnavailable("a token's row is garbled") from None


def audience_text(audience: Sequence[str]) -> str | None:
    """Joined by spaces, which no URI holds; NULL for none."""
    return " ".join(audience) if audience else None


def attributes_text(values: Mapping[str, Value], public: frozenset[str]) -> str | None:
    """JSON, each value with whether it is public; NULL for none."""
    if not values:
        return None
    return json.dumps({name: [value, name in public] for name, value in values.items()})


def read_attributes(found: Any) -> Attributes:
    return decoding.attributes(json.loads(text(found)))


def first_key(second: int) -> bytes:
    """Where the keys of tokens that expire in this second begin."""
    return min(max(second, 0), LAST_SECOND).to_bytes(4)
