"""Signing keys when a secret changes, when one is removed, and when several processes make the next."""

from __future__ import annotations

import time

import pytest

from helpers.changes import remove_key
from helpers.processes import Processes
from oauth_mw import StoreUnavailable, open_store
from oauth_mw.keys.keypair import make
from oauth_mw.keys.ring import NEED_SECONDS, KeyRing
from oauth_mw.keys.schedule import MARGIN_SECONDS, with_need

LEAD = 300
HOUR = 3600
OLD, NEW = "o" * 32, "n" * 32


@pytest.fixture
def keys(store):
    return store


@pytest.fixture
def ring(keys, clock):
    """A worker's own; time goes on for all of them together."""

    def ring(secret=None, **options):
        options = {"algorithm": "ES256", "lifetime": None, "lead": LEAD, **options}
        return KeyRing(keys, clock, clock, secret=secret, **options)

    return ring


@pytest.fixture
def signs(clock):
    return lambda ring: ring.signing(int(clock()) + 60).kid


# Another secret


def test_keys_that_lie_open_go_on_when_a_secret_is_set(ring, signs):
    kid = signs(ring())

    assert signs(ring(OLD)) == kid


def test_a_change_of_the_secret_stops_nobody(ring, signs, clock):
    before, after = ring(OLD), ring(NEW)
    first = signs(before)
    second = after.add(make("ES256")).kid

    used = []
    for seconds in (0, LEAD - 1, 1, 1):
        clock.move(seconds)
        used.append((signs(before), signs(after)))

    assert used == [(first, second)] * 4


def test_workers_that_cannot_read_the_next_key_use_theirs_and_others_find_it(ring, signs, clock):
    before, after = ring(OLD), ring(NEW)
    first = signs(before)
    after.add(make("ES256"))
    for _ in range(3):
        clock.move(MARGIN_SECONDS)
        signs(before)

    assert ring(NEW).find(first) is not None


@pytest.mark.parametrize("options", [{"lifetime": HOUR}, {"algorithm": "EdDSA"}], ids=["lifetime", "algorithm"])
def test_who_has_another_secret_makes_no_key_for_those_who_cannot_read_it(ring, keys, signs, clock, options):
    signs(ring(OLD))
    clock.move(2 * HOUR)

    for secret in (NEW, None):
        with pytest.raises(StoreUnavailable, match="key_encryption_secret"):
            signs(ring(secret, **options))
    assert len(keys.read_keys().keys) == 1


def test_a_key_that_cannot_be_read_is_tried_once(ring, signs, clock, monkeypatch):
    signs(ring(OLD))
    worker, tried = ring(NEW), []
    monkeypatch.setattr("oauth_mw.keys.keypair.from_pem", _refusing(tried))
    for _ in range(3):
        clock.move(1)
        with pytest.raises(StoreUnavailable):
            signs(worker)

    assert len(tried) == 1


def _refusing(tried):
    def refuse(*given):
        tried.append(given)
        raise ValueError

    return refuse


# One after the other


def test_a_key_that_is_added_to_sign_at_once_does(ring, signs, clock):
    worker = ring()
    signs(worker)
    waiting = worker.add(make("ES256"))
    clock.move(1)

    added = worker.add(make("ES256"), at_once=True)

    used = [signs(worker)]
    clock.move(LEAD)
    used.append(signs(worker))
    assert used == [added.kid, waiting.kid]


def test_no_two_keys_begin_to_sign_in_the_same_second(ring, keys, signs):
    worker = ring()
    signs(worker)
    for at_once in (True, True, False, False):
        worker.add(make("ES256"), at_once=at_once)

    assert len({record.signs_from for record in keys.read_keys().keys}) == 5


def test_workers_of_two_minds_about_the_algorithm_do_not_make_key_after_key(ring, keys, signs, clock):
    workers = [ring(algorithm="ES256"), ring(algorithm="EdDSA")]
    for _ in range(10):
        for worker in workers:
            signs(worker)
        clock.move(LEAD)

    assert [record.algorithm for record in keys.read_keys().keys] == ["ES256", "EdDSA"]


def test_what_nobody_needs_any_more_goes_when_the_next_key_comes(ring, keys, signs, clock):
    worker, found = ring(), []
    kids = [signs(worker), worker.add(make("ES256")).kid]
    for seconds in (LEAD, 60 + NEED_SECONDS + MARGIN_SECONDS - LEAD, LEAD + 1):
        clock.move(seconds)
        kids.append(worker.add(make("ES256")).kid)
        found.append([record.kid for record in keys.read_keys().keys])

    # The second never signed.
    assert found == [kids[:3], [kids[0], *kids[2:4]], kids[2:]]


def test_a_key_that_is_needed_again_meanwhile_stays(ring, keys, signs, clock, monkeypatch):
    worker = ring()
    first = signs(worker)
    worker.add(make("ES256"))
    clock.move(3 * MARGIN_SECONDS)
    signs(worker)
    update, until = keys.update_keys, int(clock()) + 60
    monkeypatch.setattr(
        keys, "update_keys", lambda change: (update(lambda found: with_need(found, first, until)), update(change))[1]
    )

    worker.add(make("ES256"))

    assert ring().find(first) is not None


# Removed


def test_once_told_a_worker_finds_a_removed_key_no_more(ring, keys, signs):
    worker = ring()
    kid = signs(worker)
    worker.find(kid)
    remove_key(keys, kid)

    worker.forget()

    assert worker.find(kid) is None


def test_while_the_store_is_down_a_worker_that_was_told_believes_no_key(ring, keys, signs, clock, monkeypatch):
    worker = ring()
    kid = signs(worker)
    asked = []
    monkeypatch.setattr(keys, "read_keys", lambda: asked.append(1) or _down())

    worker.forget()

    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            worker.find(kid)
    assert len(asked) == 1


def _down():
    raise StoreUnavailable("down")


# Processes

MAKER = """
import time
from oauth_mw.keys.ring import NEED_SECONDS, KeyRing
options = {"algorithm": "ES256", "lifetime": 3600, "lead": 300, "secret": None}
rings = [KeyRing(store, time.time, time.monotonic, **options) for _ in range(20)]
print("ready", flush=True)
sys.stdin.readline()
print(*{ring.signing(int(time.time()) + 60).kid for ring in rings}, flush=True)
"""


def test_of_processes_that_see_it_due_at_once_one_makes_the_next(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/oauth.db", create=True)
    past = time.time() - HOUR
    first = KeyRing(store, lambda: past, time.monotonic, algorithm="ES256", lifetime=None, lead=LEAD, secret=None)
    kid = first.signing(int(past) + HOUR).kid
    with Processes(store.url) as start:
        workers = [start(MAKER) for _ in range(3)]
        assert [worker.says() for worker in workers] == ["ready"] * 3
        for worker in workers:
            worker.hears()
        used = {worker.says() for worker in workers}

    assert used == {kid}
    assert len(store.read_keys().keys) == 2
    store.close()
