"""Long histories: every kind of store, and a model of a few lines, always say the same.

Redis does not sweep: an expired token may be gone from it, and one that was swept elsewhere may still be there. So all
stores are compared by the tokens that were live when they were added, for as long as no sweep has taken them. The
hand-moved clock goes in hours, so that the engine's own, by which Redis lets tokens go, stands still in comparison.

Each issue makes an opaque token, which has a row, and a JWT, which has none. Some are issued by a worker of an older
version, whose tokens carry the position of the log's head instead of their client's ``revoked_before``. A worker that
starts now and one that has followed the log from the beginning judge the JWTs alike.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from math import inf

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from helpers.builders import HOUR, NOW, STORE_SUITE, SWEEPING, key_of, log_of, registered, token_of
from helpers.changes import end_before, end_client
from helpers.store_urls import NAMED_BY, why_not
from helpers.support import HandClock
from oauth_mw import open_store
from oauth_mw.model import LOG_KEEP_SECONDS
from oauth_mw.tokens.denylist import Denylist, load_denylist

KINDS = [kind for kind in STORE_SUITE if kind not in NAMED_BY or not why_not(kind)]

ids = strategies.sampled_from(["a", "b", "c"])
numbers = strategies.integers(0, 5)


def jwt_of(key):
    """The key of the JWT that is issued together with an opaque token."""
    return key[:4] + bytes(reversed(key[4:]))


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
        self.denylist = [Denylist(self.clock) for _ in self.stores]
        self.jwts, self.latest = {}, self.clock()
        self.clients, self.gone = {"a", "b"}, set()
        for client_id in sorted(self.clients):
            self.same(lambda store, client_id=client_id: store.add_client(registered(client_id, secrets=())))
        self.tokens, self.under_way, self.fleeting = {}, {}, set()
        self.issued_at, self.moments = {}, {}
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

    def end_all(self, client_id, moment=inf):
        """End those issued before a moment."""
        for tokens in (self.tokens, self.jwts):
            for key, (owner, more, _) in tokens.items():
                if owner == client_id and self.issued_at[key] < moment:
                    tokens[key] = owner, more, False
        for key, (_, ended) in self.under_way.items():
            if self.issued_at[key] < moment:
                ended.add(client_id)

    @rule(client_id=ids)
    def add_client(self, client_id):
        added = self.same(lambda store: store.add_client(registered(client_id, secrets=())))
        assert added is (client_id not in self.clients | self.gone)
        self.clients.add(client_id) if added else None

    @rule(client_id=ids, disable=strategies.booleans(), delete=strategies.sampled_from([False, False, True]))
    def end_client(self, client_id, disable, delete):
        ended = self.same(lambda store: end_client(store, client_id, disable=disable, delete=delete))
        assert ended is (client_id in self.clients)
        if ended:
            self.end_all(client_id)
            self.moments.pop(client_id, None)
        if ended and delete:
            self.clients.remove(client_id)
            self.gone.add(client_id)

    @rule(client_id=ids, hours=strategies.integers(-3, 1))
    def end_before(self, client_id, hours):
        moment = int(self.clock()) + hours * HOUR
        assert self.same(lambda store: end_before(store, client_id, moment)) is (client_id in self.clients)
        if client_id in self.clients:
            self.moments[client_id] = max(moment, self.moments.get(client_id, 0))
            self.end_all(client_id, self.moments[client_id])

    @rule(client_id=ids, lifetime=strategies.integers(1, 3))
    def change_client(self, client_id, lifetime):
        def change(store):
            changed = store.update_client(client_id, lambda c: replace(c, lifetime=lifetime), evict_tokens=True)
            return changed and changed.lifetime

        assert self.same(change) == (lifetime if client_id in self.clients else None)

    @rule(client_id=ids, hours=strategies.integers(-2, 2), older=strategies.booleans())
    def begin_issue(self, client_id, hours, older):
        found = [store.find_client(client_id) for store in self.stores]
        assert [client is not None for client in found] == [client_id in self.clients] * len(KINDS)
        if client_id in self.clients:
            self.issued += 1
            now = int(self.clock())
            key = key_of(self.issued, expires_at=now + hours * HOUR)
            self.issued_at[key] = self.issued_at[jwt_of(key)] = now
            heads = [log_of(store).position if older else client.revoked_before for store, client in self.pairs(found)]
            records = [
                token_of(client, position=head, issued_at=now) for client, head in zip(found, heads, strict=True)
            ]
            self.under_way[key] = records, set()

    @precondition(lambda self: self.under_way)
    @rule()
    def end_issue(self):
        for key, (records, ended) in self.under_way.items():
            for store, record in zip(self.stores, records, strict=True):
                store.add_token(key, record)
            owner, expires_at = records[0].client_id, int.from_bytes(key[:4])
            self.tokens[key] = owner, expires_at, owner not in ended
            self.jwts[jwt_of(key)] = owner, [record.position for record in records], owner not in ended
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

    @rule(number=numbers)
    def revoke_jwt(self, number):
        for key in self.remembered()[number : number + 1]:
            owner, positions, alive = self.jwts[key]
            at = self.issued_at[key]
            said = [store.revoke_log_only(owner, key, position, at) > 0 for store, position in self.pairs(positions)]
            assert said == [alive] * len(KINDS)
            self.jwts[key] = owner, positions, False

    def remembered(self):
        """JWTs that no log has let go."""
        return [key for key in self.jwts if int.from_bytes(key[:4]) + LOG_KEEP_SECONDS >= self.latest]

    def pairs(self, values):
        return zip(self.stores, values, strict=True)

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
        self.latest = max(self.latest, self.clock.now)

    @rule()
    def follow(self):
        pages = [store.read_log(seen.store_id, seen.position) for store, seen in self.pairs(self.logs)]
        # SQL marks the events that a later one has made needless.
        said = [(page.position, [event[:3] for event in page.events]) for page in pages]
        assert said == said[:1] * len(KINDS) and all(page.complete for page in pages)
        assert pages[0].position >= self.logs[0].position
        self.logs = pages
        for denylist, page in zip(self.denylist, pages, strict=True):
            denylist.apply(page.events)
        for store, denylist in self.pairs(self.denylist):
            self.judge(store, denylist)

    @invariant()
    def tokens_are_those_of_the_model(self):
        if not hasattr(self, "closing"):
            return
        for key, (_, _, alive) in self.tokens.items():
            stores = self.sweeping if key in self.fleeting else self.stores
            assert self.same(lambda store, key=key: store.find_token(key), stores).revoked is not alive
        assert self.same(lambda store: store.count_tokens(), self.sweeping) == len(self.tokens)
        for store in self.stores:
            self.judge(store, load_denylist(store, self.clock))

    def judge(self, store, denylist):
        """Compare what a worker's denylist says of the JWTs with the model."""
        which = self.stores.index(store)
        for key in self.remembered():
            owner, positions, alive = self.jwts[key]
            assert denylist.is_revoked(key, owner, positions[which], self.issued_at[key]) is not alive


TestStores = Stores.TestCase
TestStores.settings = settings(max_examples=settings().max_examples // 5, stateful_step_count=25)
