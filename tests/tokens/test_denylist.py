"""The denylist: what it takes from the log, for how long, and how it is loaded in pages."""

from __future__ import annotations

import pickle
import sys
from copy import deepcopy

import pytest

from helpers.builders import NOW, key_of, registered
from helpers.changes import end_client
from helpers.processes import exit_code_of, forked
from helpers.support import HandClock, or_none
from oauth_mw import StoreUnavailable, open_store
from oauth_mw.errors import TokenRefused
from oauth_mw.model import LOG_KEEP_SECONDS, AccessToken, DenylistPage, LogPage, Revocation
from oauth_mw.tokens import denylist as module
from oauth_mw.tokens.cache import TokenCache
from oauth_mw.tokens.denylist import Denylist

STORE_KINDS = ["memory"]

HOUR, DAY = 3600, 24 * 3600
HEAD = NOW * 1_000_000  # the position of the log now


def key(number: int, expires_at: int = NOW + 60) -> bytes:
    return expires_at.to_bytes(4) + number.to_bytes(28)


def one(number: int, client_id: str = "x", position: int = HEAD, expires_at: int = NOW + 60) -> Revocation:
    """The revocation of one token that has no row."""
    return Revocation(position, client_id, key(number, expires_at), True)


class Events:
    """A log that has nothing but these events."""

    def __init__(self, events):
        self.read_denylist = lambda after: DenylistPage(events, None)
        self.read_log = lambda *after: LogPage("a store", 0, (), False)


@pytest.fixture
def monotonic():
    return HandClock()


@pytest.fixture
def denylist(clock, monotonic):
    return Denylist(lambda: clock(), lambda: monotonic())  # a deep copy follows the same clocks


@pytest.fixture
def move(clock, monotonic):
    """Let time pass, on a clock that is right."""
    return lambda seconds: (clock.move(seconds), monotonic.move(seconds))


def load(denylist, events):
    denylist.load(Events(events), LogPage("a store", 0, (), False), 60)
    denylist.settle()


@pytest.mark.parametrize("learn", [load, Denylist.apply], ids=["loaded", "followed"])
def test_what_the_log_names_is_revoked_and_nothing_else(denylist, learn):
    assert not denylist.is_revoked(key(1), "x", 0)

    learn(denylist, [one(1), Revocation(7, "y"), one(1), Revocation(5, "y"), Revocation(5, "x", key(2))])

    # A row shows the revocation of the second.
    assert [denylist.is_revoked(key(number), "x", 9) for number in (1, 2)] == [True, False]
    # Of a client what was issued before the last event, in whatever order they come.
    assert [denylist.is_revoked(key(3), "y", position) for position in (4, 6, 7, 8)] == [True, True, False, False]
    assert not denylist.is_revoked(key(3), "z", 4)
    assert len(denylist) == 1

    load(denylist, [])
    assert not denylist.is_revoked(key(1), "x", 0) and not denylist.is_revoked(key(3), "y", 0)


def test_a_token_is_dropped_when_no_clock_can_accept_it_and_later_ones_are_kept(denylist, move):
    denylist.apply([one(number, expires_at=NOW + number) for number in (3, 1, 2)])
    lengths = []
    for seconds in (1 + LOG_KEEP_SECONDS, 1):
        move(seconds)
        denylist.apply([])
        lengths.append(len(denylist))

    assert lengths == [3, 2]
    assert [denylist.is_revoked(key(number, NOW + number), "x", 9) for number in (1, 2, 3)] == [False, True, True]


def test_repeated_revocations_of_all_tokens_take_no_memory(clock):
    denylist = Denylist(clock, clock)
    denylist.apply([one(number, "y") for number in range(100)])
    size = len(pickle.dumps(denylist))
    for turn in range(1, 50):
        denylist.apply([*(one(1000 * turn + number) for number in range(10)), Revocation(HEAD + turn, "x")])

    assert len(denylist) == 100 and len(pickle.dumps(denylist)) < 2 * size
    assert denylist.is_revoked(key(1001), "x", HEAD) and denylist.is_revoked(key(9), "y", HEAD)


def test_a_fork_may_come_between_any_two_steps(denylist, move):
    """The child reads again what its parent was about to apply."""
    far = NOW + 10 * LOG_KEEP_SECONDS
    pages = [
        [one(1, expires_at=NOW - LOG_KEEP_SECONDS), one(2, "y", HEAD + 2, far)],
        [Revocation(HEAD + 3, "y"), one(3, "x", HEAD + 4, far)],
        [one(4, "y", HEAD + 5, far)],
    ]
    forks = []

    def look(frame, event, argument):
        if frame.f_code.co_filename == module.__file__:
            forks.append((pages.index(events), deepcopy(denylist)))
            return look
        return None

    for events in pages:
        move(2 + LOG_KEEP_SECONDS)
        sys.settrace(look)
        denylist.apply(events)
        sys.settrace(None)
    for number, child in forks:
        for events in pages[number:]:
            child.apply(events)
    states = []
    for seconds in (2 + LOG_KEEP_SECONDS, 20 * LOG_KEEP_SECONDS):
        move(seconds)
        for _, child in forks:
            child.apply([])
        states.append({(len(child), child.is_revoked(key(2, far), "y", HEAD + 2)) for _, child in forks})

    assert len(forks) > 30 and states == [{(2, True)}, {(0, True)}]


# A clock that is wrong for a while


@pytest.mark.parametrize("hours", [25, 100_000])
def test_a_worker_that_starts_while_the_clock_is_ahead_has_what_was_revoked_before(denylist, clock, monotonic, hours):
    clock.move(hours * HOUR)
    load(denylist, [one(1, expires_at=NOW + HOUR), Revocation(HEAD + hours * HOUR * 1_000_000, "y")])

    for _ in range(2):
        monotonic.move(3000)
        denylist.apply([])
    clock.move(-hours * HOUR)

    assert denylist.is_revoked(key(1, NOW + HOUR), "x", HEAD)


def test_a_token_revoked_while_the_clock_was_ahead_is_refused_until_it_has_expired(denylist, clock, move):
    clock.move(30 * DAY)
    denylist.apply([one(1, "x", HEAD + 30 * DAY * 1_000_000, NOW + 40 * DAY)])
    clock.move(-30 * DAY)

    for _ in range(40):
        assert denylist.is_revoked(key(1, NOW + 40 * DAY), "x", HEAD)
        move(DAY)
        denylist.apply([])


# Loading in pages

TOKENS = 5


class Paged:
    """The log of a store in pages of two events. ``during`` is called in each read of a page."""

    def __init__(self, store):
        self._store = store
        self.read = []
        self.during = lambda: None

    def __getattr__(self, name):
        return getattr(self._store, name)

    def read_denylist(self, after=(0,)):
        self.read.append(after)
        self.during()
        start = after[0] if after else 0
        events = self._store.read_denylist().events[start : start + 2]
        return DenylistPage(events, (start + 2,) if len(events) == 2 else None)


@pytest.fixture
def log(store):
    for client_id in ("tester", "other"):
        store.add_client(registered(client_id))
    for number in range(TOKENS):
        store.revoke_log_only("tester", key_of(number), 0)
    return Paged(store)


def load_by_page(denylist, log):
    """Load with no time to spare: each call reads one page. Return the last answer, and how many came before it."""
    for more in range(20):
        try:
            return denylist.load(log, log.read_log("", -1), 0), more
        except StoreUnavailable:
            pass
    raise AssertionError("it never ends")


def test_each_page_is_read_once_and_nothing_is_in_use_before_all_are_settled(denylist, log):
    page, more = load_by_page(denylist, log)
    before = len(denylist)
    denylist.settle()

    assert (page.complete, page.position) == (False, log.read_log("", -1).position)
    assert more == len(log.read) - 1 and len(log.read) == len(set(log.read)) == TOKENS // 2 + 1
    assert (before, len(denylist)) == (0, TOKENS)


def test_events_appended_during_the_load_are_included(denylist, log, store):
    log.during = lambda: (store.revoke_log_only("tester", key_of(100 + len(log.read)), 0), end_client(store, "other"))

    page, _ = load_by_page(denylist, log)
    denylist.settle()

    assert all(denylist.is_revoked(key_of(100 + number), "tester", 0) for number in range(1, len(log.read) + 1))
    assert denylist.is_revoked(key_of(), "other", 0)
    assert page.position == log.read_log("", -1).position


@pytest.mark.parametrize("timeout", [0, 60], ids=["between two calls", "within one"])
def test_pages_of_two_stores_are_not_put_together(denylist, log, clock, timeout):
    another = open_store("memory://", clock=clock)
    another.add_client(registered())
    log.during = lambda: timeout and setattr(log, "_store", another)

    with pytest.raises(StoreUnavailable):
        denylist.load(log, log.read_log("", -1), timeout)
    denylist.load(Paged(another), another.read_log("", -1), 60)
    denylist.settle()

    assert len(denylist) == 0


def test_a_child_that_is_forked_meanwhile_reads_on(denylist, log):
    with pytest.raises(StoreUnavailable):
        denylist.load(log, log.read_log("", -1), 0)

    def work():
        load_by_page(denylist, log)
        denylist.settle()
        return len(denylist) == TOKENS

    assert exit_code_of(forked(work)) == 0


def test_a_worker_accepts_nothing_before_all_is_loaded(denylist, log):
    token = AccessToken("tester", "", frozenset(), key_of().hex(), 0, 0)

    def live(text):
        if denylist.is_revoked(key_of(int(text)), "tester", 0):
            raise TokenRefused("revoked")
        return token

    options = {"size": 9, "lag": 1, "grace": 0, "timeout": 0, "monotonic": lambda: 0.0}
    cache, said = TokenCache(live, log, denylist=denylist, **options), []
    for _ in range(TOKENS // 2 + 1):
        try:
            said.append([or_none(cache.find, text, text) is not None for text in ("0", str(TOKENS))])
        except StoreUnavailable:
            said.append("unavailable")

    assert said == ["unavailable"] * (TOKENS // 2) + [[False, True]]
