"""Clients and their secrets."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import NamedTuple, TypeVar, Unpack

from ..attributes import change, unite
from ..credentials import (
    MAX_REVOKED,
    MAX_SECRETS,
    check_client_id,
    check_secret,
    has_expired,
    hash_secret,
    is_printable,
    new_client_id,
    new_secret,
)
from ..errors import AdminError, NotFound
from ..model import EMPTY, MAX_SCOPES, Client, ClientSecret, Clock, Value
from ..protocols import ClientStore
from ..quotas import has_quota
from ..tokens.revoking import revoke_all
from .fields import CLEARED, LIVE, ClientFields, check_client, later, read_fields, read_name
from .trail import changes_of, record_changes, recording

T = TypeVar("T")


class NewClient(NamedTuple):
    """A client and the text of its secret, which the store does not have: it has only a hash."""

    client: Client
    secret: str

    def __repr__(self) -> str:
        return f"NewClient(client={self.client!r})"


class NewSecret(NamedTuple):
    """A secret as it is stored, and its text."""

    record: ClientSecret
    secret: str

    def __repr__(self) -> str:
        return f"NewSecret(record={self.record!r})"


def add_client(
    store: ClientStore,
    name: str,
    *,
    attributes: Mapping[str, Value] = EMPTY,
    public_attributes: Mapping[str, Value] = EMPTY,
    allow_odd_scope: bool = False,
    client_id: str | None = None,
    secret: str | None = None,
    allow_weak_secret: bool = False,
    clock: Clock = time.time,
    **fields: Unpack[ClientFields],
) -> NewClient:
    """Register a client with one secret.

    :param fields: see :class:`ClientFields`.
    :param attributes: copied to each token, for the app; ``public_attributes`` also for the client.
    :param allow_odd_scope: accept scopes that look like a mistake, such as ``a,b`` or ``#a``.
    :param client_id: an existing id; by default a generated one. An id is never reused.
    :param secret: an existing secret, also a guessable one with ``allow_weak_secret``; by default 256 random bits.
    :raises AdminError: a value is not allowed, or the id is or was in use.
    """
    client_id, now = new_client_id() if client_id is None else client_id, int(clock())
    check_client_id(client_id)
    first = made_secret(secret, client_id, allow_weak_secret, now)
    client = Client(
        client_id=client_id,
        name=read_name(name),
        attributes=MappingProxyType(unite(attributes, public_attributes)),
        public_attributes=frozenset(public_attributes),
        created_at=now,
        secrets=(first.record,),
        **read_fields(fields, allow_odd_scope=allow_odd_scope, now=now),
    )
    with recording(store, partial(changes_of, None, client)) as record:
        if not store.add_client(check_client(client)):
            raise AdminError(f"the client id {client_id!r} is in use, or was")
        record_changes(record, None, client)
    return NewClient(client, first.secret)


def get_client(store: ClientStore, client_id: str) -> Client:
    """Return a client."""
    return _found(store.find_client(_possible(client_id)), client_id)


def list_clients(store: ClientStore) -> Iterator[Client]:
    """Iterate over all clients in the order of their ids, page by page."""
    after = ""
    while page := store.clients(after):
        yield from page
        after = page[-1].client_id


def client_warnings(store: ClientStore) -> list[str]:
    """Warnings about clients that have more scopes than is allowed now."""
    return [
        f"client {client.client_id!r} has {len(client.scopes)} scopes, more than the {MAX_SCOPES} allowed now: "
        "its tokens stay valid; reduce its scopes, or divide them among several clients"
        for client in list_clients(store)
        if len(client.scopes) > MAX_SCOPES
    ]


def update_client(
    store: ClientStore,
    client_id: str,
    *,
    name: str | None = None,
    attributes: Mapping[str, Value] | None = None,
    public_attributes: Mapping[str, Value] | None = None,
    allow_odd_scope: bool = False,
    clear: Collection[str] = (),
    clock: Clock = time.time,
    **fields: Unpack[ClientFields],
) -> Client:
    """Change the given fields, for tokens issued from now on. The parameters are those of :func:`add_client`.

    Addresses, requests, rate limit and ``not_after`` hold for tokens that were issued before, too; none lives longer
    than it would have.

    Fields with several values, such as ``audiences`` and ``attributes``, replace all values of their kind.

    :param clear: fields to remove, of :data:`CLEARED`.
    :raises AdminError: a value is not allowed.
    """
    if not set(clear) <= CLEARED.keys():
        raise AdminError(f"only these can be cleared: {', '.join(CLEARED)}")
    new = read_fields(fields, allow_odd_scope=allow_odd_scope, now=int(clock()))
    new |= {field: CLEARED[field] for field in clear}
    if name is not None:
        new["name"] = read_name(name)

    def changed(client: Client) -> Client:
        values, public = change(client, attributes, public_attributes)
        made = replace(client, **new, attributes=MappingProxyType(values), public_attributes=public)
        if "quota_mode" not in new and not has_quota(made):  # it would hold for another quota, unseen
            made = replace(made, quota_mode=None)
        return check_client(made)

    return change_client(store, client_id, changed, evict_tokens=not LIVE.isdisjoint(new))


def enable_client(store: ClientStore, client_id: str) -> None:
    """Issue tokens to the client again. Its earlier tokens stay revoked."""
    change_client(store, client_id, lambda client: replace(client, enabled=True))


def disable_client(store: ClientStore, client_id: str) -> None:
    """Refuse the client and revoke all of its tokens."""
    change_client(store, client_id, lambda client: replace(client, enabled=False), revoke_tokens=True)


def delete_client(store: ClientStore, client_id: str) -> None:
    """Remove the client and its secrets, and revoke all of its tokens. Its id is never reused."""
    deleted: list[Client] = []
    with recording(store, lambda: changes_of(deleted[-1], None, revoked=True) if deleted else ()) as record:
        store.update_client(_possible(client_id), deleted.append, revoke_tokens=True)  # append returns None
        record_changes(record, _found(deleted, client_id)[-1], None, revoked=True)


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
    """Add a secret to a client; the others stay valid.

    :param label: a note on its purpose.
    :param not_after: the Unix second from which it is refused.
    :param secret: an existing secret, also a guessable one with ``allow_weak_secret``; by default 256 random bits.
    :raises AdminError: the client has too many secrets that have not expired, this one is weak, or ``not_after`` has
        passed.
    """
    now = int(clock())
    new = made_secret(secret, _possible(client_id), allow_weak_secret, now, read_name(label), not_after)
    change_client(store, client_id, partial(with_secret, secret=new.record, now=now))
    return new


def revoke_all_tokens(
    store: ClientStore, client_id: str, *, issued_before: int | None = None, clock: Clock = time.time
) -> None:
    """Revoke all tokens of a client. It may request new ones.

    :param issued_before: only those that were issued before this Unix second, by the clock of the worker that issued
        them. If an earlier call had a later one, that one counts.
    :raises AdminError: ``issued_before`` is in the future, not above 0, or no whole number.
    """
    if issued_before is not None:
        if type(issued_before) is not int or issued_before < 1:  # an audit event with 0 says that all were revoked
            raise AdminError("issued_before is a whole number of Unix seconds after 1970 began: no token is older")
        if issued_before > clock():
            raise AdminError("the moment is in the future: name none to revoke all tokens that were issued until now")
    about = {"client_id": client_id, "issued_before": issued_before or 0}
    with recording(store, lambda: [("tokens_revoked", about)]) as record:
        client = _found(revoke_all(store, _possible(client_id), issued_before), client_id)
        record("tokens_revoked", **about, client_name=client.name)


def made_secret(
    text: str | None, client_id: str, allow_weak: bool, now: int, label: str = "", not_after: int | None = None
) -> NewSecret:
    """A generated secret, or an existing one once it is checked."""
    if not_after is not None:
        later(not_after, now)
    weak = text is not None and check_secret(text, client_id, allow_weak=allow_weak)
    text = new_secret() if text is None else text
    return NewSecret(hash_secret(text, label=label, created_at=now, not_after=not_after, weak=weak), text)


def with_secret(client: Client, secret: ClientSecret, now: float) -> Client:
    """Add a secret. If there are too many, those make room that have expired, the earliest first."""
    if secret in client.secrets:  # a store may repeat a change whose outcome is unknown
        return client
    expired = sorted((each for each in client.secrets if has_expired(each, now)), key=lambda each: each.not_after or 0)
    removed = expired[: max(len(client.secrets) + 1 - MAX_SECRETS, 0)]
    left = tuple(each for each in client.secrets if each not in removed)
    if len(left) >= MAX_SECRETS:
        raise AdminError(f"a client has at most {MAX_SECRETS} secrets, and none of these has expired: revoke one first")
    revoked = remembered(client.revoked_secrets, (each.secret_id for each in removed))
    return replace(client, secrets=(*left, secret), revoked_secrets=revoked)


def without_secret(client: Client, secret_id: str) -> Client:
    left = tuple(secret for secret in client.secrets if secret.secret_id != secret_id)
    if len(left) == len(client.secrets):
        raise NotFound(f"client {client.client_id!r} has no secret {secret_id!r}")
    return replace(client, secrets=left, revoked_secrets=remembered(client.revoked_secrets, [secret_id]))


def remembered(revoked: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    """Ids of revoked secrets with more of them at the end: the last :data:`MAX_REVOKED` are kept."""
    return tuple(dict.fromkeys((*revoked, *more)))[-MAX_REVOKED:]


def change_client(
    store: ClientStore,
    client_id: str,
    change: Callable[[Client], Client],
    *,
    revoke_tokens: bool = False,
    evict_tokens: bool = False,
) -> Client:
    made: list[tuple[Client, Client]] = []  # before and after; a store may repeat a change

    def observed(client: Client) -> Client:
        made.append((client, change(client)))
        return made[-1][1]

    with recording(store, lambda: changes_of(*made[-1], revoked=revoke_tokens) if made else ()) as record:
        found = store.update_client(
            _possible(client_id), observed, revoke_tokens=revoke_tokens, evict_tokens=evict_tokens
        )
        changed = _found(found, client_id)
        # A store may repeat a change whose outcome is unknown: then the last one changes nothing.
        before = next((each for each, _ in reversed(made) if any(changes_of(each, changed))), changed)
        record_changes(record, before, changed, revoked=revoke_tokens)
    return changed


def _possible(client_id: str) -> str:
    """Return an id that a client can have. Others never reach the store, which may be unable to encode them."""
    return _found(client_id if is_printable(client_id) else None, client_id)


def _found(found: T | None, client_id: str) -> T:
    if not found:
        raise NotFound(f"there is no client {client_id!r}")
    return found
