"""Several workers on one store, revocations meanwhile, and how many requests were accepted too late."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Listener
from operator import gt
from typing import Any

from helpers import load
from helpers.changes import remove_key
from helpers.engines import wait_until
from helpers.load import Use
from helpers.support import SECRET
from oauth_mw import NotFound, StoreUnavailable, admin, open_store

WORKERS = 3
# Each of these revokes tokens in its own way; the tokens of "kept" stay valid.
OPERATIONS: dict[str, Callable[..., object]] = {
    "ended": admin.revoke_all_tokens,
    "disabled": admin.disable_client,
    "deleted": admin.delete_client,
}
# How many tokens each client has.
CLIENTS = {"kept": 1, "revoked": 3, **dict.fromkeys(OPERATIONS, 1)}
CHANCES = 10


class Hand:
    """This end of the connection to one worker."""

    def __init__(self, said: Connection) -> None:
        self._said = said
        self.pid: int = said.recv()

    def __call__(self, verb: str, *arguments: object) -> Any:
        self.say(verb, *arguments)
        return self.hear()

    def say(self, verb: str, *arguments: object) -> None:
        self._said.send((verb, *arguments))

    def hear(self) -> Any:
        assert self._said.poll(30), "a worker hangs"
        return self._said.recv()

    @contextmanager
    def paused(self) -> Iterator[None]:
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def uses(self) -> dict[str, Use]:
        return {token: Use(*times) for token, times in self("report").items()}

    def close(self) -> None:
        """The worker ends when the connection is closed."""
        self._said.close()


@dataclass
class Team:
    """Workers that use all ``tokens``, by client.

    ``known`` is the time since which all of them are in all caches, ``acknowledged`` when each was revoked.
    """

    url: str
    listener: Listener
    hands: list[Hand] = field(default_factory=list)
    tokens: dict[str, list[str]] = field(default_factory=dict)
    acknowledged: dict[str, float] = field(default_factory=dict)
    known: float = 0.0

    def hear_another(self) -> Hand:
        """Accept the connection of one more worker."""
        said = self.listener.accept()
        assert isinstance(said, Connection)
        self.hands.append(Hand(said))
        return self.hands[-1]

    def fork(self, hand: Hand) -> Hand:
        hand.say("fork", self.listener.address)
        child = self.hear_another()
        assert hand.hear() == child.pid
        return child

    def issue(self) -> None:
        for client_id, number in CLIENTS.items():
            self.tokens[client_id] = self.hands[0]("issue", client_id, SECRET, number)

    def use_all(self) -> None:
        """Let each worker use each token, and wait until all are in its cache."""
        for hand in self.hands:
            hand("use", [token for each in self.tokens.values() for token in each])
        self.wait_for_uses()
        self.known = time.monotonic()

    def wait_for_uses(self) -> None:
        """Wait until every worker has used every token some more times: accepted, or refused if it is revoked."""

        def counts() -> list[int]:
            found = [(token, count) for hand in self.hands for token, count in hand("counts").items()]
            return [refused if token in self.acknowledged else accepted for token, (accepted, refused) in found]

        least = [count + CHANCES for count in counts()]
        wait_until(lambda: all(map(gt, counts(), least)), "uses of all tokens")

    def end_all(self, hands: list[Hand] | None = None, between: Callable[[], object] = list) -> None:
        """Revoke at the endpoints of workers and, after ``between``, as an operator; repeat what fails."""
        hands = hands or self.hands
        for number, token in enumerate(self.tokens["revoked"]):
            hand = hands[number % len(hands)]
            while token not in self.acknowledged:
                status, at = hand("revoke", "revoked", SECRET, token)
                if status == 200:
                    self.acknowledged[token] = at
        between()
        store = open_store(self.url, unavailable=lambda error: None)
        for client_id, end in OPERATIONS.items():
            _insist(lambda client_id=client_id, end=end: end(store, client_id))
            self.acknowledged.update(dict.fromkeys(self.tokens[client_id], time.monotonic()))
        store.close()

    def retire(self) -> None:
        """Remove the key that signed all tokens: none is kept."""
        store = open_store(self.url)
        for record in store.read_keys().keys:
            assert remove_key(store, record.kid)
        store.close()
        self.acknowledged.update((token, time.monotonic()) for each in self.tokens.values() for token in each)
        self.tokens["kept"] = []

    def end_together(self) -> None:
        """Revoke as many at a time as there are workers, each at the endpoint of another worker."""
        left = [token for client_id in self.tokens if client_id != "kept" for token in self.tokens[client_id]]
        while left:
            turn = list(zip(self.hands, left, strict=False))
            del left[: len(turn)]
            for hand, token in turn:
                hand.say("revoke", self.client_of(token), SECRET, token)
            for hand, token in turn:
                status, self.acknowledged[token] = hand.hear()
                assert status == 200

    def client_of(self, token: str) -> str:
        return next(client_id for client_id, tokens in self.tokens.items() if token in tokens)

    def wait(self, bound: float) -> None:
        """Wait until the bound is over for all that was revoked, and workers had the time to be wrong."""
        time.sleep(max(max(self.acknowledged.values()) + bound - time.monotonic(), 0))
        self.wait_for_uses()

    def judge(self, bound: float) -> Verdict:
        verdict, over = Verdict(), max(self.acknowledged.values()) + bound
        for hand in self.hands:
            uses = hand.uses()
            for token, at in self.acknowledged.items():
                verdict.count_ended(uses[token], self.known, at, bound)
            for token in self.tokens["kept"]:
                verdict.count_kept(uses[token], self.known, over)
        return verdict


@dataclass
class Verdict:
    """How many requests were accepted: with a revoked token, by each worker at least ``before`` the revocation, by all
    of them ``within`` the bound and too late (``stale``); with others, by each at least ``after`` all bounds. And how
    many requests ``asked`` the log, or the store although the token was cached."""

    before: float = float("inf")
    within: int = 0
    stale: int = 0
    after: float = float("inf")
    asked: int = 0

    def count_ended(self, use: Use, known: float, acknowledged: float, bound: float) -> None:
        late = [begun - acknowledged for begun in use.accepted if begun > acknowledged]
        self.before = min(self.before, len(use.accepted) - len(late))
        self.asked += sum(begun > known for begun in use.asked)
        self.stale += sum(each > bound for each in late)
        self.within += sum(each <= bound for each in late)

    def count_kept(self, use: Use, known: float, over: float) -> None:
        self.after = min(self.after, sum(begun > over for begun in use.accepted))
        self.asked += sum(begun > known for begun in use.asked)

    def is_fresh(self) -> bool:
        """True if workers accepted nothing too late, although they had every chance to."""
        return self.stale == 0 and self.before >= CHANCES and self.after >= CHANCES


def _insist(operation: Callable[[], object]) -> None:
    """Repeat an operation that may or may not have been done, until it certainly is."""
    deadline, repeated = time.monotonic() + 20, False
    while True:
        try:
            operation()
            return
        except StoreUnavailable:
            assert time.monotonic() < deadline
            repeated = True
        except NotFound:
            assert repeated  # it was done the first time
            return


@contextmanager
def team(url: str, *, slow_commits: bool = False, **options: Any) -> Iterator[Team]:
    """Workers that have tokens of all :data:`CLIENTS` in their caches."""
    store = open_store(url, create=True)
    for client_id in CLIENTS:
        admin.add_client(store, client_id, scope="read", client_id=client_id, secret=SECRET)
    store.close()
    with hired(url, options, slow_commits=slow_commits) as started:
        started.issue()
        started.use_all()
        yield started


@contextmanager
def hired(url: str, options: dict[str, Any], *, slow_commits: bool = False) -> Iterator[Team]:
    """Workers on a store, with these options of the middleware."""
    with Listener(family="AF_UNIX", backlog=8) as listener:
        words = (str(listener.address), url, json.dumps(options), str(WORKERS), "slow" if slow_commits else "")
        subprocess.run([sys.executable, load.__file__, *words], check=True)
        started = Team(url, listener)
        try:
            for _ in range(WORKERS):
                started.hear_another()
            yield started
        finally:
            for hand in started.hands:
                hand.close()
