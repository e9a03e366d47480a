"""Registration and operation from Python: what the command line does, on a store that ``open_store(url)`` gave.

Every change survives power loss once the call has returned. What ends tokens is seen by every
worker of the machine on its next request.
"""

from __future__ import annotations

import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from .attributes import change, check_attributes, unite
from .credentials import check_client_id, check_secret, hash_secret, new_client_id, new_secret
from .errors import AdminError, NotFound
from .model import EMPTY, MAX_LIFETIME, Client, ClientSecret, ClientStore, Clock, Store, TokenRecord, TokenStore, Value
from .tokens import opaque

MAX_SECRETS = 16
PURGE_ROWS = 500

_TOKEN_ID = re.compile(r"[0-9a-f]{64}")
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


class NewClient(NamedTuple):
    """``secret`` is its text, shown this once; the store has only a hash."""

    client: Client
    secret: str


class NewSecret(NamedTuple):
    record: ClientSecret
    secret: str


@dataclass(frozen=True, slots=True)
class TokenStatus:
    """What a store knows about a token: ``state`` is ``live``, ``expired`` or ``revoked``."""

    token_id: str
    client_id: str
    scope: str
    issued_at: int
    expires_at: int
    state: str
    attributes: Mapping[str, Value]


def add_client(
    store: ClientStore,
    name: str,
    *,
    scope: str = "",
    default_scope: str | None = None,
    lifetime: int | None = None,
    attributes: Mapping[str, Value] = EMPTY,
    public_attributes: Mapping[str, Value] = EMPTY,
    resource_server: bool = False,
    client_id: str | None = None,
    secret: str | None = None,
    allow_weak_secret: bool = False,
    clock: Clock = time.time,
) -> NewClient:
    """Register a client with one secret.

    :param scope: all that it may have, space-separated (RFC 6749 §3.3).
    :param default_scope: what it gets when it asks for nothing.
    :param lifetime: of its tokens, in seconds.
    :param attributes: copied to every token and seen by the app; ``public_attributes`` also by the client.
    :param resource_server: it may introspect every token, and gets none itself.
    :param client_id: an identifier from elsewhere; a fresh one by default. An id is never used twice.
    :param secret: a secret from elsewhere; a fresh one of 256 bits by default.
    :param allow_weak_secret: take one that is short or guessable, and mark it.
    :raises AdminError: any of these cannot be.
    :raises StoreUnavailable: nothing was registered.
    """
    if client_id is None:
        client_id = new_client_id()
    check_client_id(client_id)
    now = int(clock())
    text = new_secret() if secret is None else secret
    weak = secret is not None and check_secret(text, client_id, allow_weak=allow_weak_secret)
    client = Client(
        client_id=client_id,
        name=_name(name),
        scopes=_scopes(scope),
        default_scope=None if default_scope is None else _scopes(default_scope),
        lifetime=lifetime,
        attributes=MappingProxyType(unite(attributes, public_attributes)),
        public_attributes=frozenset(public_attributes),
        resource_server=resource_server,
        created_at=now,
        secrets=(hash_secret(text, created_at=now, weak=weak),),
    )
    _check(client)
    if not store.add_client(client):
        raise AdminError(f"the client id {client_id!r} is in use, or was")
    return NewClient(client, text)


def get_client(store: ClientStore, client_id: str) -> Client:
    """
    :raises NotFound: there is none.
    """
    client = store.find_client(client_id)
    if client is None:
        raise NotFound(f"there is no client {client_id!r}")
    return client


def update_client(
    store: ClientStore,
    client_id: str,
    *,
    name: str | None = None,
    scope: str | None = None,
    default_scope: str | None = None,
    lifetime: int | None = None,
    attributes: Mapping[str, Value] | None = None,
    public_attributes: Mapping[str, Value] | None = None,
    resource_server: bool | None = None,
    clear: Collection[str] = (),
) -> Client:
    """Change what is given; it counts from the next token on. ``attributes`` and ``public_attributes`` replace all
    of their kind; ``clear`` names ``default_scope`` or ``lifetime`` to do without one again.

    :raises AdminError: a value cannot be.
    :raises NotFound: there is no such client.
    """
    client = get_client(store, client_id)
    values, public = change(client, attributes, public_attributes)
    changed = replace(
        client,
        name=client.name if name is None else _name(name),
        scopes=client.scopes if scope is None else _scopes(scope),
        default_scope=client.default_scope if default_scope is None else _scopes(default_scope),
        lifetime=client.lifetime if lifetime is None else lifetime,
        attributes=MappingProxyType(values),
        public_attributes=public,
        resource_server=client.resource_server if resource_server is None else resource_server,
    )
    if "default_scope" in clear:
        changed = replace(changed, default_scope=None)
    if "lifetime" in clear:
        changed = replace(changed, lifetime=None)
    _check(changed)
    _found(store.update_client(changed), client_id)
    return changed


def enable_client(store: ClientStore, client_id: str) -> None:
    """Let the client get tokens again. Those that it had stay dead.

    :raises NotFound: there is no such client.
    """
    _found(store.update_client(replace(get_client(store, client_id), enabled=True)), client_id)


def disable_client(store: ClientStore, client_id: str) -> None:
    """Refuse the client and end all of its tokens.

    :raises NotFound: there is no such client.
    """
    _found(store.end_client(client_id, disable=True), client_id)


def delete_client(store: ClientStore, client_id: str) -> None:
    """Remove the client and its secrets, and end all of its tokens. Its id is never used again.

    :raises NotFound: there is no such client.
    """
    _found(store.end_client(client_id, delete=True), client_id)


def add_secret(
    store: ClientStore,
    client_id: str,
    *,
    label: str = "",
    not_after: int | None = None,
    secret: str | None = None,
    allow_weak_secret: bool = False,
    clock: Clock = time.time,
) -> NewSecret:
    """Give a client one more secret; the others stay good.

    :param not_after: the Unix second from which it is refused.
    :raises AdminError: too many, weak, or already over.
    :raises NotFound: there is no such client.
    """
    client = get_client(store, client_id)
    now = int(clock())
    if len(client.secrets) >= MAX_SECRETS:
        raise AdminError(f"a client has at most {MAX_SECRETS} secrets: revoke one first")
    if not_after is not None and not now < not_after <= opaque.LAST_SECOND:
        raise AdminError("not_after lies in the past, or after the year 2105")
    text = new_secret() if secret is None else secret
    weak = secret is not None and check_secret(text, client_id, allow_weak=allow_weak_secret)
    record = hash_secret(text, label=_name(label), created_at=now, not_after=not_after, weak=weak)
    _found(store.add_secret(client_id, record), client_id)
    return NewSecret(record, text)


def revoke_secret(store: ClientStore, client_id: str, secret_id: str, *, and_tokens: bool = False) -> None:
    """Refuse a secret from now on; ``and_tokens`` also ends all live tokens of the client.

    :raises NotFound: there is no such client or secret.
    """
    if not store.remove_secret(client_id, secret_id, and_tokens=and_tokens):
        raise NotFound(f"client {client_id!r} has no secret {secret_id!r}")


def token_key(token: str) -> bytes:
    """The storage key of a token, given by its id or by its own text, expired or not.

    :raises NotFound: it is neither.
    """
    if _TOKEN_ID.fullmatch(token):
        return bytes.fromhex(token)
    if opaque._TEXT.fullmatch(token):
        return opaque._key(token, urlsafe_b64decode(token[-opaque._LENGTH :]))
    raise NotFound("there is no such token")


def inspect_token(store: TokenStore, key: bytes, *, clock: Clock = time.time) -> TokenStatus:
    """What the store knows about the token with this storage key (see :func:`token_key`).

    :raises NotFound: no such token, or its row is gone.
    """
    record = _token(store, key)
    expires_at = int.from_bytes(key[:4])
    state = "revoked" if record.revoked else "live" if clock() < expires_at else "expired"
    return TokenStatus(
        key.hex(), record.client_id, record.scope, record.issued_at, expires_at, state, record.attributes
    )


def revoke_token(store: TokenStore, key: bytes, *, clock: Clock = time.time) -> bool:
    """End a token; false when it had ended before.

    :raises NotFound: no such token, or its row is gone.
    """
    _token(store, key)
    return clock() < int.from_bytes(key[:4]) and store.revoke_token(key)


def revoke_all_tokens(store: ClientStore, client_id: str) -> None:
    """End all tokens that a client has.

    :raises NotFound: there is no such client.
    """
    _found(store.end_client(client_id), client_id)


def purge(store: Store, *, clock: Clock = time.time) -> Iterator[int]:
    """Remove all expired rows, in small steps that let other writers in; yields how many went in each."""
    now = int(clock())
    while swept := store.sweep(now, PURGE_ROWS):
        yield swept


def _token(store: TokenStore, key: bytes) -> TokenRecord:
    record = store.find_token(key)
    if record is None:
        raise NotFound("there is no such token")
    return record


def _found(done: bool, client_id: str) -> None:
    if not done:
        raise NotFound(f"there is no client {client_id!r}")


def _name(text: str) -> str:
    if len(text) > 200 or not text.isprintable():
        raise AdminError("a name or label has at most 200 printable characters")
    return text


def _scopes(text: str) -> tuple[str, ...]:
    scopes = tuple(dict.fromkeys(text.split()))
    for scope in scopes:
        if not _SCOPE_TOKEN.fullmatch(scope):
            raise AdminError(f"{scope!r} is not a scope (RFC 6749 §3.3)")
    return scopes


def _check(client: Client) -> None:
    if client.default_scope is not None and not set(client.default_scope) <= set(client.scopes):
        raise AdminError("the default scope must be part of the scope")
    if client.lifetime is not None and not 1 <= client.lifetime <= MAX_LIFETIME:
        raise AdminError(f"a lifetime has from 1 to {MAX_LIFETIME} seconds")
    check_attributes(client.attributes)
