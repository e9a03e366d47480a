"""The store on Redis: the commands of each operation, and the decoding of their replies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from ...cutoffs import Cutoff
from ...errors import StoreUnavailable
from ...model import MAX_NUMBER, NOTHING_COUNTED, Clock, Count, Counted, Sizes, StoreStats, TokenRecord
from ..counts import count_clients
from ..decoding import maybe, number
from . import counters, listing, log, records, uses
from .copying import RedisCopying
from .network import Command
from .network.checks import read_info
from .rows import TTL_MARGIN, found_from, position_text, read, token_from, token_text
from .scripts import FIND_TOKEN, REVOKE, VERSION
from .session import STORE_LOST, RedisSession


class RedisStore:
    """See the protocols in :mod:`oauth_mw.protocols`; :class:`.RedisSession` has the parameters."""

    single_process = False
    generation_shows_all = False
    # It never changes: revocations are read from the log.
    generation: Callable[[], object] = int

    def __init__(self, url: str, timeout: float, clock: Clock, sizes: Sizes) -> None:
        session = RedisSession(url, timeout, clock, sizes)
        self.sizes = sizes
        self.url = session.place.shown
        # In a cluster, a token and the log may be on different nodes.
        self.rows_show_all = session.servers.single_node
        self._session = session
        self._keys = session.keys
        self.open, self.close = session.open, session.servers.close
        self.warnings, self.waiter = session.warnings, session.waiter
        self.on_revocation = session.callbacks.append
        self.copyable = partial(RedisCopying, session)
        self.clients = partial(records.page, session)
        self.find_verifiers = partial(records.find_verifiers, session)
        self.find_client = partial(records.find_client, session)
        self.add_client = partial(records.add, session)
        self.update_client = partial(records.update, session)
        self.read_keys = partial(records.read_keys, session)
        self.update_keys = partial(records.update_keys, session)
        self.note_uses = partial(uses.note_uses, session)
        self.last_uses = partial(uses.last_uses, session)
        self.tokens_of = partial(listing.tokens_of, session)
        self.read_log = partial(log.read, session)
        self.read_denylist = partial(log.read_denylist, session)

    def verify(self) -> None:
        """Do nothing: each new connection is checked."""

    def count_events(self, at_most: int) -> int:
        (events,) = self._session.query(("XLEN", self._keys.log))
        return min(read(number, events), at_most)

    def stats(self, now: int) -> StoreStats:
        state, clients = log.state(self._session), count_clients(self)
        tokens = Counter(int.from_bytes(key[:4]) > now for keys in self._session.token_keys() for key in keys)
        counts: list[Command] = [("ZCARD", self._keys.clients), ("XLEN", self._keys.log), ("INFO", "server")]
        ids, events, info = self._session.query(*counts)
        return StoreStats(
            engine="Redis",
            engine_version=read(read_info, info).get("redis_version", ""),
            schema_version=int(VERSION),
            store_id=state.store_id,
            position=state.position,
            **clients._asdict(),
            deleted=max(read(number, ids) - clients.enabled - clients.disabled, 0),
            unexpired=tokens[True],
            expired=tokens[False],
            events=read(number, events),
            keys=len(self.read_keys().keys),
        )

    # Tokens

    def add_token(self, key: bytes, token: TokenRecord, counts: Sequence[Count] = ()) -> Counted:
        left = int.from_bytes(key[:4]) - int(self._session.clock()) + TTL_MARGIN
        name, deadline, counted = self._keys.token(key), self._session.deadline(), NOTHING_COUNTED
        if counts and self._session.servers.single_node and left > 0:
            return counters.count(self._session, counts, name, token_text(token), left, deadline=deadline)
        if counts:
            counted = counters.count(self._session, counts, deadline=deadline)
        if not counted.full and left > 0:
            self._set(name, token, left, deadline)
        return counted

    def _set(self, name: str, token: TokenRecord, left: int, deadline: float) -> None:
        commands: list[Command] = [("SET", name, token_text(token), "EX", left)]
        if self._session.servers.single_node:
            commands.append(("HGET", self._keys.store, "version"))
        _, *version = self._session.run(name, commands, deadline)
        if version not in ([], [VERSION]):
            # If it were left, no new store could be created with this prefix.
            self._session.run(name, [("DEL", name)], deadline)
            raise StoreUnavailable(STORE_LOST)

    def count(self, counts: Sequence[Count]) -> Counted:
        return counters.count(self._session, counts, deadline=self._session.deadline())

    def find_token(self, key: bytes) -> TokenRecord | None:
        names, deadline = self._keys, self._session.deadline()
        if not self.rows_show_all:
            return self._row(key, deadline)
        keys = (names.store, names.token(key), names.revoked, names.any_client, names.any_log_only)
        command = ("EVALSHA", FIND_TOKEN, len(keys), *keys, VERSION, key)
        found = self._session.with_store(lambda: self._session.of_primary([command], deadline)[0], deadline)
        return read(maybe, lambda reply: found_from(*reply), found)

    def _row(self, key: bytes, deadline: float) -> TokenRecord | None:
        """The row of a token, without what the log says of it."""
        command = ("GET", name := self._keys.token(key))
        # A replica may lack the row, and then the token would not be revoked.
        of_primary = self._session.of_primary if self.rows_show_all else partial(self._session.run, name)
        (found,) = of_primary([command], deadline)
        return read(maybe, lambda row: token_from(row, 0, Cutoff()), found)

    def revoke_token(self, key: bytes, caller: str = "") -> bool:
        deadline = self._session.deadline()
        token = self._row(key, deadline)
        if token is None:
            return bool(caller) and self._revoke(caller, key, MAX_NUMBER, 0, deadline, log_only=False) > 0
        if token.revoked:
            return False
        log_only = not self.rows_show_all
        return self._revoke(token.client_id, key, token.position, token.issued_at, deadline, log_only=log_only) > 0

    def revoke_log_only(self, client_id: str, key: bytes, position: int, issued_at: int = 0) -> int:
        return self._revoke(client_id, key, position, issued_at, self._session.deadline(), log_only=True)

    def _revoke(
        self, client_id: str, key: bytes, position: int, issued_at: int, deadline: float, *, log_only: bool
    ) -> int:
        more = [self._keys.client(client_id)] + [self._keys.log_only(client_id)] * log_only
        while True:
            arguments = (client_id, key, position_text(position), "1" if log_only else "0")
            count = read(number, self._session.reply(REVOKE, *arguments, deadline=deadline, more=more, appends=True))
            cutoff = None if count else records.find_cutoff(self._session, client_id, deadline)
            if cutoff is None or position >= cutoff.before or cutoff.covers(position, issued_at):
                return count
            position = cutoff.before  # it was spared, so it counts as issued after that revocation

    def remember_once(self, key: bytes, until: int) -> bool:
        name, left = f"{self._keys.prefix}:once:{key.hex()}", max(until - int(self._session.clock()) + 1, 1)
        return self._session.run(name, [("SET", name, b"", "NX", "EX", left)], self._session.deadline()) == [b"OK"]

    def sweep(self, now: int, limit: int) -> int:
        """Do nothing: Redis deletes expired rows by itself."""
        return 0

    def count_tokens(self, before: int | None = None) -> int:
        pages = self._session.token_keys()
        return sum(before is None or int.from_bytes(key[:4]) < before for page in pages for key in page)
