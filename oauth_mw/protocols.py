"""What a store is, in narrow protocols by caller. The suite in tests/stores/contract holds each store to it.

- **Errors.** What cannot be done or be known now is :exc:`~oauth_mw.errors.StoreUnavailable`, and nothing else: an
  engine that does not answer, a record that holds what was never written there, a change that may not have been kept.
  Its text holds no secret, token or password. A text that cannot be stored is
  :exc:`~oauth_mw.errors.AdminError`, and what a ``change`` raises passes through.
- **Time.** Each call is over by :func:`~oauth_mw.deadlines.deadline_in` of the timeout, waits for locks included.
- **Threads and forks.** All methods may be called from all threads at once. After a fork, parent and child each go on
  without the other noticing; nothing that was open before is shared.
- **Atomicity.** Each call takes effect at one moment or not at all, for every process that uses the store; also when
  the process is killed. A call that raised ``StoreUnavailable`` may have taken effect, and can be repeated.
- **Durability.** What revokes tokens, and every change of clients and keys, survives power loss as well as the engine
  is configured for, before the call returns. So does what a call reports as already done. New tokens may be lost.
- **Rules.** A store knows none about clients, keys and revocations: those are functions above it, which it runs within
  its atomic step. They are quick, and ask the store nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from .model import (
    Client,
    DenylistPage,
    KeySet,
    LogPage,
    LogRecord,
    LogState,
    StoredClient,
    StoreStats,
    TokenRecord,
)


class ClientReader(Protocol):
    def find_verifiers(self, client_id: str) -> bytes:
        """What the secrets of a client are compared with (see :mod:`oauth_mw.credentials`), without its record.

        Of an unknown client there are none, or blank ones. The time that it takes says next to nothing about the
        client.
        """

    def find_client(self, client_id: str) -> Client | None:
        """The client with its secrets and its ``revoked_before``, all as of one moment."""


class ClientStore(ClientReader, Protocol):
    """Registration. Every change survives power loss once the call has returned."""

    def clients(self, after: str = "") -> Sequence[Client]:
        """Some of the clients that follow the id ``after``, in order of their ids; none when there are no more."""

    def add_client(self, client: Client) -> bool:
        """False when the id exists or ever existed."""

    def update_client(
        self, client_id: str, change: Callable[[Client], Client | None], *, revoke_tokens: bool = False
    ) -> Client | None:
        """Read, change and write a client in one atomic step: what ``change`` sees is what it replaces.

        :param change: gives the new client, or ``None`` to delete it: its id is never used again. It may be called
            more than once, and never sees a deleted client. What it raises leaves all as it was, and passes through
            once the state that it saw is known to survive.
        :param revoke_tokens: in the same step, append an event to the log that revokes all tokens issued so far, and
            make its position the client's ``revoked_before``.
        :return: the client as written; ``None`` when it is deleted, or when there is none.
        """


class TokenStore(Protocol):
    """Opaque tokens, by storage key: four bytes of expiry, then 28 of the text's SHA-256."""

    def add_token(self, key: bytes, token: TokenRecord) -> None: ...

    def find_token(self, key: bytes) -> TokenRecord | None: ...

    @property
    def rows_tell_revocation(self) -> bool:
        """Whether ``find_token`` tells of a token that it ended early; where not, the log alone does."""

    def revoke_token(self, key: bytes) -> bool:
        """Mark and log a live token, once: false when it is unknown or was ended before."""

    def revoke_log_only(self, client_id: str, key: bytes, position: int) -> int:
        """Append the revocation of a token that has no row, unless it is revoked already.

        Callers use :func:`oauth_mw.tokens.revocation.revoke_log_only`, which bounds how many there are. The client may
        be one that a restored store does not know.

        :param position: the token's own, see :class:`~oauth_mw.model.TokenRecord`.
        :return: how many live revocations of this kind the client has now, not counting those of tokens that were
            revoked with all others since; 0 when the token was revoked before.
        """

    def remember_once(self, key: bytes, until: int) -> bool:
        """Remember an id that may be used once; false when it is remembered already. Of many at once, one gets true.

        What is over goes by itself. As with a token, a power failure may lose the last of them.

        :param key: at most 32 bytes.
        :param until: the last Unix second for which it is remembered, by this machine's clock: the caller adds what
            clocks may differ by.
        """

    def sweep(self, now: int, limit: int) -> int:
        """Remove at most ``limit`` rows that expired before ``now``; how many went."""

    def count_tokens(self, before: int | None = None) -> int:
        """How many rows there are; with ``before``, how many expired before that Unix second."""


class KeyStore(Protocol):
    """Signing keys. Every change survives power loss once the call has returned."""

    def read_keys(self) -> KeySet: ...

    def update_keys(self, change: Callable[[KeySet], KeySet], *, revoke_all: bool = False) -> KeySet:
        """Read, change and write the keys in one atomic step: what ``change`` sees is what it replaces.

        What the keys of a store follow is in :mod:`oauth_mw.keys.schedule`.

        :param change: may be called more than once. What it raises leaves all as it was, and passes through once the
            state that it saw is known to survive.
        :param revoke_all: in the same step, append an event to the log that makes every follower forget all it knows.
        :return: the keys as written.
        """


class Waiter(Protocol):
    """What wakes one follower of a log. One thread at a time uses it."""

    def wait(self, seconds: float) -> None:
        """Return after ``seconds``, or sooner when another worker may have appended to the log. It raises nothing."""

    def close(self) -> None: ...


class RevocationLog(Protocol):
    """One ordered log of all that ends tokens early.

    Where ``immediate`` is true, ``generation()`` is cheap and changes, before a revocation is
    acknowledged, on every worker that can reach the store; it may change more often, and its value
    means nothing but by comparison. Elsewhere it never changes: what the log said holds for as long
    as the reader chooses, and :meth:`on_revocation` tells of what this process itself has ended.
    """

    @property
    def immediate(self) -> bool: ...

    @property
    def generation(self) -> Callable[[], object]: ...

    def verify(self) -> None:
        """Make sure, once a second, that the files or connections behind ``generation`` are still the store's."""

    def read_log(self, store_id: str, after: int) -> LogPage: ...

    def read_denylist(self, after: tuple[Any, ...] = ()) -> DenylistPage:
        """Some of what the log alone says: each such token, and the last end of each client's; in any order.

        :param after: the ``following`` of the page before; else it is the first.
        """

    def on_revocation(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` after each event appended by this object, before its call returns, unless ``immediate``."""

    def waiter(self) -> Waiter | None:
        """What wakes a follower before its time; ``None`` where nothing does."""


class Copyable(Protocol):
    """All that a store holds, for a copy of it into another store, in batches. Each call takes effect whole or not.

    A store that is being copied into remembers the id of the other store as its ``origin``. Every change of clients,
    keys or revocations by other means removes it in the same step, and then the store takes no more from there. The
    rules are in :mod:`oauth_mw.stores.copying`. Each ``put`` has the origin as its first argument and raises
    ``AdminError`` when it is not the store's own.
    """

    def log_state(self) -> LogState: ...

    def read_clients(self) -> Iterator[Sequence[StoredClient]]:
        """All clients, deleted ones too."""

    def read_events(self, after: int) -> Iterator[Sequence[LogRecord]]:
        """What the log holds after this position, in order."""

    def read_token_keys(self, now: int) -> Iterator[Sequence[bytes]]:
        """Those of the tokens that have not expired, in order where the engine has one."""

    def read_tokens(self, keys: Sequence[bytes]) -> Sequence[tuple[bytes, TokenRecord]]:
        """Those that are still there, ``revoked`` if by themselves; ``keys`` are of one batch."""

    def missing(self, keys: Sequence[bytes]) -> Sequence[bytes]:
        """Those of ``keys`` that no token has here."""

    def become_copy(self, origin: str) -> None:
        """Set the origin.

        :raises AdminError: see :func:`oauth_mw.stores.copying.check_copy`.
        """

    def put_clients(self, origin: str, clients: Sequence[StoredClient]) -> Sequence[StoredClient]:
        """Write what :func:`oauth_mw.stores.copying.client_of_copy` makes of each; those that were not so before."""

    def put_events(self, origin: str, events: Sequence[LogRecord], position: int, swept_until: int) -> None:
        """Append the events after the last position here, with all that follows from them, up to ``position``."""

    def put_keys(self, origin: str, keys: KeySet) -> int:
        """Replace the signing keys, without an event: it is among the events. How many were not here.

        An unchanged key set writes nothing.
        """

    def put_tokens(self, origin: str, tokens: Sequence[tuple[bytes, TokenRecord]]) -> int:
        """Add tokens of clients that are here; how many were not here. Without any it confirms what was written."""


class Store(ClientStore, TokenStore, KeyStore, RevocationLog, Protocol):
    """All of it, as :func:`oauth_mw.open_store` gives it.

    ``single_process`` is true when other processes cannot see what is stored.
    """

    @property
    def url(self) -> str: ...

    @property
    def single_process(self) -> bool: ...

    def stats(self, now: int) -> StoreStats:
        """What the store holds.

        :param now: Unix seconds, by which tokens are expired.
        """

    def copyable(self) -> Copyable | None:
        """``None`` where nothing outlives the process."""

    def warnings(self) -> Sequence[str]:
        """What an operator should know: above all what a crash or a power failure would cost."""

    def close(self) -> None: ...
