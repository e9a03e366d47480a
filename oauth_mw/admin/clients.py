"""Clients and their secrets."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from ..attributes import change, unite
from ..credentials import (
    MAX_SECRETS,
    check_client_id,
    check_secret,
    hash_secret,
    is_printable,
    new_client_id,
    new_secret,
)
from ..errors import AdminError, NotFound
from ..model import EMPTY, LAST_SECOND, MAX_SCOPES, Client, ClientSecret, Clock, Value
from ..protocols import ClientStore
from ..tokens.revocation import revoke_all
from .fields import CLEARED, check_client, read_fields, read_name

Found = TypeVar("Found")


class NewClient(NamedTuple):
    """``secret`` is its text, shown this once; the store has only a hash."""

    client: Client
    secret: str

    def __repr__(self) -> str:
        return f"NewClient(client={self.client!r})"


class NewSecret(NamedTuple):
    record: ClientSecret
    secret: str

    def __repr__(self) -> str:
        return f"NewSecret(record={self.record!r})"


def add_client(
    store: ClientStore,
    name: str,
    *,
    scope: str = "",
    default_scope: str | None = None,
    lifetime: int | None = None,
    token_format: str | None = None,
    audiences: Iterable[str] = (),
    default_audience: Iterable[str] | None = None,
    attributes: Mapping[str, Value] = EMPTY,
    public_attributes: Mapping[str, Value] = EMPTY,
    resource_server: bool = False,
    allow_odd_scope: bool = False,
    client_id: str | None = None,
    secret: str | None = None,
    allow_weak_secret: bool = False,
    clock: Clock = time.time,
) -> NewClient:
    """Register a client with one secret.

    :param scope: all that it may have, space-separated (RFC 6749 §3.3); with ``allow_odd_scope`` also ``a,b``, ``#a``.
    :param default_scope: what it gets unasked; ``lifetime`` of its tokens, in seconds; ``token_format`` of them.
    :param audiences: what its tokens may be for (RFC 8707), or what it is; ``default_audience`` what they are unasked.
    :param attributes: copied to every token and seen by the app; ``public_attributes`` also by the client.
    :param resource_server: it may introspect the tokens that are for it, and gets none itself.
    :param client_id: an identifier from elsewhere; a fresh one by default. An id is never used twice.
    :param secret: one from elsewhere (a weak one with ``allow_weak_secret``); a fresh one of 256 bits by default.
    :raises AdminError: any of these cannot be.
    :raises StoreUnavailable: nothing was registered.
    """
    given = (name, scope, default_scope, lifetime, token_format, audiences, default_audience, resource_server)
    client_id, now = _checked_id(client_id), int(clock())
    first = _secret(secret, client_id, allow_weak_secret, now)
    client = Client(
        client_id=client_id,
        attributes=MappingProxyType(unite(attributes, public_attributes)),
        public_attributes=frozenset(public_attributes),
        created_at=now,
        secrets=(first.record,),
        **read_fields(*given, allow_odd_scope=allow_odd_scope),
    )
    if not store.add_client(check_client(client)):
        raise AdminError(f"the client id {client_id!r} is in use, or was")
    return NewClient(client, first.secret)


def get_client(store: ClientStore, client_id: str) -> Client:
    """
    :raises NotFound: there is none.
    """
    return _there(store.find_client(_known(client_id)), client_id)


def list_clients(store: ClientStore) -> Iterator[Client]:
    """All clients, by id; read in pages, so that there may be many.

    :raises StoreUnavailable: the store does not answer.
    """
    after = ""
    while page := store.clients(after):
        yield from page
        after = page[-1].client_id


def client_warnings(store: ClientStore) -> list[str]:
    """Name the clients that were registered with more than is allowed now.

    :raises StoreUnavailable: the store does not answer.
    """
    return [
        f"client {client.client_id!r} has {len(client.scopes)} scopes, and a client is given at most {MAX_SCOPES}: "
        "its tokens go on working; give it fewer, or divide them among several clients"
        for client in list_clients(store)
        if len(client.scopes) > MAX_SCOPES
    ]


def update_client(
    store: ClientStore,
    client_id: str,
    *,
    name: str | None = None,
    scope: str | None = None,
    default_scope: str | None = None,
    lifetime: int | None = None,
    token_format: str | None = None,
    audiences: Iterable[str] | None = None,
    default_audience: Iterable[str] | None = None,
    attributes: Mapping[str, Value] | None = None,
    public_attributes: Mapping[str, Value] | None = None,
    resource_server: bool | None = None,
    allow_odd_scope: bool = False,
    clear: Collection[str] = (),
) -> Client:
    """Change what is given; it counts from the next token on. ``audiences``, ``default_audience``, ``attributes``
    and ``public_attributes`` replace all of their kind; ``clear`` names ``default_scope``, ``lifetime``,
    ``token_format``, ``audiences`` or ``default_audience`` to do without one again. ``allow_odd_scope`` is as in
    :func:`add_client`.

    :raises AdminError: a value cannot be.
    :raises NotFound: there is no such client.
    """
    if not set(clear) <= CLEARED.keys():
        raise AdminError(f"only these can be cleared: {', '.join(CLEARED)}")
    given = (name, scope, default_scope, lifetime, token_format, audiences, default_audience, resource_server)
    new = read_fields(*given, allow_odd_scope=allow_odd_scope)
    new |= {key: CLEARED[key] for key in clear}

    def changed(client: Client) -> Client:
        values, public = change(client, attributes, public_attributes)
        return check_client(replace(client, **new, attributes=MappingProxyType(values), public_attributes=public))

    return _there(store.update_client(_known(client_id), changed), client_id)


def enable_client(store: ClientStore, client_id: str) -> None:
    """Let the client get tokens again. Those that it had stay dead.

    :raises NotFound: there is no such client.
    """
    _there(store.update_client(_known(client_id), lambda client: replace(client, enabled=True)), client_id)


def disable_client(store: ClientStore, client_id: str) -> None:
    """Refuse the client and end all of its tokens.

    :raises NotFound: there is no such client.
    """
    _there(store.update_client(_known(client_id), disabled, revoke_tokens=True), client_id)


def delete_client(store: ClientStore, client_id: str) -> None:
    """Remove the client and its secrets, and end all of its tokens. Its id is never used again.

    :raises NotFound: there is no such client.
    """
    deleted: list[Client] = []
    store.update_client(_known(client_id), deleted.append, revoke_tokens=True)  # None is left of it
    _there(deleted, client_id)


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
    now = int(clock())
    if not_after is not None and not now < not_after <= LAST_SECOND:
        raise AdminError("not_after lies in the past, or after the year 2105")
    new = _secret(secret, _known(client_id), allow_weak_secret, now, read_name(label), not_after)
    _there(store.update_client(client_id, lambda client: with_secret(client, new.record)), client_id)
    return new


def revoke_secret(store: ClientStore, client_id: str, secret_id: str, *, and_tokens: bool = False) -> None:
    """Refuse a secret from now on; ``and_tokens`` also ends all live tokens of the client.

    :raises NotFound: there is no such client or secret.
    """

    def change(client: Client) -> Client:
        return without_secret(client, secret_id)

    _there(store.update_client(_known(client_id), change, revoke_tokens=and_tokens), client_id)


def revoke_all_tokens(store: ClientStore, client_id: str) -> None:
    """End all tokens that a client has.

    :raises NotFound: there is no such client.
    """
    _there(revoke_all(store, _known(client_id)), client_id)


def _checked_id(given: str | None) -> str:
    client_id = new_client_id() if given is None else given
    check_client_id(client_id)
    return client_id


def _secret(
    text: str | None, client_id: str, allow_weak: bool, now: int, label: str = "", not_after: int | None = None
) -> NewSecret:
    """A fresh secret, or a given one that is judged first."""
    weak = text is not None and check_secret(text, client_id, allow_weak=allow_weak)
    text = new_secret() if text is None else text
    return NewSecret(hash_secret(text, label=label, created_at=now, not_after=not_after, weak=weak), text)


# What a change makes of a client.


def disabled(client: Client) -> Client:
    return replace(client, enabled=False)


def with_secret(client: Client, secret: ClientSecret) -> Client:
    """
    :raises AdminError: it has as many as it may have.
    """
    if secret in client.secrets:  # the call is repeated, because its outcome was not known
        return client
    if len(client.secrets) >= MAX_SECRETS:
        raise AdminError(f"a client has at most {MAX_SECRETS} secrets: revoke one first")
    return replace(client, secrets=(*client.secrets, secret))


def without_secret(client: Client, secret_id: str) -> Client:
    """
    :raises NotFound: it has no such secret.
    """
    left = tuple(secret for secret in client.secrets if secret.secret_id != secret_id)
    if len(left) == len(client.secrets):
        raise NotFound(f"client {client.client_id!r} has no secret {secret_id!r}")
    return replace(client, secrets=left)


def _known(client_id: str) -> str:
    """What cannot be an id never reaches the store, to which it may not even be text.

    :raises NotFound: it cannot.
    """
    return _there(client_id if is_printable(client_id) else None, client_id)


def _there(found: Found | None, client_id: str) -> Found:
    if not found:
        raise NotFound(f"there is no client {client_id!r}")
    return found
