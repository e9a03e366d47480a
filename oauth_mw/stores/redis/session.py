"""Run commands on the store's keys: by one deadline, on a store that exists, and confirmed by its replicas."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from ... import deadlines
from ...errors import ConfigError, StoreUnavailable, not_text
from ...model import Clock
from ...protocols import Waiter
from ..decoding import number
from .network.checks import SCAN_COUNT, find_or_create, persistence, replication, run_id, why_not_primary
from .network.nodes import Command, Replies, Servers
from .network.url import RedisURL
from .rows import Keys, position_text, read, scanned
from .scripts.changes import CONFIRM, NO_STORE, TEXTS, VERSION

# Redis checks timeouts only about ten times a second; the rest is for the reply.
WAIT_GRAIN = 0.15


class RedisSession:
    """
    :param timeout: seconds that one operation may take in all.
    :param clock: positions are Redis's own time, unless this is another than ``time.time``.
    """

    def __init__(self, place: RedisURL, servers: Servers, timeout: float, clock: Clock) -> None:
        self.keys = Keys(place.prefix)
        self.servers = servers
        self._place = place
        self._replicas = place.replicas
        self._timeout = timeout
        self._clock = clock
        self._create = False

    def deadline(self) -> float:
        """The deadline of an operation that begins now."""
        return deadlines.deadline_in(self._timeout)

    def open(self, *, create: bool) -> None:
        """Find or create the store, and keep no connection open.

        :param create: create the store if it is missing; remembered until that succeeds.
        :raises ConfigError: there is no store, or none that this version can use.
        :raises StoreUnavailable: Redis does not answer for now.
        """
        self._create = create
        try:
            self._contact(self.deadline(), first=True)
        finally:
            self.servers.close()

    def _contact(self, deadline: float, *, first: bool = False) -> None:
        shown, create = self._place.shown, self._create
        find_or_create(self.servers, self.keys, shown, create=create, first=first or create, deadline=deadline)
        self._create = False

    def waiter(self) -> Waiter:
        """What wakes a follower of the log."""
        from .network.watch import StreamWatch  # needs redis-py, which may not be there

        return StreamWatch(self.keys.log, partial(self.servers.dialer, self.keys.log))

    def warnings(self) -> list[str]:
        """
        :raises StoreUnavailable: Redis does not answer.
        """
        deadline = self.deadline()
        found = replication(self.servers, self._place, self.keys.store, deadline)
        return [*persistence(self.servers, deadline), *found]

    def run(self, key: str, commands: Sequence[Command], deadline: float) -> Replies:
        """
        :raises StoreUnavailable: the server does not answer or cannot be used.
        :raises AdminError: a text is not valid Unicode.
        """
        try:
            return self.servers.run(key, commands, deadline)
        except ConfigError as error:
            raise StoreUnavailable(str(error)) from None
        except UnicodeEncodeError:
            raise not_text() from None

    def of_primary(self, commands: Sequence[Command], deadline: float) -> Replies:
        """The replies of the server of the store's own key, which must be a primary.

        :raises StoreUnavailable: it is none, or does not answer.
        """
        *replies, role = self.run(self.keys.store, [*commands, ("ROLE",)], deadline)
        self._check_primary(role)
        return replies

    def with_run_id(self, command: Command, deadline: float) -> tuple[Any, str]:
        """The same for one command, with a run id, which changes when any server restarts or is replaced.

        Such a server may have lost the last tokens, which workers have cached. All primaries are read before the
        command is sent: what happens to them later shows at the next call.
        """
        about: Command = ("INFO", "server")
        if self.servers.single_node:
            found, info = self.of_primary([command, about], deadline)
            return found, read(run_id, [info])
        standing: list[Command] = [("ROLE",), ("CLUSTER", "INFO")]
        infos = []
        for info, role, state in self._of_each([about, *standing], deadline):
            self._check_primary(role, state)
            infos.append(info)
        found, role, state = self.run(self.keys.store, [command, *standing], deadline)
        self._check_primary(role, state)
        return found, read(run_id, infos, state)

    def _of_each(self, commands: list[Command], deadline: float) -> Iterator[Replies]:
        try:
            for run in self.servers.primaries(deadline):
                yield run(commands, deadline)
        except ConfigError as error:
            raise StoreUnavailable(str(error)) from None

    def _check_primary(self, role: Any, state: bytes = b"") -> None:
        if why := read(why_not_primary, role, state):
            self.servers.close()
            raise StoreUnavailable(why)

    def token_keys(self) -> Iterator[list[bytes]]:
        """The keys of all tokens in batches, each within the time of one operation. A key may be returned twice.

        :raises StoreUnavailable: a server does not answer.
        """
        pattern, start = self.keys.any_token + "*", len(self.keys.any_token)
        try:
            for run in self.servers.primaries(self.deadline()):
                cursor: bytes | str = "0"
                while cursor != b"0":
                    scan = ("SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_COUNT)
                    cursor, names = read(scanned, *run([scan], self.deadline()))
                    yield [read(_key, name[start:]) for name in names]
        except ConfigError as error:
            raise StoreUnavailable(str(error)) from None

    def with_store(self, operation: Callable[[], Any], deadline: float) -> Any:
        """What ``operation`` returns; where the store is missing, find or create it first, and call it again.

        :raises StoreUnavailable: the store is not there.
        """
        found = operation()
        if found == NO_STORE:
            try:
                self._contact(deadline)
            except ConfigError as error:
                raise StoreUnavailable(str(error)) from None
            found = operation()
            if found == NO_STORE:
                raise StoreUnavailable("the store's own key is gone")
        return found

    def reply(
        self, script: str, *arguments: bytes | str, deadline: float, origin: str = "", more: Sequence[str] = ()
    ) -> Any:
        """Run a script that begins with :data:`.changes.CHANGE`, and wait for the replicas even if it changed nothing.

        A retry may find the change already made but not yet replicated. Every call writes ``fence``, so that WAIT
        covers what came before.

        :param origin: the store of which this one must be a copy, and remains one; else it becomes a copy of none.
        :param more: the keys of this change besides those of all. They are not in every change, because while a
            cluster moves the slot, a script with a missing key has to wait.
        """
        names = self.keys
        keys = (names.store, names.log, names.due, names.revoked, names.clients, *more)
        now = "" if self._clock is time.time else position_text(int(self._clock() * 1_000_000))
        fence = "1" if self._replicas else "0"
        arguments = (now, fence, origin, *arguments)
        return self.with_store(lambda: self.replicated(script, keys, VERSION, *arguments, deadline=deadline), deadline)

    def confirm(self, deadline: float) -> None:
        """Wait for the replicas. What was read may be a change that none of them has yet."""
        if self._replicas:
            self.reply(CONFIRM, deadline=deadline)

    def replicated(self, script: str, keys: Sequence[str], *arguments: bytes | str, deadline: float) -> Any:
        """Run a script, and wait for the replicas unless it found no store.

        :raises StoreUnavailable: too few replicas confirmed it.
        """
        rest = (len(keys), *keys, *arguments)
        commands: list[Command] = [("EVALSHA", script, *rest)]
        if self._replicas:
            left = deadline - time.monotonic()
            wait = ("WAIT", self._replicas, max(int(1000 * (left - min(WAIT_GRAIN, left / 2))), 1))
            # In full: NOSCRIPT would arrive only after the whole WAIT.
            commands = [("EVAL", TEXTS[script], *rest), wait]
        changed, *confirmed = self.run(keys[0], commands, deadline)
        if changed != NO_STORE and confirmed and read(number, *confirmed) < self._replicas:
            raise StoreUnavailable("too few replicas of Redis confirmed the change in time")
        return changed


def _key(name: bytes) -> bytes:
    return bytes.fromhex(name.decode())
