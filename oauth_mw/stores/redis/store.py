"""The store on Redis: what each operation asks, and what it makes of the replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...errors import ConfigError, StoreUnavailable
from ...model import Client, Clock, DenylistPage, KeySet, LogPage, StoreStats, TokenRecord
from ...protocols import Copyable, Waiter
from ..decoding import maybe, number
from . import clients, keys, log
from .network.nodes import Command, Servers
from .network.url import RedisURL, parse_url
from .rows import TTL_MARGIN, position_text, read, token_from, token_text
from .scripts.changes import FIND_TOKEN, REVOKE, VERSION
from .session import RedisSession


class RedisStore:
    """See the protocols in :mod:`oauth_mw.protocols`.

    :param timeout: seconds that one operation may take in all; listing and counting: each of their steps.
    :param clock: the source of time. Positions are Redis's own time, unless this is another than ``time.time``.
    """

    single_process = False
    immediate = False
    # It never changes: what is revoked is read from the log.
    generation: Callable[[], object] = int

    def __init__(self, place: RedisURL, servers: Servers, timeout: float, clock: Clock) -> None:
        self.url = place.shown
        self._clock = clock
        # Of a cluster, a token and the log lie on two nodes.
        self.rows_tell_revocation = servers.single_node
        self._session = RedisSession(place, servers, timeout, clock)
        self._keys = self._session.keys
        self._callbacks: list[Callable[[], None]] = []

    @classmethod
    def from_url(cls, url: str, *, timeout: float, clock: Clock) -> RedisStore:
        """
        :raises ConfigError: the URL cannot work, or redis-py is not there.
        """
        place = parse_url(url)
        try:
            from .network.routing import connect
        except ImportError:
            raise ConfigError("store", "Redis needs a driver: pip install 'oauth_mw[redis]'") from None
        return cls(place, connect(place), timeout, clock)

    def open(self, *, create: bool) -> None:
        """Find or create the store, and keep no connection open.

        :param create: create the store if it is missing; remembered until that succeeds.
        :raises ConfigError: there is no store, or none that this version can use.
        :raises StoreUnavailable: Redis does not answer for now.
        """
        self._session.open(create=create)

    def warnings(self) -> Sequence[str]:
        """What a crash, a power failure or a fail-over would cost with the servers' settings, in sentences.

        :raises StoreUnavailable: Redis does not answer.
        """
        return self._session.warnings()

    def verify(self) -> None:
        """Each new connection was judged; there is nothing more to look at."""

    def on_revocation(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def waiter(self) -> Waiter:
        return self._session.waiter()

    def copyable(self) -> Copyable:
        from .copying import RedisCopying

        return RedisCopying(self._session, self.url, self._clock, self._callbacks)

    def stats(self, now: int) -> StoreStats:
        from .stats import stats

        return stats(self, self._session, now)

    def close(self) -> None:
        self._session.servers.close()

    def _append(self, script: str, *arguments: bytes | str, **how: Any) -> Any:
        """The reply to a change that appends an event. The callbacks are called unless it certainly did not."""
        found: Any = None
        try:
            found = self._session.reply(script, *arguments, **how)
        finally:
            if found != 0:
                for call in self._callbacks:
                    call()
        return found

    # Clients

    def find_verifiers(self, client_id: str) -> bytes:
        return clients.find_verifiers(self._session, client_id)

    def find_client(self, client_id: str) -> Client | None:
        return clients.find_client(self._session, client_id)

    def clients(self, after: str = "") -> Sequence[Client]:
        return clients.page(self._session, after)

    def add_client(self, client: Client) -> bool:
        return clients.add(self._session, client)

    def update_client(
        self, client_id: str, change: Callable[[Client], Client | None], *, revoke_tokens: bool = False
    ) -> Client | None:
        write = self._append if revoke_tokens else self._session.reply
        return clients.update(self._session, write, client_id, change, revoke_tokens=revoke_tokens)

    # Tokens

    def add_token(self, key: bytes, token: TokenRecord) -> None:
        left = int.from_bytes(key[:4]) - int(self._clock()) + TTL_MARGIN
        if left <= 0:
            return
        name, deadline = self._keys.token(key), self._session.deadline()
        commands: list[Command] = [("SET", name, token_text(token), "EX", left)]
        if self._session.servers.single_node:
            commands.append(("HGET", self._keys.store, "version"))
        _, *version = self._session.run(name, commands, deadline)
        if version not in ([], [VERSION]):
            # Left behind, it would stand in the way of a new store.
            self._session.run(name, [("DEL", name)], deadline)
            raise StoreUnavailable("the store's own key is gone")

    def find_token(self, key: bytes) -> TokenRecord | None:
        names, deadline = self._keys, self._session.deadline()

        def ask() -> Any:
            keys = (names.store, names.token(key), names.revoked, names.any_client)
            return self._session.of_primary([("EVALSHA", FIND_TOKEN, 4, *keys, VERSION, key)], deadline)[0]

        if self.rows_tell_revocation:
            found = self._session.with_store(ask, deadline)
        else:
            row = self._row(key, deadline)
            found = row and (row, b"0", 0)
        return read(maybe, _token, found)

    def _row(self, key: bytes, deadline: float) -> bytes | None:
        name = self._keys.token(key)
        row: bytes | None = self._session.run(name, [("GET", name)], deadline)[0]
        return row

    def revoke_token(self, key: bytes) -> bool:
        deadline = self._session.deadline()
        if self.rows_tell_revocation:
            # A replica may lack the row, and there would be nothing to revoke.
            (row,) = self._session.of_primary([("GET", self._keys.token(key))], deadline)
        else:
            row = self._row(key, deadline)
        if row is None:
            return False
        token = read(token_from, row, b"0", 0)
        if token.revoked:
            return False
        log_only = not self.rows_tell_revocation
        return self._revoke(token.client_id, key, token.position, deadline, log_only=log_only) > 0

    def revoke_log_only(self, client_id: str, key: bytes, position: int) -> int:
        return self._revoke(client_id, key, position, self._session.deadline(), log_only=True)

    def _revoke(self, client_id: str, key: bytes, position: int, deadline: float, *, log_only: bool) -> int:
        more = [self._keys.client(client_id)] + [self._keys.log_only(client_id)] * log_only
        arguments = (client_id, key, position_text(position), "1" if log_only else "0")
        return read(number, self._append(REVOKE, *arguments, deadline=deadline, more=more))

    def remember_once(self, key: bytes, until: int) -> bool:
        name, left = self._keys.once(key), max(until - int(self._clock()) + 1, 1)
        return self._session.run(name, [("SET", name, b"", "NX", "EX", left)], self._session.deadline()) == [b"OK"]

    def sweep(self, now: int, limit: int) -> int:
        """Redis lets expired rows go by itself."""
        return 0

    def count_tokens(self, before: int | None = None) -> int:
        pages = self._session.token_keys()
        return sum(before is None or int.from_bytes(key[:4]) < before for page in pages for key in page)

    # Signing keys

    def read_keys(self) -> KeySet:
        return keys.read_keys(self._session)

    def update_keys(self, change: Callable[[KeySet], KeySet], *, revoke_all: bool = False) -> KeySet:
        write = self._append if revoke_all else self._session.reply
        return keys.update_keys(self._session, write, change, revoke_all=revoke_all)

    # Revocation log

    def read_log(self, store_id: str, after: int) -> LogPage:
        return log.read(self._session, store_id, after)

    def read_denylist(self, after: tuple[Any, ...] = ()) -> DenylistPage:
        return log.read_denylist(self._session, *after)


def _token(reply: Any) -> TokenRecord:
    return token_from(*reply)
