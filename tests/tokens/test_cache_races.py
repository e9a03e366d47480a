"""The cache of verified tokens while things happen in between: races, slow polls, pauses, threads, forks."""

from __future__ import annotations

import gc
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import FunctionType, ModuleType

import pytest

from helpers.builders import HOUR
from helpers.changes import ENDS, end_client
from helpers.support import or_none
from oauth_mw import StoreUnavailable
from oauth_mw.model import AccessToken, Revocation
from oauth_mw.tokens.cache import POLL_SECONDS, Segment
from oauth_mw.tokens.opaque import storage_key

REVOKE = {
    "a token": lambda store, text: store.revoke_token(storage_key(text)),
    **{name: lambda store, text, end=ENDS[name]: end(store) for name in ("end all", "disable", "delete")},
}
every_revocation = pytest.mark.parametrize("revoke", REVOKE.values(), ids=REVOKE)


@pytest.fixture
def scene(make):
    return make(local=True)


@every_revocation
def test_exactly_what_is_revoked_is_evicted(scene, store, revoke):
    one, two, foreign = scene.known(), scene.known(), scene.known("other")

    revoke(store, one)

    assert not scene.keeps(one)
    assert scene.keeps(two) is (or_none(scene.tokens.read, two) is not None)
    assert scene.keeps(foreign)


@every_revocation
def test_the_older_segment_of_the_cache_is_evicted_too(make, store, revoke):
    scene = make(local=True, size=2)
    for _ in range(2):
        scene.known("other")

    revoke(store, scene.text)

    assert not scene.keeps()


@every_revocation
@pytest.mark.parametrize("polled", [True, False], ids=["polled in between", "polled later"])
def test_a_row_that_was_read_before_its_revocation_is_not_cached(scene, store, revoke, polled):
    text = scene.issue()

    def read(asked):
        token = scene.tokens.read(asked)
        if asked == text:
            revoke(store, text)
            if polled:
                scene.keeps("of another thread")
        return token

    scene.read = read
    assert scene.accepts(text)  # its own request was under way when the token was revoked

    assert not scene.keeps(text)


@pytest.mark.parametrize("when", ["read before", "cached before"])
def test_a_token_of_another_store_behind_the_url_is_not_kept(scene, store, when):
    text = scene.issue()

    def take_the_place():
        scene.log.read_log = lambda store_id, after: store.read_log("another", after)
        scene.ticks.move(POLL_SECONDS)

    def read(asked):
        token = scene.tokens.read(asked)
        if asked == text and when == "read before":
            take_the_place()
            scene.keeps("of another thread")
        return token

    scene.read = read
    assert scene.accepts(text)
    if when == "cached before":
        take_the_place()

    assert not scene.keeps(text)


@every_revocation
def test_a_revocation_during_a_poll_is_seen_by_the_next_request(scene, store, revoke):
    scene.log.after = lambda: revoke(store, scene.text)
    scene.ticks.move(POLL_SECONDS)
    scene.keeps()
    scene.log.after = lambda: None

    assert not scene.keeps()


def test_a_hit_polls_once_a_second_counted_from_the_beginning_of_the_poll(scene):
    polls, counts = scene.log.polls, []
    scene.log.after = lambda: scene.ticks.move(POLL_SECONDS / 2)
    for seconds in (POLL_SECONDS - 0.001, 0.001, POLL_SECONDS / 2 - 0.001, 0.001):
        scene.ticks.move(seconds)
        assert scene.keeps()
        counts.append(scene.log.polls - polls)

    assert counts == [0, 1, 1, 2]


@pytest.mark.parametrize("seconds", [POLL_SECONDS, HOUR], ids=["next poll", "pause"])
def test_a_revocation_without_a_new_generation_is_seen_by_the_next_poll(scene, store, seconds):
    # A process that was killed between its commit and the counter leaves this behind.
    scene.log.generation = lambda: 0
    scene.ticks.move(POLL_SECONDS)
    assert scene.keeps()
    scene.end(store)
    assert scene.keeps()

    scene.ticks.move(seconds)

    assert not scene.keeps()


def test_a_token_can_be_cached_again_after_events_about_others(scene, store):
    end_client(store, "other")

    assert scene.keeps(scene.known())


def test_a_hit_reads_nothing_but_the_generation(scene):
    scene.log.read_log = scene.log.verify = None

    assert [scene.keeps() for _ in range(3)] == [True] * 3


def strings_within(value):
    """All strings that can be reached from an object, other than through code."""
    found, left = {id(value): value}, [value]
    while left:
        for each in gc.get_referents(left.pop()):
            if id(each) not in found and not isinstance(each, type | ModuleType | FunctionType):
                found[id(each)] = each
                left.append(each)
    return [each for each in found.values() if isinstance(each, str | bytes)]


def test_no_token_text_is_kept(scene):  # L-02
    text = scene.known()
    kept = repr(strings_within(scene.cache))

    assert storage_key(text).hex() in kept and text not in kept


def test_many_threads_cause_one_poll(scene):
    polls, start = scene.log.polls, Barrier(8)
    scene.ticks.move(POLL_SECONDS)

    def get(_):
        start.wait()
        return scene.keeps()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(get, range(8))) == [True] * 8

    assert scene.log.polls == polls + 1


def test_a_request_waits_for_the_poll_of_another_thread_no_longer_than_its_timeout(make):
    scene = make(local=True, timeout=0.05)
    with scene.poll_under_way(), pytest.raises(StoreUnavailable):
        scene.ticks.move(POLL_SECONDS)
        scene.keeps()


def test_no_thread_accepts_what_any_thread_has_revoked(make, store):  # B-21
    scene, start = make(local=True, size=8), Barrier(6)

    def work(_):
        start.wait()
        stale = 0
        for _ in range(15):
            text = scene.known()
            REVOKE["a token"](store, text)
            stale += scene.accepts(text)
        return stale

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(6))) == [0] * 6


@pytest.mark.parametrize("client_id", ["", "client-3"], ids=["a token", "a client"])
def test_a_fork_between_any_two_steps_leaves_no_token_that_the_log_cannot_evict(client_id):
    segment, named = Segment(), []

    def look(frame, event, argument):
        if frame.f_code in (Segment.add.__code__, Segment.evict.__code__):
            named.append(segment.by_digest.keys() <= set(segment.digests.values()))
            return look
        return None

    sys.settrace(look)
    for number in range(5):
        segment.add(
            bytes([number]) * 32, AccessToken(f"client-{number}", "", frozenset(), bytes([number]).hex(), 0, HOUR)
        )
    segment.evict(Revocation(1, client_id, None if client_id else bytes([3])))
    sys.settrace(None)

    assert all(named) and len(named) > 15
    assert len(segment.by_digest) == 4
