"""The nouns of oauth_mw."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from .errors import DEFAULT_REALM

Value = str | int | float | bool
Clock = Callable[[], float]

# By their registered names (RFC 7591 §2).
CLIENT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

TOKEN_FORMATS = ("opaque", "jwt")

SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 §3.3
MAX_SCOPES = 200  # of a client

EMPTY: Mapping[str, Any] = MappingProxyType({})
BEARER_CHALLENGE = f'Bearer realm="{DEFAULT_REALM}"'

# Expiry stands in four bytes of a token's storage key.
LAST_SECOND = 2**32 - 1
MAX_LIFETIME = 10 * 366 * 24 * 3600

# Beyond all times and positions: a position in microseconds reaches it in the year 148,000.
MAX_NUMBER = 2**62

# Seconds for which an event stays in the log after the token's expiry: a day for clocks that differ, and the leeway. A
# token can be revoked for that long, because a machine whose clock is behind still accepts it.
LOG_KEEP_SECONDS = 24 * 3600 + 60
# Once a client has more live log-only revocations than this, all of its tokens are revoked.
MAX_LOG_ONLY_PER_CLIENT = 10_000
# If only this machine's clock says that a log-only event has expired, it stays for so many seconds more, and as many as
# its token had left. A clock that is ahead for less than that makes no revoked token valid again.
KEEP_AGAIN_SECONDS = 3600
CLIENTS_PER_PAGE = 200
# A follower that has missed more events than this forgets all that it knows instead.
MAX_EVENTS_PER_READ = 20_000


def _none() -> Mapping[str, Value]:
    return EMPTY


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An accepted access token, shared by all requests that carry it. It never holds the token's text.

    ``issued_at`` and ``expires_at`` are Unix seconds. ``token_id`` names the token in logs and commands, and is no
    credential. ``attributes`` are those of the client at the time of issue.
    """

    client_id: str
    scope: str
    scopes: frozenset[str]
    token_id: str
    issued_at: int
    expires_at: int
    audience: tuple[str, ...] = ()
    attributes: Mapping[str, Value] = field(default_factory=_none)
    confirmation: Mapping[str, str] | None = None
    public_attributes: frozenset[str] = field(default=frozenset(), repr=False)
    challenge: str = field(default=BEARER_CHALLENGE, repr=False, compare=False)
    position: int = field(default=0, repr=False, compare=False)

    def has_scope(self, *scopes: str) -> bool:
        """Return true if the token has all of ``scopes``."""
        return self.scopes.issuperset(scopes)


class ClientSecret(NamedTuple):
    """One secret of a client: a salted SHA-256, a label, and the Unix second after which it is refused.

    ``other`` holds members of its record that a newer version wrote, as in all records here.
    """

    secret_id: str
    salt: bytes
    digest: bytes
    label: str = ""
    created_at: int = 0
    not_after: int | None = None
    weak: bool = False
    other: Mapping[str, Any] = EMPTY

    def __repr__(self) -> str:
        return f"ClientSecret(secret_id={self.secret_id!r}, label={self.label!r}, not_after={self.not_after!r})"


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client (RFC 6749 §2).

    ``scopes`` are those that it may request, and ``default_scope`` those of a token for which it requests none.
    ``lifetime`` is that of its tokens, in seconds. ``audiences`` are the resources (RFC 8707) that it may request, or
    the identifiers of a resource server; if empty, those of this server. ``default_audience`` is the audience of a
    token for which it requests none. ``token_format`` is one of :data:`TOKEN_FORMATS`. Where it has ``None``, options
    decide.
    ``revoked_before`` is the log position of the last event that revoked all of its tokens, read together with the
    record; 0 if there was none.
    """

    client_id: str
    name: str = ""
    scopes: tuple[str, ...] = ()
    default_scope: tuple[str, ...] | None = None
    lifetime: int | None = None
    token_format: str | None = None
    audiences: tuple[str, ...] = ()
    default_audience: tuple[str, ...] | None = None
    attributes: Mapping[str, Value] = field(default_factory=_none)
    public_attributes: frozenset[str] = frozenset()
    resource_server: bool = False
    enabled: bool = True
    created_at: int = 0
    secrets: tuple[ClientSecret, ...] = ()
    revoked_before: int = 0
    other: Mapping[str, Any] = field(default_factory=_none, repr=False)


class TokenRecord(NamedTuple):
    """An opaque token as a store keeps it.

    ``position`` is its client's ``revoked_before`` as read at the issue; tokens issued by older versions have the
    position of the log's head instead. The token is revoked once its client's value is larger.
    """

    client_id: str
    scope: str
    issued_at: int
    position: int
    attributes: Mapping[str, Value] = EMPTY
    public_attributes: frozenset[str] = frozenset()
    audience: tuple[str, ...] = ()
    revoked: bool = False  # by itself, or by a later event that revoked all tokens of its client
    other: Mapping[str, Any] = EMPTY


class Revocation(NamedTuple):
    """One event of the revocation log: one token (``key``) is revoked, or all of a client's that were issued before.

    It names no client when all that followers know may be wrong. ``log_only`` is true when nothing but the log says
    that this token is revoked.
    """

    position: int
    client_id: str
    key: bytes | None = None
    log_only: bool = False


class LogPage(NamedTuple):
    """What a follower learns from one read of the log.

    ``store_id`` and ``position`` are the store's id and the last position now. ``complete`` is false if events between
    its last read and ``events`` may be missing, so that the follower must forget all that it knows.
    """

    store_id: str
    position: int
    events: Sequence[Revocation]
    complete: bool

    def since(self, store_id: str, after: int, swept_until: int) -> LogPage:
        """Reduce a page with the events from ``after`` on to what a follower needs that has read up to there.

        :param store_id: the id that it knows the store by.
        :param swept_until: the highest position that was swept out of the log.
        """
        # A restored backup may have moved on past the follower. Then the last event that it has read is missing.
        known = after == swept_until or (after > swept_until and self.events and self.events[0].position == after)
        if not store_id or store_id != self.store_id or not known or len(self.events) > MAX_EVENTS_PER_READ:
            return LogPage(self.store_id, self.position, [], False)
        return self._replace(events=[event for event in self.events if event.position > after])


class DenylistPage(NamedTuple):
    """A page of the denylist. ``following`` is the argument for the next page; ``None`` after the last one."""

    events: Sequence[Revocation]
    following: tuple[Any, ...] | None


class KeyRecord(NamedTuple):
    """A signing key as a store keeps it.

    ``public`` is a JWK and ``private`` a PEM, encrypted if a secret for that is configured. The key signs from the Unix
    second ``signs_from`` on until another key does, and verifies until its last token has expired, at ``needed_until``.
    """

    kid: str
    algorithm: str
    public: str
    private: str
    created_at: int = 0
    signs_from: int = 0
    needed_until: int = 0
    other: Mapping[str, Any] = EMPTY

    def __repr__(self) -> str:
        return f"KeyRecord(kid={self.kid!r}, algorithm={self.algorithm!r}, signs_from={self.signs_from!r})"


@dataclass(frozen=True, slots=True)
class KeySet:
    """All signing keys of a store, in the order in which they sign."""

    keys: tuple[KeyRecord, ...] = ()
    other: Mapping[str, Any] = field(default_factory=_none, repr=False)

    @classmethod
    def of(cls, records: Iterable[KeyRecord], other: Mapping[str, Any] = EMPTY) -> KeySet:
        return cls(tuple(sorted(records, key=lambda record: (record.signs_from, record.kid))), other)

    def find(self, kid: str) -> KeyRecord | None:
        return next((record for record in self.keys if record.kid == kid), None)


class StoredClient(NamedTuple):
    """A client as it is copied to another store. Of a deleted one, only the id and ``revoked_before`` are left."""

    client: Client
    deleted: bool = False


class LogRecord(NamedTuple):
    """An event of the log as it is copied, with the Unix second until which it is kept."""

    position: int
    client_id: str
    key: bytes | None
    keep_until: int
    log_only: bool = False


class LogState(NamedTuple):
    """The last position of a store's log, and the highest position that was swept out of it."""

    store_id: str
    position: int
    swept_until: int


class CopyState(NamedTuple):
    """Whether a store can become a copy of another one, or be brought up to date as one.

    ``origin`` is the id of the store that it is a copy of; empty when it is none, or was changed by other means since.
    A store ``is_empty`` when it never had a client and its log no event, and it has no signing keys.
    """

    origin: str
    is_empty: bool


@dataclass(frozen=True, slots=True)
class StoreStats:
    """What is in a store. ``size`` is in bytes, ``None`` where the engine does not tell it."""

    engine: str
    engine_version: str
    schema_version: int
    store_id: str
    position: int
    enabled: int
    disabled: int
    deleted: int
    secrets: int
    unexpired: int
    expired: int
    events: int
    keys: int = 0
    size: int | None = None
