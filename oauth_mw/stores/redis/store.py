"""The store on Redis: what each operation sends, and what it makes of the replies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ...errors import StoreUnavailable
from ...model import MAX_NUMBER, Client, Clock, DenylistPage, KeySet, StoreStats, TokenRecord
from ...protocols import Copyable
from ..counts import count_clients
from ..decoding import number
from . import log, records
from .copying import RedisCopying
from .network import Command
from .network.checks import read_info
from .rows import TTL_MARGIN, position_text, read, token_from, token_text
from .scripts import FIND_TOKEN, REVOKE, VERSION
from .session import RedisSession


class RedisStore:
    """See the protocols in :mod:`oauth_mw.protocols`."""

    single_process = False
    immediate = False
    # It never changes: what is revoked is read from the log.
    generation: Callable[[], object] = int

    def __init__(self, session: RedisSession) -> None:
        self.url = session.place.shown
        # In a cluster, a token and the log are on two nodes.
        self.rows_tell_revocation = session.servers.single_node
        self._session = session
        self._keys = session.keys
        self._callbacks: list[Callable[[], None]] = []
        self.open, self.close = session.open, session.servers.close
        self.warnings, self.waiter = session.warnings, session.waiter
        self.on_revocation = self._callbacks.append
        self.find_verifiers = partial(records.find_verifiers, session)
        self.find_client = partial(records.find_client, session)
        self.add_client = partial(records.add, session)
        self.read_keys = partial(records.read_keys, session)
        self.read_log = partial(log.read, session)

    @classmethod
    def from_url(cls, url: str, *, timeout: float, clock: Clock) -> RedisStore:
        """
        :param timeout: seconds that one operation may take in all; listing and counting: each of their steps.
        :param clock: the source of time. Positions are Redis's own time, unless this is another than ``time.time``.
        :raises ConfigError: the URL cannot work, or redis-py is not there.
        """
        return cls(RedisSession.from_url(url, timeout, clock))

    def verify(self) -> None:
        """Each new connection was checked; there is nothing more to look at."""

    def copyable(self) -> Copyable:
        return RedisCopying(self._session, self._callbacks)

    def stats(self, now: int) -> StoreStats:
        state, clients = log.state(self._session), count_clients(self)
        tokens = Counter(int.from_bytes(key[:4]) > now for keys in self._session.token_keys() for key in keys)
        counts: list[Command] = [("ZCARD", self._keys.clients), ("XLEN", self._keys.log), ("INFO", "server")]
        ids, events, info = self._session.run(self._keys.store, counts, self._session.deadline())
        return StoreStats(
            engine="Redis",
            engine_version=read(read_info, info).get("redis_version", ""),
            schema_version=int(VERSION),
            store_id=state.store_id,
            position=state.position,
            enabled=clients.enabled,
            disabled=clients.disabled,
            deleted=max(read(number, ids) - clients.enabled - clients.disabled, 0),
            secrets=clients.secrets,
            unexpired=tokens[True],
            expired=tokens[False],
            events=read(number, events),
            keys=len(self.read_keys().keys),
        )

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

    def clients(self, after: str = "") -> Sequence[Client]:
        return records.page(self._session, after)

    def update_client(
        self, client_id: str, change: Callable[[Client], Client | None], *, revoke_tokens: bool = False
    ) -> Client | None:
        write = self._append if revoke_tokens else self._session.reply
        return records.update(self._session, write, client_id, change, revoke_tokens)

    def update_keys(self, change: Callable[[KeySet], KeySet], *, revoke_all: bool = False) -> KeySet:
        write = self._append if revoke_all else self._session.reply
        return records.update_keys(self._session, write, change, revoke_all)

    def read_denylist(self, after: tuple[Any, ...] = ()) -> DenylistPage:
        return log.read_denylist(self._session, *after)

    # Tokens

    def add_token(self, key: bytes, token: TokenRecord) -> None:
        left = int.from_bytes(key[:4]) - int(self._session.clock()) + TTL_MARGIN
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
        if not self.rows_tell_revocation:
            row = self._row(key, deadline)
            return None if row is None else read(token_from, row, b"0", 0)
        keys = (names.store, names.token(key), names.revoked, names.any_client)
        command = ("EVALSHA", FIND_TOKEN, len(keys), *keys, VERSION, key)
        found = self._session.with_store(lambda: self._session.of_primary([command], deadline)[0], deadline)
        return read(lambda: None if found is None else token_from(*found))

    def _row(self, key: bytes, deadline: float) -> Any:
        name = self._keys.token(key)
        if self.rows_tell_revocation:
            # A replica may lack the row, and there would be nothing to revoke.
            return self._session.of_primary([("GET", name)], deadline)[0]
        return self._session.run(name, [("GET", name)], deadline)[0]

    def revoke_token(self, key: bytes, caller: str = "") -> bool:
        deadline = self._session.deadline()
        row = self._row(key, deadline)
        if row is None:
            return bool(caller) and self._revoke(caller, key, MAX_NUMBER, deadline, log_only=False) > 0
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
        name, left = self._keys.once(key), max(until - int(self._session.clock()) + 1, 1)
        return self._session.run(name, [("SET", name, b"", "NX", "EX", left)], self._session.deadline()) == [b"OK"]

    def sweep(self, now: int, limit: int) -> int:
        """Redis deletes expired rows by itself."""
        return 0

    def count_tokens(self, before: int | None = None) -> int:
        pages = self._session.token_keys()
        return sum(before is None or int.from_bytes(key[:4]) < before for page in pages for key in page)
