"""The nouns of oauth_mw."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple
from wsgiref.types import WSGIEnvironment

from .server import NO_SERVER, Server

Value = str | int | float | bool
Clock = Callable[[], float]

# By their registered names (RFC 7591 §2).
CLIENT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

TOKEN_FORMATS = ("opaque", "jwt")

# What happens beyond a quota of tokens: the client is refused, or only reported.
REPORT = "report"
QUOTA_MODES = ("enforce", REPORT)

SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 §3.3
MAX_SCOPES = 200  # of a client

EMPTY: Mapping[str, Any] = MappingProxyType({})

# A token's storage key has its expiry in four bytes.
LAST_SECOND = 2**32 - 1
MAX_LIFETIME = 10 * 366 * 24 * 3600

# Beyond all times and positions: a position in microseconds reaches it in the year 148,000.
MAX_NUMBER = 2**62

# Seconds for which an event is kept in the log after the token's expiry: a day for clocks that differ, and the leeway.
# A token can be revoked for that long, because a machine whose clock is behind still accepts it.
LOG_KEEP_SECONDS = 24 * 3600 + 60
# If only this machine's clock says that a log-only event has expired, it is kept for as many seconds more, and as many
# as its token had left. A clock that is ahead for less than that makes no revoked token valid again.
KEEP_AGAIN_SECONDS = 3600
# Seconds for which a counter is kept after its window: a worker whose clock is behind still counts in it.
COUNTER_KEEP_SECONDS = 3600
CLIENTS_PER_PAGE = 200
TOKENS_PER_PAGE = 500

# The key of an event that revokes nothing, and has followers drop what they have cached of its client's tokens. No key
# of a token is that short. Versions that do not know it find no token with this key, and none revoked.
EVICTION = b"-"


class Sizes(NamedTuple):
    """How much a store reads at once, and keeps.

    :ivar events_per_read: a follower that has missed more events drops all that it has cached instead.
    :ivar denylist_page: entries of the denylist in a page, more or less.
    :ivar log_only_per_client: once a client has more live log-only revocations, all of its tokens are revoked.
    :ivar counted: tokens that are counted by one statement.
    """

    events_per_read: int = 20_000
    denylist_page: int = 2000
    log_only_per_client: int = 10_000
    counted: int = 100_000


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
    attributes: Mapping[str, Value] = field(default_factory=lambda: EMPTY)
    confirmation: Mapping[str, str] | None = None
    public_attributes: frozenset[str] = field(default=frozenset(), repr=False)
    server: Server = field(default=NO_SERVER, repr=False, compare=False)
    position: int = field(default=0, repr=False, compare=False)
    checks: tuple[Check, ...] = field(default=(), repr=False, compare=False)

    def has_scope(self, *scopes: str) -> bool:
        """Return true if the token has all of ``scopes``."""
        return self.scopes.issuperset(scopes)


# A further condition on an accepted token and its request: it raises a refusal, or returns.
Check = Callable[[WSGIEnvironment, AccessToken], None]

_values = attrgetter(*AccessToken.__slots__)
_Draft: Any = make_dataclass("_Draft", AccessToken.__slots__, slots=True)


def new_token(*values: object) -> AccessToken:
    """Make an :class:`AccessToken` of the values of all its fields, in their order.

    A frozen dataclass sets each field by a call, which takes four times as long as to set those of another object with
    the same slots, and then exchange its class.
    """
    token = _Draft(*values)
    token.__class__ = AccessToken
    return token  # type: ignore[no-any-return]


def with_terms(token: AccessToken, checks: tuple[Check, ...], not_after: int | None) -> AccessToken:
    """Return the same token with other checks, and expired from the Unix second ``not_after`` on."""
    *values, _ = _values(token)
    if not_after is not None:
        values[_EXPIRES_AT] = min(token.expires_at, not_after)
    return new_token(*values, checks)


_EXPIRES_AT = AccessToken.__slots__.index("expires_at")


class Issued(NamedTuple):
    """A token that was just issued: the only object with its ``text``. The rest is as in :class:`AccessToken`."""

    text: str
    token_id: str
    expires_at: int
    audience: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Issued(token_id={self.token_id!r}, expires_at={self.expires_at!r}, audience={self.audience!r})"


class Verifiers(NamedTuple):
    """What decides about a client, in a size that is the same for all ids.

    ``secrets`` are what a presented secret is compared with, see :mod:`oauth_mw.credentials`. ``record`` is the SHA-256
    of the client's record: while it and ``revoked_before`` are the same, so is the client.
    """

    secrets: bytes
    record: bytes
    revoked_before: int


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
    token for which it requests none. ``token_format`` is one of :data:`TOKEN_FORMATS`. ``None`` stands for the option.
    ``allowed_addresses`` are the networks (CIDR) from which it and its tokens are accepted; if empty, all.
    ``allowed_requests`` are what its tokens may be used for, as "GET,POST /weather/*"; if empty, everything.
    ``rate_limit`` is how many requests it may send with its tokens, as "100/minute". ``not_after`` is the Unix second
    from which it and its tokens are refused. ``tokens_per_hour`` and ``tokens_per_day`` are how many tokens it is
    issued at most, and ``quota_mode`` is one of :data:`QUOTA_MODES`; ``None`` is the first.
    ``revoked_secrets`` are the ids of secrets that were revoked or made room for others, the latest at the end: a file
    of clients brings none of them back. ``imported`` has what each value was where it was imported from,
    most as a mark, so that another import knows what has changed there.
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
    attributes: Mapping[str, Value] = field(default_factory=lambda: EMPTY)
    public_attributes: frozenset[str] = frozenset()
    resource_server: bool = False
    enabled: bool = True
    created_at: int = 0
    secrets: tuple[ClientSecret, ...] = ()
    allowed_addresses: tuple[str, ...] = ()
    allowed_requests: tuple[str, ...] = ()
    rate_limit: str | None = None
    not_after: int | None = None
    tokens_per_hour: int | None = None
    tokens_per_day: int | None = None
    quota_mode: str | None = None
    revoked_secrets: tuple[str, ...] = ()
    imported: Mapping[str, str] = field(default_factory=lambda: EMPTY, repr=False)
    revoked_before: int = 0
    other: Mapping[str, Any] = field(default_factory=lambda: EMPTY, repr=False)


class TokenRecord(NamedTuple):
    """An opaque token as a store keeps it.

    ``position`` is its client's ``revoked_before`` as read at the issue; tokens issued by older versions have the
    position of the log's head instead. Once its client's value is larger, the token is revoked unless it was spared:
    see :mod:`oauth_mw.cutoffs`.
    """

    client_id: str
    scope: str
    issued_at: int
    position: int
    attributes: Mapping[str, Value] = EMPTY
    public_attributes: frozenset[str] = frozenset()
    audience: tuple[str, ...] = ()
    revoked: bool = False  # by itself, or together with others of its client
    other: Mapping[str, Any] = EMPTY


class Count(NamedTuple):
    """One more in a counter, unless it is at its ``limit`` (``None``: it has none).

    ``key``, of at most 32 bytes, names what is counted and the window; ``until`` is the Unix second at which the window
    ends. A counter that is not there is 0.
    """

    key: bytes
    limit: int | None
    until: int


class Counted(NamedTuple):
    """What came of several counts.

    :ivar values: the counters afterwards, in the order of the counts.
    :ivar full: the places of those that were at their limits already: then nothing was counted.
    """

    values: tuple[int, ...]
    full: tuple[int, ...] = ()


NOTHING_COUNTED = Counted(())


class Revocation(NamedTuple):
    """One event of the revocation log: one token (``key``) is revoked, or all of a client's that were issued before.

    With the key :data:`EVICTION` it revokes none: what the client's tokens may do has changed. With a key of
    :mod:`oauth_mw.cutoffs` it spares some from the event before it. It names no client if followers must drop all that
    they have cached. ``log_only`` is true if only the log says that this token is revoked.
    """

    position: int
    client_id: str
    key: bytes | None = None
    log_only: bool = False


class LogPage(NamedTuple):
    """One read of the log by a follower.

    ``store_id`` and ``position`` are the store's id and the last position now. ``complete`` is false if events between
    its last read and ``events`` may be missing, so that the follower must drop all that it has cached.
    """

    store_id: str
    position: int
    events: Sequence[Revocation]
    complete: bool

    def since(self, store_id: str, after: int, swept_until: int, *, at_most: int) -> LogPage:
        """Reduce a page of the events from ``after`` on to those that a follower needs which has read up to there.

        :param store_id: the store's id when the follower read it last.
        :param swept_until: the highest position that was swept out of the log.
        :param at_most: with more events, none is returned.
        """
        # A restored backup may have moved on past the follower. Then the last event that it has read is missing.
        known = after == swept_until or (after > swept_until and self.events and self.events[0].position == after)
        if not store_id or store_id != self.store_id or not known or len(self.events) > at_most:
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
    other: Mapping[str, Any] = field(default_factory=lambda: EMPTY, repr=False)

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
    """What is in a store. ``size`` is in bytes, ``None`` if the engine does not report it."""

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
