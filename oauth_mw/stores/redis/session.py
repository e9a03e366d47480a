"""Run commands on the store's keys, by one deadline, and have replicas confirm changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from ... import deadlines
from ...errors import ConfigError, StoreUnavailable, not_text
from ...model import Clock, Sizes
from ...protocols import Waiter
from ..decoding import number
from .network import Command, Replies, RunUntil
from .network.checks import find_or_create, persistence, replication, run_id, scan, why_not_primary
from .network.url import parse_url
from .rows import Keys, position_text, read, several, texts_from
from .scripts import CONFIRM, NO_STORE, TEXTS, VERSION

# Seconds. Redis checks timeouts only about ten times a second; the rest is for the reply.
WAIT_GRAIN = 0.15
STORE_LOST = "the store's own key is missing in Redis: restore a backup, or create the store again"

T = TypeVar("T")


class Conflict(Exception):
    """Another worker changed what this change is based on."""


def usable(call: Callable[..., T], *arguments: Any) -> T:
    """Call ``call``. For an open store, a server that cannot be used is an outage."""
    try:
        return call(*arguments)
    except ConfigError as error:
        raise StoreUnavailable(str(error)) from None


class RedisSession:
    """
    :param timeout: seconds that one operation may take in all; listing and counting: each step.
    :param clock: the source of time. Positions are Redis's own time, unless this is another than ``time.time``.
    :raises ConfigError: the URL cannot work, or redis-py is not installed.
    """

    def __init__(self, url: str, timeout: float, clock: Clock, sizes: Sizes) -> None:
        self.place = parse_url(url)
        try:
            from .network.routing import connect
        except ImportError:
            raise ConfigError("store", "Redis needs a driver: pip install 'oauth_mw[redis]'") from None
        self.servers = connect(self.place)
        self.callbacks: list[Callable[[], None]] = []
        self.keys = Keys(self.place.prefix)
        self.clock = clock
        self.sizes = sizes
        self._timeout = timeout
        self._create = False

    def deadline(self) -> float:
        """The deadline of an operation that begins now."""
        return deadlines.deadline_in(self._timeout)

    def open(self, *, create: bool) -> None:
        """Find or create the store, and keep no connection open.

        :param create: create the store if it is missing; remembered until that succeeds.
        :raises ConfigError: there is no store, or none that this version can use.
        """
        self._create = create
        try:
            self._contact(self.deadline(), first=True)
        finally:
            self.servers.close()

    def _contact(self, deadline: float, *, first: bool = False) -> None:
        shown, create = self.place.shown, self._create
        find_or_create(self.servers, self.keys, shown, create=create, first=first or create, deadline=deadline)
        self._create = False

    def waiter(self) -> Waiter:
        from .network.watch import StreamWatch  # imports redis-py, which may be missing

        return StreamWatch(self.keys.log, partial(self.servers.dialer, self.keys.log))

    def warnings(self) -> list[str]:
        """Sentences on what a crash, power failure or fail-over would lose with the servers' settings."""
        deadline = self.deadline()
        found = replication(self.servers, self.place, self.keys.store, deadline)
        return [*persistence(self.servers, deadline), *found]

    def run(self, key: str, commands: Sequence[Command], deadline: float) -> Replies:
        try:
            return usable(self.servers.run, key, commands, deadline)
        except UnicodeEncodeError:
            raise not_text() from None

    def query(self, *commands: Command) -> Replies:
        """The replies of the server that has the store's own key, within the time of one operation."""
        return self.run(self.keys.store, commands, self.deadline())

    def of_primary(self, commands: Sequence[Command], deadline: float) -> Replies:
        """The replies of the server that has the store's own key. If it is no primary, the store is unavailable."""
        *replies, role = self.run(self.keys.store, [*commands, ("ROLE",)], deadline)
        self._check_primary(role)
        return replies

    def with_run_id(self, command: Command, deadline: float) -> tuple[Any, str]:
        """The reply to a command, and a text that changes when any server restarts or is replaced.

        Such a server may have lost the last tokens, which workers have cached. All primaries are read before the
        command is sent: a restart after that changes the text of the next call.
        """
        about: Command = ("INFO", "server")
        if self.servers.single_node:
            found, info = self.of_primary([command, about], deadline)
            return found, read(run_id, [info])
        standing: list[Command] = [("ROLE",), ("CLUSTER", "INFO")]
        infos = []
        for run in self._primaries(deadline):
            info, *stands = run([about, *standing], deadline)
            self._check_primary(*stands)
            infos.append(info)
        found, *stands = self.run(self.keys.store, [command, *standing], deadline)
        self._check_primary(*stands)
        return found, read(run_id, infos, stands[1])

    def _check_primary(self, role: Any, state: bytes = b"") -> None:
        if why := read(why_not_primary, role, state):
            self.servers.close()
            raise StoreUnavailable(why)

    def _primaries(self, deadline: float) -> Iterator[RunUntil]:
        return (partial(usable, run) for run in usable(self.servers.primaries, deadline))

    def token_keys(self) -> Iterator[list[bytes]]:
        """Yield the keys of all tokens in batches, each within the time of one operation. A key may come twice."""
        start = len(self.keys.any_token)
        for run in self._primaries(self.deadline()):
            for names in scan(run, self.keys.any_token + "*", self.deadline):
                yield [read(bytes.fromhex, name) for name in read(texts_from, [name[start:] for name in names])]

    def fields(self, *names: str, deadline: float) -> Replies:
        """Read fields of the store's own key from its primary."""

        def operation() -> Any:
            found = self.of_primary([("HMGET", self.keys.store, "version", *names)], deadline)
            version, *values = read(several, len(names) + 1, *found)
            return values if version == VERSION else NO_STORE

        return list(self.with_store(operation, deadline))

    def with_store(self, operation: Callable[[], Any], deadline: float) -> Any:
        """Call ``operation``; if the store is missing, find or create it, and call it again."""
        found = operation()
        if found == NO_STORE:
            usable(self._contact, deadline)
            found = operation()
            if found == NO_STORE:
                raise StoreUnavailable(STORE_LOST)
        return found

    def repeat(self, attempt: Callable[[float], T]) -> T:
        """Call ``attempt`` with the deadline until it raises no :class:`Conflict`."""
        deadline = self.deadline()
        while time.monotonic() < deadline:
            with suppress(Conflict):
                return attempt(deadline)
        raise StoreUnavailable("other workers kept changing the same record in Redis")

    def changed(self, change: Callable[[T], Any], seen: T, deadline: float) -> Any:
        """Call ``change`` with ``seen``. If it raises, have replicas confirm ``seen`` first."""
        try:
            return change(seen)
        except Exception:
            self.confirm(deadline)
            raise

    def reply(
        self,
        script: str,
        *arguments: bytes | str,
        deadline: float,
        origin: str = "",
        more: Sequence[str] = (),
        appends: bool = False,
    ) -> Any:
        """Run a script that begins with :data:`.scripts.CHANGE`, and wait for the replicas even if it changed nothing.

        A retry may find the change already made but not yet replicated, so every call writes ``fence`` for WAIT.

        :param origin: the store of which this one must be a copy and stays one; if empty, it becomes a copy of none.
        :param more: keys that only this change needs: while a cluster moves the slot, a missing key makes it fail.
        :param appends: to the log, unless it returns 0: the callbacks are called, also if the outcome is unknown.
        """
        keys = (*self.keys.of_change, *more)
        now = "" if self.clock is time.time else position_text(int(self.clock() * 1_000_000))
        arguments = (now, "1" if self.place.replicas else "0", origin, *arguments)
        found: Any = None
        try:
            found = self.with_store(
                lambda: self.replicated(script, keys, VERSION, *arguments, deadline=deadline), deadline
            )
        finally:
            if appends and found != 0:
                for call in self.callbacks:
                    call()
        return found

    def confirm(self, deadline: float) -> None:
        """Wait for the replicas: what was read may be a change that none of them has yet."""
        if self.place.replicas:
            self.reply(CONFIRM, deadline=deadline)

    def replicated(self, script: str, keys: Sequence[str], *arguments: bytes | str, deadline: float) -> Any:
        """Run a script, and wait for the replicas unless it found no store."""
        rest, replicas = (len(keys), *keys, *arguments), self.place.replicas
        commands: list[Command] = [("EVALSHA", script, *rest)]
        if replicas:
            left = deadline - time.monotonic()
            wait = ("WAIT", replicas, max(int(1000 * (left - min(WAIT_GRAIN, left / 2))), 1))
            # In full: NOSCRIPT would arrive only after all of the WAIT.
            commands = [("EVAL", TEXTS[script], *rest), wait]
        changed, *confirmed = self.run(keys[0], commands, deadline)
        if changed != NO_STORE and confirmed and read(number, *confirmed) < replicas:
            raise StoreUnavailable("too few replicas of Redis confirmed the change in time")
        return changed
