"""Sentinels, and the primary that they name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ...errors import ConfigError, StoreUnavailable
from .connections import Server
from .contact import judge, judge_sentinel
from .known import LOOK_SECONDS, Address, Known, at, in_turn
from .servers import Command, Replies
from .url import RedisURL


@dataclass(frozen=True)
class _Primary:
    """As named by an answer to a question that was asked at ``since``."""

    address: Address
    server: Server
    since: float


class Sentinels:
    """The primary of a service, as more than half of the Sentinels know it; that is asked for all the time.

    So who is cut off from the others together with a primary that was replaced does not go on with it.
    """

    one = True

    def __init__(self, place: RedisURL) -> None:
        self._place = place
        username = place.sentinel_username if place.sentinel_password else None
        asked = replace(place, db=0, username=username, password=place.sentinel_password or None)
        self._sentinels = [Server(asked, at(host), judge_sentinel) for host in place.hosts]
        self._known = Known(self._find)

    def run(self, key: str, commands: Sequence[Command], deadline: float) -> Replies:
        return self._primary(deadline).run(commands, deadline)

    def each(self, deadline: float) -> Iterable[Callable[[Sequence[Command], float], Replies]]:
        return [self._primary(deadline).run]

    def close(self) -> None:
        for sentinel in self._sentinels:
            sentinel.close()
        if self._known.last is not None:
            self._known.last.server.close()

    def _primary(self, deadline: float) -> Server:
        primary = self._known.last
        if primary is None or time.monotonic() >= primary.since + LOOK_SECONDS:
            primary = self._known.better(primary, deadline)
        return primary.server

    def _find(self, deadline: float) -> _Primary:
        since, before = time.monotonic(), self._known.last
        address = self._address(deadline)
        if before is not None and before.address == address:
            return replace(before, since=since)
        server = Server(self._place, at(address), partial(judge, cluster=False))
        if before is not None:
            # What still runs there may be answered by a primary that is none any more.
            before.server.close()
        return _Primary(address, server, since)

    def _address(self, deadline: float) -> Address:
        named: list[tuple[int, Address]] = []
        answered: list[Server] = []
        service = self._place.service
        commands = [("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service), ("SENTINEL", "MASTERS")]
        try:
            for sentinel, (address, states) in in_turn(self._sentinels, commands, deadline):
                answered.append(sentinel)
                if address is not None:
                    named.append((_epoch(states, service), (address[0].decode(), int(address[1]))))
                if 2 * len(named) > len(self._sentinels):
                    # Whoever has seen more fail-overs knows better.
                    return max(named)[1]
        except StoreUnavailable as error:
            raise StoreUnavailable(f"too few Sentinels answer: {error.reason}") from None
        finally:
            self._sentinels.sort(key=lambda sentinel: sentinel not in answered)
        if not named:
            raise ConfigError("store", f"no Sentinel knows the service {service}")
        raise StoreUnavailable("too few Sentinels know the service")


def _epoch(states: Replies, service: str) -> int:
    """How many fail-overs a Sentinel has seen."""
    for state in states:
        fields = dict(zip(state[::2], state[1::2], strict=True))
        if fields[b"name"] == service.encode():
            return int(fields[b"config-epoch"])
    return 0
