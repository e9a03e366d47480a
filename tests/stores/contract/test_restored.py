"""A backup is put back: which tokens are revoked then, compared with a model of a few lines.

What happened after the backup is lost: rows of tokens that were issued since, and revocations. A JWT that was issued
since lies outside the store, and remains. A later revocation of all tokens of a client revokes every token that was
issued before it, and no other, whichever of the two states it was issued in, and whether a worker of this version
issued it or one of an older version, whose tokens carry the position of the log's head.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from itertools import count

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from helpers.builders import HOUR, key_of, log_of, registered, token_of
from helpers.changes import end_before, end_client
from helpers.support import HandClock
from oauth_mw import open_store
from oauth_mw.tokens.denylist import load_denylist

clients = strategies.sampled_from(["a", "b"])


class Restored(RuleBasedStateMachine):
    """The model: what revoked each token, by the numbers of the events. ``lasting`` has those that were not lost."""

    @initialize()
    def start(self):
        self.clock, self.folder, self.numbers = HandClock(), tempfile.TemporaryDirectory(), count()
        self.path = f"{self.folder.name}/0.db"
        self.store = open_store(f"sqlite:///{self.path}", create=True, clock=self.clock)
        for client_id in ("a", "b"):
            self.store.add_client(registered(client_id, secrets=()))
        self.under_way, self.revoked_by, self.owners, self.positions = {}, {}, {}, {}
        self.rows, self.lasting, self.moments, self.issued_at = set(), set(), {}, {}
        self.back_up()

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    @rule()
    def back_up(self):
        self.backup = f"{self.folder.name}/{next(self.numbers)}.backup"
        with closing(sqlite3.connect(self.path)) as here, closing(sqlite3.connect(self.backup)) as there:
            here.backup(there)
        self.kept = self.rows.copy(), self.lasting.copy(), self.moments.copy()

    @rule()
    def restore(self):
        self.store.close()
        self.path = f"{self.folder.name}/{next(self.numbers)}.db"
        with closing(sqlite3.connect(self.backup)) as there, closing(sqlite3.connect(self.path)) as here:
            there.backup(here)
        self.clock.move(1)
        self.store = open_store(f"sqlite:///{self.path}", create=True, clock=self.clock)
        self.rows, self.lasting, self.moments = (each.copy() for each in self.kept)

    @rule(client_id=clients, older=strategies.booleans())
    def begin_issue(self, client_id, older):
        client, key = self.store.find_client(client_id), key_of(next(self.numbers))
        position = log_of(self.store).position if older else client.revoked_before
        self.issued_at[key] = int(self.clock())
        self.under_way[key] = token_of(client, position=position, issued_at=self.issued_at[key])
        self.revoked_by[key], self.owners[key] = set(), client_id

    @precondition(lambda self: self.under_way)
    @rule()
    def end_issue(self):
        for key, record in self.under_way.items():
            self.store.add_token(key, record)
            self.rows.add(key)
            self.positions[key] = record.position
        self.under_way = {}

    @rule(client_id=clients, disable=strategies.booleans())
    def revoke_all(self, client_id, disable):
        assert end_client(self.store, client_id, disable=disable)
        self.moments.pop(client_id, None)
        self.happened(key for key, owner in self.owners.items() if owner == client_id)

    @rule(client_id=clients, hours=strategies.integers(-2, 1))
    def revoke_before(self, client_id, hours):
        moment = int(self.clock()) + hours * HOUR
        assert end_before(self.store, client_id, moment)
        self.moments[client_id] = moment = max(moment, self.moments.get(client_id, 0))
        of_client = [key for key, owner in self.owners.items() if owner == client_id]
        self.happened(key for key in of_client if self.issued_at[key] < moment)

    @rule(number=strategies.integers(0, 3))
    def revoke_jwt(self, number):
        for key in [*self.positions][number : number + 1]:
            alive = not self.revoked_by[key] & self.lasting
            count = self.store.revoke_log_only(self.owners[key], key, self.positions[key], self.issued_at[key])
            assert (count > 0) is alive
            if alive:
                self.happened([key])
                self.rows.discard(key)  # no opaque token has the key of a JWT

    def happened(self, keys):
        event = next(self.numbers)
        self.lasting.add(event)
        for key in keys:
            self.revoked_by[key].add(event)

    @rule(seconds=strategies.sampled_from([1, HOUR]))
    def move_clock(self, seconds):
        self.clock.move(seconds)

    @invariant()
    def tokens_are_those_of_the_model(self):
        if not hasattr(self, "store"):
            return
        denylist = load_denylist(self.store, self.clock)
        for key, position in self.positions.items():
            alive = not self.revoked_by[key] & self.lasting
            assert denylist.is_revoked(key, self.owners[key], position, self.issued_at[key]) is not alive
            if key in self.rows:
                assert self.store.find_token(key).revoked is not alive


TestRestored = Restored.TestCase
TestRestored.settings = settings(max_examples=settings().max_examples // 5, stateful_step_count=25)
