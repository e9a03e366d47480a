"""Clients and their secrets, and what their fields may be."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, TypedDict, TypeVar, Unpack

from ..attributes import change, check_attributes, unite
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
from ..model import EMPTY, LAST_SECOND, MAX_LIFETIME, MAX_SCOPES, TOKEN_FORMATS, Client, ClientSecret, Clock, Value
from ..protocols import ClientStore
from ..resources import check_resources
from ..scopes import check_scopes, oddity
from ..texts import PRINTABLE, unprintable
from ..tokens.revocation import revoke_all

T = TypeVar("T")

# The fields that an update can clear, and their values then.
CLEARED: Mapping[str, tuple[str, ...] | None] = {
    "default_scope": None,
    "lifetime": None,
    "token_format": None,
    "audiences": (),
    "default_audience": None,
}


class ClientFields(TypedDict, total=False):
    """Fields of a client that ``add_client`` and ``update_client`` take. ``None`` leaves a field as it is.

    ``scope`` has the scopes that the client may have, separated by spaces (RFC 6749 §3.3), and ``default_scope`` the
    scope of its tokens if a request names none. ``lifetime`` of its tokens is in seconds; their ``token_format`` is
    ``opaque`` or ``jwt``. ``audiences`` are the URIs that its tokens may be for (RFC 8707), or that identify it as a
    resource server; ``default_audience`` is that of its tokens if a request names none. A ``resource_server`` may
    introspect tokens that are for it, and is issued none.
    """

    scope: str | None
    default_scope: str | None
    lifetime: int | None
    token_format: str | None
    audiences: Iterable[str] | None
    default_audience: Iterable[str] | None
    resource_server: bool | None


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
    first = _secret(secret, client_id, allow_weak_secret, now)
    client = Client(
        client_id=client_id,
        name=read_name(name),
        attributes=MappingProxyType(unite(attributes, public_attributes)),
        public_attributes=frozenset(public_attributes),
        created_at=now,
        secrets=(first.record,),
        **read_fields(fields, allow_odd_scope=allow_odd_scope),
    )
    if not store.add_client(check_client(client)):
        raise AdminError(f"the client id {client_id!r} is in use, or was")
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
    **fields: Unpack[ClientFields],
) -> Client:
    """Change the given fields, for tokens issued from now on. The parameters are those of :func:`add_client`.

    ``audiences``, ``default_audience``, ``attributes`` and ``public_attributes`` replace all values of their kind.

    :param clear: fields to remove: ``default_scope``, ``lifetime``, ``token_format``, ``audiences``,
        ``default_audience``.
    :raises AdminError: a value is not allowed.
    """
    if not set(clear) <= CLEARED.keys():
        raise AdminError(f"only these can be cleared: {', '.join(CLEARED)}")
    new = read_fields(fields, allow_odd_scope=allow_odd_scope) | {field: CLEARED[field] for field in clear}
    if name is not None:
        new["name"] = read_name(name)

    def changed(client: Client) -> Client:
        values, public = change(client, attributes, public_attributes)
        return check_client(replace(client, **new, attributes=MappingProxyType(values), public_attributes=public))

    return _change(store, client_id, changed)


def enable_client(store: ClientStore, client_id: str) -> None:
    """Issue tokens to the client again. Its earlier tokens stay revoked."""
    _change(store, client_id, lambda client: replace(client, enabled=True))


def disable_client(store: ClientStore, client_id: str) -> None:
    """Refuse the client and revoke all of its tokens."""
    _change(store, client_id, disabled, revoke_tokens=True)


def delete_client(store: ClientStore, client_id: str) -> None:
    """Remove the client and its secrets, and revoke all of its tokens. Its id is never reused."""
    deleted: list[Client] = []
    store.update_client(_possible(client_id), deleted.append, revoke_tokens=True)  # append returns None
    _found(deleted, client_id)


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
    :raises AdminError: the client has too many secrets, this one is weak, or ``not_after`` has passed.
    """
    now = int(clock())
    if not_after is not None and not now < not_after <= LAST_SECOND:
        raise AdminError("not_after is in the past, or after the year 2105")
    new = _secret(secret, _possible(client_id), allow_weak_secret, now, read_name(label), not_after)
    _change(store, client_id, partial(with_secret, secret=new.record))
    return new


def revoke_secret(store: ClientStore, client_id: str, secret_id: str, *, and_tokens: bool = False) -> None:
    """Revoke a secret; with ``and_tokens`` also all tokens of the client."""
    _change(store, client_id, partial(without_secret, secret_id=secret_id), revoke_tokens=and_tokens)


def revoke_all_tokens(store: ClientStore, client_id: str) -> None:
    """Revoke all tokens of a client. It may request new ones."""
    _found(revoke_all(store, _possible(client_id)), client_id)


def _secret(
    text: str | None, client_id: str, allow_weak: bool, now: int, label: str = "", not_after: int | None = None
) -> NewSecret:
    """A generated secret, or an existing one once it is checked."""
    weak = text is not None and check_secret(text, client_id, allow_weak=allow_weak)
    text = new_secret() if text is None else text
    return NewSecret(hash_secret(text, label=label, created_at=now, not_after=not_after, weak=weak), text)


def disabled(client: Client) -> Client:
    return replace(client, enabled=False)


def with_secret(client: Client, secret: ClientSecret) -> Client:
    if secret in client.secrets:  # a store may repeat a change whose outcome is unknown
        return client
    if len(client.secrets) >= MAX_SECRETS:
        raise AdminError(f"a client has at most {MAX_SECRETS} secrets: revoke one first")
    return replace(client, secrets=(*client.secrets, secret))


def without_secret(client: Client, secret_id: str) -> Client:
    left = tuple(secret for secret in client.secrets if secret.secret_id != secret_id)
    if len(left) == len(client.secrets):
        raise NotFound(f"client {client.client_id!r} has no secret {secret_id!r}")
    return replace(client, secrets=left)


def _change(
    store: ClientStore, client_id: str, change: Callable[[Client], Client], *, revoke_tokens: bool = False
) -> Client:
    return _found(store.update_client(_possible(client_id), change, revoke_tokens=revoke_tokens), client_id)


def _possible(client_id: str) -> str:
    """Return an id that a client can have. Others never reach the store, which may be unable to encode them."""
    return _found(client_id if is_printable(client_id) else None, client_id)


def _found(found: T | None, client_id: str) -> T:
    if not found:
        raise NotFound(f"there is no client {client_id!r}")
    return found


# What the fields may be


def read_fields(fields: ClientFields, *, allow_odd_scope: bool) -> dict[str, Any]:
    """Check and convert the fields that are not ``None``. The result names them as :class:`Client` does.

    :raises AdminError: a value is not allowed.
    """
    if unknown := fields.keys() - ClientFields.__annotations__.keys():
        raise TypeError(f"a client has no field {', '.join(sorted(unknown))}")
    scopes = partial(_scopes, allow_odd=allow_odd_scope)
    convert: dict[str, Callable[[Any], Any]] = {
        "scope": scopes,
        "default_scope": scopes,
        "audiences": check_resources,
        "default_audience": check_resources,
    }
    return {
        "scopes" if name == "scope" else name: convert[name](value) if name in convert else value
        for name, value in fields.items()
        if value is not None
    }


def read_name(text: str) -> str:
    """Return the text; ``AdminError`` is raised if it cannot be a name or label."""
    if len(text) > 200:
        raise AdminError("a name or label has at most 200 printable characters")
    if bad := unprintable(text):
        raise AdminError(f"a name or label is printable text, without {bad}: {PRINTABLE}")
    return text


def _scopes(text: str, allow_odd: bool) -> tuple[str, ...]:
    try:
        scopes = check_scopes(text.split(), allow_odd=True)
    except ValueError as error:
        raise AdminError(str(error)) from None
    if len(scopes) > MAX_SCOPES:
        raise AdminError(f"a client has at most {MAX_SCOPES} scopes, not {len(scopes)}")
    if not allow_odd and (refusal := oddity(scopes)):
        raise AdminError(f"{refusal} (--allow-odd-scope takes it as it is)")
    return scopes


def check_client(client: Client) -> Client:
    """Check a client as a whole, and return it.

    :raises AdminError: fields contradict each other, or a value is not allowed.
    """
    if client.default_scope is not None and not set(client.default_scope) <= set(client.scopes):
        raise AdminError("the default scope must be part of the scope")
    if client.lifetime is not None and not (type(client.lifetime) is int and 1 <= client.lifetime <= MAX_LIFETIME):
        raise AdminError(f"a lifetime has from 1 to {MAX_LIFETIME} seconds")
    if client.token_format not in (None, *TOKEN_FORMATS):
        raise AdminError(f"a token format is one of: {', '.join(TOKEN_FORMATS)}")
    if client.default_audience == ():
        raise AdminError("a default audience names at least one")
    if client.audiences and not set(client.default_audience or ()) <= set(client.audiences):
        raise AdminError("the default audience must be among the audiences")
    check_attributes(client.attributes)
    return client
