"""What a store must do, in narrow protocols by caller. The suite in tests/stores/contract checks each store.

- **Errors.** A call that cannot be completed raises :exc:`~oauth_mw.errors.StoreUnavailable` and nothing else: the
  engine does not answer, a record is corrupt, a change may not have been kept. The error's text holds no secret, token
  or password. A text that cannot be stored raises :exc:`~oauth_mw.errors.AdminError`. Whatever a ``change`` raises
  passes through.
- **Time.** Each call ends by :func:`~oauth_mw.deadlines.deadline_in` of the timeout, waits for locks included.
- **Threads and forks.** All methods may be called from all threads at once. After a fork, parent and child can both go
  on; they share nothing that was open before.
- **Atomicity.** Each call takes effect at one moment or not at all, for every process that uses the store, even if the
  process is killed. A call that raised ``StoreUnavailable`` may have taken effect, and can be repeated.
- **Durability.** Before the call returns, a revocation and every change of clients and keys survives a power failure,
  as far as the engine is configured to. So does what a call reports as already done. New tokens may be lost.
- **Rules.** A store contains no rules about clients, keys and revocations. They are functions of the callers, which the
  store runs within its atomic step; they are quick, and do not call the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from .model import (
    Client,
    Count,
    Counted,
    DenylistPage,
    KeySet,
    LogPage,
    LogRecord,
    LogState,
    Sizes,
    StoredClient,
    StoreStats,
    TokenRecord,
    Verifiers,
)


class ClientReader(Protocol):
    def find_verifiers(self, client_id: str) -> Verifiers:
        """Return the verifiers of a client's secrets, without its record; all as of one moment.

        For an unknown client they are blank. How long the call takes reveals next to nothing about the client.
        """

    def find_client(self, client_id: str) -> Client | None:
        """Return the client with its secrets and its ``revoked_before``, all as of one moment."""


class ClientStore(ClientReader, Protocol):
    def clients(self, after: str = "") -> Sequence[Client]:
        """Return a page of the clients that follow the id ``after``, in order of their ids; empty if there are none."""

    def add_client(self, client: Client) -> bool:
        """Add a client; false if its id exists or ever existed."""

    def update_client(
        self,
        client_id: str,
        change: Callable[[Client], Client | None],
        *,
        revoke_tokens: bool = False,
        issued_before: int | None = None,
        evict_tokens: bool = False,
    ) -> Client | None:
        """Read, change and write a client in one atomic step: what ``change`` sees is what it replaces.

        :param change: returns the new client, or ``None`` to delete it: its id is never used again. It may be called
            more than once, and is never called with a deleted client. If it raises, nothing is changed, and the error
            passes through once the state that it is based on is known to survive.
        :param revoke_tokens: in the same step, append an event to the log that revokes all tokens issued so far, and
            store its position as the client's ``revoked_before``.
        :param issued_before: with ``revoke_tokens``, a second event follows at the next position, which spares the
            tokens that were issued at this Unix second or later: see :mod:`oauth_mw.cutoffs`.
        :param evict_tokens: in the same step, append an event to the log that revokes nothing, but has all followers
            drop what they have cached of the client's tokens. Not needed with ``revoke_tokens``, which does so too.
        :return: the client as written; ``None`` if it is deleted, or if there is none.
        """


class TokenStore(Protocol):
    """Opaque tokens, by storage key: four bytes of expiry, then 28 of the text's SHA-256."""

    def add_token(self, key: bytes, token: TokenRecord, counts: Sequence[Count] = ()) -> Counted:
        """Add a token and, in the same step, count it as :meth:`count` does; if a counter is full, do neither.

        In a Redis Cluster the token is added afterwards, in a step of its own: a crash between the two costs one count.
        """

    def count(self, counts: Sequence[Count]) -> Counted:
        """Count one more in each counter, in one atomic step; if one of them is at its limit, count nothing.

        It is exact for all workers. A power failure may lose the last counts, as it may lose new tokens. Counters whose
        windows have been over for :data:`~oauth_mw.model.COUNTER_KEEP_SECONDS` are removed automatically, a few at a
        time.

        :param counts: with different keys.
        """

    def note_uses(self, uses: Mapping[tuple[str, str], int]) -> None:
        """Note when clients used their secrets; of each secret the latest Unix second is kept.

        What is noted for an unknown client is dropped. The uses of a secret or client are removed with it. A power
        failure may lose the last ones. If the call fails, some may be noted.

        :param uses: by client id and secret id; an empty secret id stands for the client.
        """

    def last_uses(self, client_ids: Sequence[str]) -> Mapping[tuple[str, str], int]:
        """Return what is known of these clients, as in :meth:`note_uses`."""

    def find_token(self, key: bytes) -> TokenRecord | None: ...

    @property
    def rows_show_all(self) -> bool:
        """Whether ``find_token`` reports every revocation of a token. If not, only the log does."""

    def tokens_of(self, client_id: str, after: bytes = b"") -> Sequence[tuple[bytes, TokenRecord]]:
        """Return a page of a client's tokens whose keys follow ``after``, in order of the keys.

        It is empty if there are no more. Keys begin with the expiry, so expired tokens come first. ``revoked`` is set
        whatever revoked a token. Tokens have no index of clients, so that issuing stays cheap: the call may read all
        tokens of the store, in steps of which each takes no longer than one call. In Redis each page reads them all.
        """

    def revoke_token(self, key: bytes, caller: str = "") -> bool:
        """Revoke a live token and log it, once; false if it is unknown or was revoked before.

        :param caller: the id of a client. If the token has no row, an event of this client is logged all the same: a
            worker may have cached the token before its row was swept.
        """

    def revoke_log_only(self, client_id: str, key: bytes, position: int, issued_at: int = 0) -> int:
        """Append the revocation of a token that has no row, unless it is revoked already.

        Callers use :func:`oauth_mw.tokens.revoking.revoke_log_only`, which bounds their number. The client may be
        unknown, after a backup was restored.

        :param position: the token's own, see :class:`~oauth_mw.model.TokenRecord`.
        :param issued_at: the Unix second of its issue; 0: it was issued before any moment.
        :return: how many live revocations of this kind the client has now, without those of tokens that are revoked
            together whenever they were issued; 0 if the token was revoked before.
        """

    def remember_once(self, key: bytes, until: int) -> bool:
        """Remember an id that may be used once; false if it is remembered already.

        Exactly one of several concurrent calls returns true. Expired ids are removed automatically. A power failure may
        lose the last ids, as it may lose new tokens.

        :param key: at most 32 bytes.
        :param until: the last Unix second for which it is remembered, by this machine's clock. The caller adds the
            seconds by which clocks may differ.
        """

    def sweep(self, now: int, limit: int) -> int:
        """Remove at most ``limit`` rows that expired before ``now`` (Unix seconds); return how many were removed."""

    def count_tokens(self, before: int | None = None) -> int:
        """Count the rows; with ``before``, those that expired before that Unix second."""


class KeyStore(Protocol):
    def read_keys(self) -> KeySet: ...

    def update_keys(self, change: Callable[[KeySet], KeySet], *, revoke_all: bool = False) -> KeySet:
        """Read, change and write the keys as :meth:`ClientStore.update_client` does with a client.

        :param revoke_all: in the same step, append an event that makes every follower drop all that it has cached.
        :return: the keys as written.
        """


class Waiter(Protocol):
    """Wakes one follower of a log early. Only one thread at a time uses it."""

    def wait(self, seconds: float) -> None:
        """Return after ``seconds``, or sooner when another worker may have appended to the log. It raises nothing."""

    def close(self) -> None: ...


class RevocationLog(Protocol):
    """One ordered log of all revocations.

    If ``generation_shows_all`` is true, ``generation()`` is cheap and changes before a revocation is acknowledged, in
    every worker that can reach the store. It may change more often; its values can only be compared. If it is false,
    ``generation()`` never changes: the follower decides for how long it relies on what it has read, and
    :meth:`on_revocation` reports the revocations of this process.
    """

    @property
    def generation_shows_all(self) -> bool: ...

    @property
    def generation(self) -> Callable[[], object]: ...

    def verify(self) -> None:
        """Check that the files or connections behind ``generation`` are still the store's; called once a second."""

    @property
    def sizes(self) -> Sizes: ...

    def read_log(self, store_id: str, after: int) -> LogPage: ...

    def read_denylist(self, after: tuple[Any, ...] = ()) -> DenylistPage:
        """Return a page of the denylist: tokens revoked by the log alone, each client's last revocation of all, and
        the event with which it spared some.

        :param after: the ``following`` of the page before; empty for the first page. The order is arbitrary.
        """

    def count_events(self, at_most: int) -> int:
        """Count the events in the log; ``at_most`` if there are more, so that a long log takes no longer."""

    def on_revocation(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` after each event that this object appends, before its call returns. No call is needed if
        ``generation_shows_all``.
        """

    def waiter(self) -> Waiter | None: ...


class Copyable(Protocol):
    """A store as the source or the target of a copy, in batches. Each call takes effect as a whole or not at all.

    A target remembers the id of the source as its ``origin``. Every change of clients, keys or revocations by other
    means removes the origin in the same step, and then nothing more can be copied into the store. The rules are in
    :mod:`oauth_mw.stores.copying`. The first argument of each ``put`` is the origin; it raises ``AdminError`` if the
    store has another one or none.
    """

    def log_state(self) -> LogState: ...

    def read_clients(self) -> Iterator[Sequence[StoredClient]]:
        """Yield all clients, including deleted ones."""

    def read_events(self, after: int) -> Iterator[Sequence[LogRecord]]:
        """Yield the events after this position, in order."""

    def read_token_keys(self, now: int) -> Iterator[Sequence[bytes]]:
        """Yield the keys of tokens that have not expired, in order if the engine has one."""

    def read_tokens(self, keys: Sequence[bytes]) -> Sequence[tuple[bytes, TokenRecord]]:
        """Return the tokens that still exist, ``revoked`` if by themselves; ``keys`` are of one batch."""

    def missing(self, keys: Sequence[bytes]) -> Sequence[bytes]:
        """Return those of ``keys`` that no token has here."""

    def become_copy(self, origin: str) -> None:
        """Set the origin, or raise ``AdminError`` as :func:`oauth_mw.stores.copying.check_copy` does."""

    def put_clients(self, origin: str, clients: Sequence[StoredClient]) -> Sequence[StoredClient]:
        """Write each as :func:`oauth_mw.stores.copying.client_of_copy` says; return those that this has changed."""

    def put_events(self, origin: str, events: Sequence[LogRecord], position: int, swept_until: int) -> None:
        """Append the events after the last position here, and apply them; the log then ends at ``position``."""

    def put_keys(self, origin: str, keys: KeySet) -> int:
        """Replace the signing keys, unless nothing differs, without an event; return how many were not here before."""

    def put_tokens(self, origin: str, tokens: Sequence[tuple[bytes, TokenRecord]]) -> int:
        """Add tokens of known clients; return how many were not here. Without tokens, confirm what was written."""


class Store(ClientStore, TokenStore, KeyStore, RevocationLog, Protocol):
    """A store as :func:`oauth_mw.open_store` returns it.

    ``single_process`` is true if other processes cannot see what is stored.
    """

    @property
    def url(self) -> str: ...

    @property
    def single_process(self) -> bool: ...

    def open(self, *, create: bool) -> None:
        """Check once that the store can be used, and leave nothing open for a fork to inherit.

        :param create: create the store if it is missing, now or at the first call that reaches its place.
        :raises ConfigError: the store is missing and ``create`` is false, or this code cannot use it.
        :raises StoreUnavailable: the store does not answer for now.
        """

    def stats(self, now: int) -> StoreStats:
        """Count what the store holds. By ``now``, in Unix seconds, tokens are expired."""

    def copyable(self) -> Copyable | None:
        """Return what copies use; ``None`` if nothing outlives the process."""

    def warnings(self) -> Sequence[str]:
        """Return sentences for operators, above all about what a crash or a power failure would cost."""

    def close(self) -> None: ...
