"""Long histories: both stores, and a model of a few lines, always say the same."""

from __future__ import annotations

import shutil
import tempfile

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from stored import NOW, key_of, log_of, registered, token_of
from support import HandClock

from oauth_mw import open_store

ids = strategies.sampled_from(["a", "b"])
numbers = strategies.integers(0, 5)


class Stores(RuleBasedStateMachine):
    """The model: which clients there are, and which tokens live."""

    @initialize()
    def start(self):
        self.folder = tempfile.mkdtemp()
        self.clock = HandClock()
        urls = ["memory://", f"sqlite:///{self.folder}/oauth.db"]
        self.stores = [open_store(url, create=True, clock=self.clock) for url in urls]
        self.logs = [log_of(store) for store in self.stores]
        self.clients, self.gone = set(), set()
        self.tokens, self.under_way = {}, {}
        self.issued = 0

    def teardown(self):
        if hasattr(self, "folder"):
            for store in self.stores:
                store.close()
            shutil.rmtree(self.folder)

    def same(self, call):
        """What both stores answer."""
        first, second = map(call, self.stores)
        assert first == second
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

    @rule(client_id=ids, lifetime=strategies.integers(-2, 2))
    def begin_issue(self, client_id, lifetime):
        found = [store.find_client(client_id) for store in self.stores]
        assert [client is not None for client in found] == [client_id in self.clients] * 2
        if client_id in self.clients:
            self.issued += 1
            key = key_of(self.issued, expires_at=int(self.clock()) + lifetime)
            self.under_way[key] = [token_of(client) for client in found], set()

    @rule()
    def end_issue(self):
        for key, (records, ended) in self.under_way.items():
            for store, record in zip(self.stores, records, strict=True):
                store.add_token(key, record)
            owner = records[0].client_id
            self.tokens[key] = owner, int.from_bytes(key[:4]), owner not in ended
        self.under_way = {}

    @rule(number=numbers)
    def revoke_token(self, number):
        for key in list(self.tokens)[number : number + 1]:
            owner, expires_at, alive = self.tokens[key]
            assert self.same(lambda store, key=key: store.revoke_token(key)) is alive
            self.tokens[key] = owner, expires_at, False

    @rule(limit=strategies.integers(1, 3))
    def sweep(self, limit):
        now = int(self.clock())
        expired = sorted(key for key, (_, expires_at, _) in self.tokens.items() if expires_at < now)[:limit]
        assert self.same(lambda store: store.sweep(now, limit)) == len(expired)
        for key in expired:
            del self.tokens[key]

    @rule(seconds=strategies.integers(-3, 3))
    def move_clock(self, seconds):
        self.clock.now = max(self.clock.now + seconds, NOW - 60)

    @rule()
    def follow(self):
        pages = [
            store.read_log(seen.store_id, seen.position) for store, seen in zip(self.stores, self.logs, strict=True)
        ]
        assert pages[0][1:] == pages[1][1:] and pages[0].complete
        assert pages[0].position >= self.logs[0].position
        self.logs = pages

    @invariant()
    def tokens_are_those_of_the_model(self):
        if not hasattr(self, "folder"):
            return
        for key, (_, _, alive) in self.tokens.items():
            assert self.same(lambda store, key=key: store.find_token(key)).revoked is not alive
        assert self.same(lambda store: store.count_tokens()) == len(self.tokens)


TestStores = Stores.TestCase
TestStores.settings = settings(max_examples=settings().max_examples // 4, stateful_step_count=25)
