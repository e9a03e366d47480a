"""The store on Redis: what each operation asks, and what it makes of the replies."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ...credentials import MAX_SECRETS
from ...errors import ConfigError, StoreUnavailable
from ...model import CLIENTS_PER_PAGE, Client, Clock, DenylistPage, KeySet, LogPage, TokenRecord
from ...protocols import Copyable, Waiter
from ..decoding import decimal, maybe, number
from . import keys, log
from .network.nodes import Command, Replies, Servers
from .network.url import RedisURL, parse_url
from .rows import (
    BLANK_LINE,
    CLIENT_FIELDS,
    TTL_MARGIN,
    client_from,
    client_text,
    ids_from,
    position_text,
    read,
    secret_line,
    token_from,
    token_text,
    verifiers_from,
)
from .scripts import changes
from .scripts.changes import NO_STORE, VERSION
from .session import RedisSession


class RedisStore:
    """See the protocols in :mod:`oauth_mw.protocols`.

    :param timeout: seconds that one operation may take in all; listing and counting: each of their steps.
    :param clock: the source of time. Positions are Redis's own time, unless this is another than ``time.time``.
    """

    single_process = False
    immediate = False
    # It never changes: the log alone says what ended.
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
        """First contact, and no connection held afterwards.

        :param create: make the store where it is missing; kept until a contact succeeds.
        :raises ConfigError: no store there, or none that this code can use.
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

    def close(self) -> None:
        self._session.servers.close()

    def _append(self, script: str, client_id: str, *arguments: bytes | str, **how: Any) -> Any:
        """The reply of a change that appends an event; the callbacks are called unless it certainly did not."""
        found: Any = None
        try:
            found = self._session.reply(script, client_id, *arguments, **how)
        finally:
            if found != 0:
                for call in self._callbacks:
                    call()
        return found

    # Clients

    def find_verifiers(self, client_id: str) -> bytes:
        blank = (VERSION, BLANK_LINE, MAX_SECRETS + 1)
        return read(verifiers_from, self._of_client(changes.FIND_VERIFIERS, client_id, blank, self._session.deadline()))

    def find_client(self, client_id: str) -> Client | None:
        return read(client_from, client_id, self._fields(client_id, self._session.deadline()))

    def _fields(self, client_id: str, deadline: float) -> Replies:
        """What :func:`client_from` reads."""
        fields: Replies = self._of_client(changes.FIND_CLIENT, client_id, (VERSION, *CLIENT_FIELDS), deadline)
        return fields

    def _of_client(self, script: str, client_id: str, arguments: Sequence[bytes | str | int], deadline: float) -> Any:
        keys = (self._keys.store, self._keys.client(client_id))
        command = ("EVALSHA", script, len(keys), *keys, *arguments)
        return self._session.with_store(lambda: self._session.run(keys[0], [command], deadline)[0], deadline)

    def clients(self, after: str = "") -> Sequence[Client]:
        first = "(" + after if after else "-"
        while True:
            page: list[Command] = [("ZRANGEBYLEX", self._keys.clients, first, "+", "LIMIT", 0, CLIENTS_PER_PAGE)]
            (found,) = self._session.run(self._keys.store, page, self._session.deadline())
            ids = read(ids_from, found)
            clients = self._clients(ids)
            if clients or len(ids) < CLIENTS_PER_PAGE:
                return clients
            first = "(" + ids[-1]  # all of them were deleted

    def _clients(self, ids: list[str]) -> list[Client]:
        """Those of ``ids`` that were not deleted."""
        deadline = self._session.deadline()
        commands: list[Command] = [("HGET", self._keys.store, "version")]
        commands += [("HMGET", self._keys.client(client_id), *CLIENT_FIELDS) for client_id in ids]

        def ask() -> Any:
            version, *rows = self._session.run(self._keys.store, commands, deadline)
            return rows if version == VERSION else NO_STORE

        rows = self._session.with_store(ask, deadline)
        found = (read(client_from, client_id, fields) for client_id, fields in zip(ids, rows, strict=True))
        return [client for client in found if client]

    def add_client(self, client: Client) -> bool:
        fields = _changeable(client)
        script, deadline = changes.ADD_CLIENT, self._session.deadline()
        return bool(self._session.reply(script, client.client_id, *fields, deadline=deadline))

    def update_client(
        self, client_id: str, change: Callable[[Client], Client | None], *, revoke_tokens: bool = False
    ) -> Client | None:
        deadline = self._session.deadline()
        write = self._append if revoke_tokens else self._session.reply
        while time.monotonic() < deadline:
            fields = self._fields(client_id, deadline)
            known = read(client_from, client_id, fields)
            if known is None:
                self._confirm(client_id, deadline)
                return None
            try:
                client = change(known)
            except Exception:
                self._confirm(client_id, deadline)
                raise
            new = _changeable(client) if client else ("", "0", "")
            how = (_flag(client is None), _flag(revoke_tokens))
            ended = write(changes.UPDATE_CLIENT, client_id, *fields, *new, *how, deadline=deadline)
            if ended:
                return client and replace(client, revoked_before=read(decimal, ended))
        raise StoreUnavailable("other workers kept changing the client")

    def _confirm(self, client_id: str, deadline: float) -> None:
        """Change nothing. What was read of a client may be a change that no replica has confirmed yet."""
        self._session.reply(changes.UPDATE_CLIENT, client_id, *[""] * 9, deadline=deadline)

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
            return self._session.of_primary([("EVALSHA", changes.FIND_TOKEN, 4, *keys, VERSION, key)], deadline)[0]

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
        if not self.rows_tell_revocation:
            return self.revoke_log_only(token.client_id, key, token.position) > 0
        issued = position_text(token.position)
        return bool(self._append(changes.REVOKE_TOKEN, token.client_id, key, issued, deadline=deadline))

    def revoke_log_only(self, client_id: str, key: bytes, position: int) -> int:
        more, deadline = (self._keys.alone(client_id),), self._session.deadline()
        how = (key, position_text(position))
        return read(number, self._append(changes.REVOKE_LOG_ONLY, client_id, *how, deadline=deadline, more=more))

    def remember_once(self, key: bytes, until: int) -> bool:
        name, left = self._keys.once(key), max(until - int(self._clock()) + 1, 1)
        return self._session.run(name, [("SET", name, b"", "NX", "EX", left)], self._session.deadline()) == [b"OK"]

    def sweep(self, now: int, limit: int) -> int:
        """Redis lets expired rows go by itself."""
        return 0

    def count_tokens(self, before: int | None = None) -> int:
        count = 0
        start = len(self._keys.any_token)
        for found in self._session.scan(self._keys.any_token + "*"):
            count += sum(before is None or read(int, key[start : start + 8], 16) < before for key in found)
        return count

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


def _changeable(client: Client) -> tuple[str, str, str]:
    """What an update may change: the first of :data:`CLIENT_FIELDS`."""
    return client_text(client), _flag(client.enabled), "\n".join(map(secret_line, client.secrets))


def _token(reply: Any) -> TokenRecord:
    return token_from(*reply)


def _flag(value: bool) -> str:
    return "1" if value else "0"
