"""The nouns of oauth_mw, and the narrow protocols between its rooms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, Protocol

from .errors import DEFAULT_REALM

Value = str | int | float | bool
Clock = Callable[[], float]

# By their registered names (RFC 7591 §2).
CLIENT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

EMPTY: Mapping[str, Value] = MappingProxyType({})
BEARER_CHALLENGE = f'Bearer realm="{DEFAULT_REALM}"'

# Expiry stands in four bytes of a token's storage key.
LAST_SECOND = 2**32 - 1
MAX_LIFETIME = 10 * 366 * 24 * 3600


def _none() -> Mapping[str, Value]:
    return EMPTY


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An accepted access token, shared by all requests that carry it. It never holds the token's text.

    ``issued_at`` and ``expires_at`` are Unix seconds; ``token_id`` names the token in logs and
    commands and opens nothing; ``attributes`` are those of the client at the time of issue.
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

    def has_scope(self, *scopes: str) -> bool:
        """True when the token has all of ``scopes``."""
        return self.scopes.issuperset(scopes)


class ClientSecret(NamedTuple):
    """One secret of a client: a salted SHA-256, a label, and the Unix second after which it is refused."""

    secret_id: str
    salt: bytes
    digest: bytes
    label: str = ""
    created_at: int = 0
    not_after: int | None = None
    weak: bool = False

    def __repr__(self) -> str:
        return f"ClientSecret(secret_id={self.secret_id!r}, label={self.label!r}, not_after={self.not_after!r})"


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client (RFC 6749 §2).

    ``scopes`` is what it may have, ``default_scope`` what it gets when it asks for nothing,
    ``lifetime`` its tokens' lifetime in seconds; ``position`` is the revocation log's position
    as read together with this record.
    """

    client_id: str
    name: str
    scopes: tuple[str, ...] = ()
    default_scope: tuple[str, ...] | None = None
    lifetime: int | None = None
    attributes: Mapping[str, Value] = field(default_factory=_none)
    public_attributes: frozenset[str] = frozenset()
    resource_server: bool = False
    enabled: bool = True
    created_at: int = 0
    secrets: tuple[ClientSecret, ...] = ()
    position: int = 0


class TokenRecord(NamedTuple):
    """A token as a store keeps it. ``client_id`` and ``position`` are those of the issue."""

    client_id: str
    scope: str
    issued_at: int
    position: int
    attributes: Mapping[str, Value] = EMPTY
    public_attributes: frozenset[str] = frozenset()
    revoked: bool = False  # by itself, or by a later event that ended all tokens of its client


class Ended(NamedTuple):
    """One event of the revocation log: one token ended (``key``), or all of a client's issued before it."""

    position: int
    client_id: str
    key: bytes | None = None


class LogPage(NamedTuple):
    """What a follower learns from one look at the log.

    ``store_id`` and ``position`` say where it stands now; ``complete`` is false when events
    between its last look and ``events`` may be missing, so that it must forget all it knows.
    """

    store_id: str
    position: int
    events: Sequence[Ended]
    complete: bool


class ClientRecord(NamedTuple):
    """A client as it moves to another store. Of a deleted one only the id is left.

    ``ended`` is the position of the last event that ended all of its tokens.
    """

    client: Client
    ended: int
    deleted: bool = False


class LogRecord(NamedTuple):
    """An event of the log as it moves, with the Unix second until which it is kept."""

    position: int
    client_id: str
    key: bytes | None
    keep_until: int


class Standing(NamedTuple):
    """Where a store's log stands, and the highest position that was swept out of it."""

    store_id: str
    position: int
    floor: int


@dataclass(frozen=True, slots=True)
class Holdings:
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
    size: int | None = None


class ClientReader(Protocol):
    def find_client(self, client_id: str) -> Client | None:
        """The client with its secrets, and the log's position as of the same moment."""


class ClientStore(ClientReader, Protocol):
    """Registration. Every change survives power loss once the call has returned."""

    def clients(self) -> Iterable[Client]: ...

    def add_client(self, client: Client) -> bool:
        """False when the id exists or ever existed."""

    def update_client(self, client_id: str, change: Callable[[Client], Client]) -> Client | None:
        """Read, change and write name, scopes, lifetime, attributes, role and ``enabled`` in one step.

        What ``change`` raises leaves the client as it was. ``None`` when there is no such client.
        """

    def end_client(self, client_id: str, *, disable: bool = False, delete: bool = False) -> bool:
        """End all tokens issued so far, in one step with what else is asked; false when there is no such client."""

    def add_secret(self, client_id: str, secret: ClientSecret) -> bool: ...

    def remove_secret(self, client_id: str, secret_id: str, *, and_tokens: bool = False) -> bool: ...


class TokenStore(Protocol):
    """Opaque tokens, by storage key: four bytes of expiry, then 28 of the text's SHA-256."""

    def add_token(self, key: bytes, token: TokenRecord) -> None: ...

    def find_token(self, key: bytes) -> TokenRecord | None: ...

    def revoke_token(self, key: bytes) -> bool:
        """Mark and log a live token, once: false when it is unknown or was ended before."""

    def sweep(self, now: int, limit: int) -> int:
        """Remove at most ``limit`` rows that expired before ``now``; how many went."""

    def count_tokens(self, before: int | None = None) -> int:
        """How many rows there are; with ``before``, how many expired before that Unix second."""


class RevocationLog(Protocol):
    """One ordered log of all that ends tokens early.

    Where ``immediate`` is true, ``generation()`` is cheap and changes, before a revocation is
    acknowledged, on every worker that can reach the store; it may change more often, and its value
    means nothing but by comparison. Elsewhere it never changes: what the log said holds for as long
    as the reader chooses, and :meth:`watch` tells of what this process itself has ended.
    """

    @property
    def immediate(self) -> bool: ...

    @property
    def generation(self) -> Callable[[], object]: ...

    def look(self) -> None:
        """Make sure, once a second, that the files or connections behind ``generation`` are still the store's."""

    def read_log(self, store_id: str, after: int) -> LogPage: ...

    def watch(self, ended: Callable[[], None]) -> None:
        """Call ``ended`` after each event that this object appends, before its call returns, unless ``immediate``."""


class Movable(Protocol):
    """All that a store has, for a move into another one, in batches. Each step is done whole or not at all.

    Whoever takes remembers the store it is a copy of by its id, ``origin``, and refuses to take
    once it was changed by anybody else. ``AdminError`` says so.
    """

    def standing(self) -> Standing: ...

    def read_clients(self) -> Iterator[Sequence[ClientRecord]]:
        """All, with the deleted ones."""

    def read_events(self, after: int) -> Iterator[Sequence[LogRecord]]:
        """What the log holds after this position, in order."""

    def read_keys(self, now: int) -> Iterator[Sequence[bytes]]:
        """Those of the tokens that have not expired, in order where the engine has one."""

    def read_tokens(self, keys: Sequence[bytes]) -> Sequence[tuple[bytes, TokenRecord]]:
        """Those that are still there, ``revoked`` if by themselves; ``keys`` are of one batch."""

    def become_copy(self, origin: str) -> None:
        """
        :raises AdminError: it is no copy of ``origin``, or was changed since, and is not empty.
        """

    def take_clients(self, origin: str, records: Sequence[ClientRecord]) -> Sequence[ClientRecord]:
        """Make the clients what they are there; those that were not."""

    def take_events(self, origin: str, events: Sequence[LogRecord], position: int, floor: int) -> None:
        """Append what happened there, with all that follows from it, up to ``position``."""

    def missing(self, keys: Sequence[bytes]) -> Sequence[bytes]:
        """Those that no token has here."""

    def take_tokens(self, origin: str, tokens: Sequence[tuple[bytes, TokenRecord]]) -> int:
        """Add tokens of known clients; how many were not there."""

    def holdings(self, now: int) -> Holdings: ...


class Store(ClientStore, TokenStore, RevocationLog, Protocol):
    """All of it, as :func:`oauth_mw.open_store` gives it.

    ``single_process`` is true when other processes cannot see what is stored.
    """

    @property
    def url(self) -> str: ...

    @property
    def single_process(self) -> bool: ...

    def movable(self) -> Movable: ...

    def warnings(self) -> Sequence[str]:
        """What an operator should know: above all what a crash or a power failure would cost."""

    def close(self) -> None: ...
