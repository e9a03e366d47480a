"""Long histories: every kind of store, and a model of a few lines, always say the same.

Redis does not sweep: an expired token may be gone from it, and one that was swept elsewhere may still be there. So all
stores are compared by the tokens that were live when they were added, for as long as no sweep has taken them. The
hand-moved clock goes in hours, so that the engine's own, by which Redis lets tokens go, stands still in comparison.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from places import NAMED_BY, why_not
from stored import HOUR, NOW, STORE_SUITE, SWEEPING, key_of, log_of, registered, token_of
from support import HandClock

from oauth_mw import open_store

KINDS = [kind for kind in STORE_SUITE if kind not in NAMED_BY or not why_not(kind)]

ids = strategies.sampled_from(["a", "b"])
numbers = strategies.integers(0, 5)


@pytest.fixture(autouse=True, scope="module")
def servers(request):
    """The servers that all examples share; each has a place of its own there."""
    fixtures = {"postgresql": "postgres", "redis": "redis"}
    Stores.servers = {kind: request.getfixturevalue(fixtures[kind]) for kind in KINDS if kind in fixtures}


class Stores(RuleBasedStateMachine):
    """The model: which clients there are, and which tokens live."""

    @initialize()
    def start(self):
        self.closing = ExitStack()
        self.clock = HandClock()
        self.stores = [self.opened(kind) for kind in KINDS]
        self.sweeping = [store for store, kind in zip(self.stores, KINDS, strict=True) if kind in SWEEPING]
        self.logs = [log_of(store) for store in self.stores]
        self.clients, self.gone = set(), set()
        self.tokens, self.under_way, self.fleeting = {}, {}, set()
        self.issued = 0

    def opened(self, kind):
        if kind in self.servers:
            url = self.closing.enter_context(self.servers[kind].fresh())
        elif kind == "sqlite":
            url = f"sqlite:///{self.closing.enter_context(tempfile.TemporaryDirectory())}/oauth.db"
        else:
            url = f"{kind}://"
        store = open_store(url, create=True, clock=self.clock)
        self.closing.callback(store.close)
        return store

    def teardown(self):
        if hasattr(self, "closing"):
            self.closing.close()

    def same(self, call, stores=None):
        """What all stores answer."""
        first, *others = map(call, self.stores if stores is None else stores)
        assert others == [first] * len(others)
        return first

    def end_all(self, client_id):
        for key, (owner, expires_at, _) in self.tokens.items():
            if owner == client_id:
                self.tokens[key] = owner, expires_at, False
        for _, ended in self.under_way.values():
            ended.add(client_id)

    @rule(client_id=ids)
    def add_client(self, client_id):
        added = self.same(lambda store: store.add_client(registered(client_id, secrets=())))
        assert added is (client_id not in self.clients | self.gone)
        self.clients.add(client_id) if added else None

    @rule(client_id=ids, disable=strategies.booleans(), delete=strategies.sampled_from([False, False, True]))
    def end_client(self, client_id, disable, delete):
        ended = self.same(lambda store: store.end_client(client_id, disable=disable, delete=delete))
        assert ended is (client_id in self.clients)
        if ended:
            self.end_all(client_id)
        if ended and delete:
            self.clients.remove(client_id)
            self.gone.add(client_id)

    @rule(client_id=ids, hours=strategies.integers(-2, 2))
    def begin_issue(self, client_id, hours):
        found = [store.find_client(client_id) for store in self.stores]
        assert [client is not None for client in found] == [client_id in self.clients] * len(KINDS)
        if client_id in self.clients:
            self.issued += 1
            key = key_of(self.issued, expires_at=int(self.clock()) + hours * HOUR)
            self.under_way[key] = [token_of(client) for client in found], set()

    @rule()
    def end_issue(self):
        for key, (records, ended) in self.under_way.items():
            for store, record in zip(self.stores, records, strict=True):
                store.add_token(key, record)
            owner, expires_at = records[0].client_id, int.from_bytes(key[:4])
            self.tokens[key] = owner, expires_at, owner not in ended
            if expires_at <= self.clock():
                self.fleeting.add(key)
        self.under_way = {}

    @rule(number=numbers)
    def revoke_token(self, number):
        everywhere = [key for key in self.tokens if self.sweeping == self.stores or key not in self.fleeting]
        for key in everywhere[number : number + 1]:
            owner, expires_at, alive = self.tokens[key]
            assert self.same(lambda store, key=key: store.revoke_token(key)) is alive
            self.tokens[key] = owner, expires_at, False

    @rule(limit=strategies.integers(1, 3))
    def sweep(self, limit):
        now = int(self.clock())
        expired = sorted(key for key, (_, expires_at, _) in self.tokens.items() if expires_at < now)[:limit]
        assert self.same(lambda store: store.sweep(now, limit), self.sweeping) == len(expired)
        for key in expired:
            del self.tokens[key]

    @rule(hours=strategies.integers(-3, 3))
    def move_clock(self, hours):
        self.clock.now = max(self.clock.now + hours * HOUR, NOW - 60 * HOUR)

    @rule()
    def follow(self):
        pages = [
            store.read_log(seen.store_id, seen.position) for store, seen in zip(self.stores, self.logs, strict=True)
        ]
        assert all(page[1:] == pages[0][1:] for page in pages) and pages[0].complete
        assert pages[0].position >= self.logs[0].position
        self.logs = pages

    @invariant()
    def tokens_are_those_of_the_model(self):
        if not hasattr(self, "closing"):
            return
        for key, (_, _, alive) in self.tokens.items():
            stores = self.sweeping if key in self.fleeting else self.stores
            assert self.same(lambda store, key=key: store.find_token(key), stores).revoked is not alive
        assert self.same(lambda store: store.count_tokens(), self.sweeping) == len(self.tokens)


TestStores = Stores.TestCase
TestStores.settings = settings(max_examples=settings().max_examples // 4, stateful_step_count=25)
