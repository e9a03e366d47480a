"""Which key signs, and which verify."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.changes import remove_key
from helpers.key_rings import LEAD
from oauth_mw import StoreUnavailable
from oauth_mw.keys.keypair import ALGORITHMS, make
from oauth_mw.keys.ring import NEED_SECONDS, VERIFY_SECONDS
from oauth_mw.keys.schedule import MARGIN_SECONDS

STORE_KINDS = ["memory"]

HOUR = 3600
DAY = 24 * HOUR


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_first_key_is_made_on_first_use_for_the_algorithm_and_signs_at_once_for_all_workers(
    ring, soon, algorithm
):  # K-01
    worker, other = ring(algorithm=algorithm), ring(algorithm=algorithm)
    key = worker.signing(soon())
    (found,) = worker.public()

    assert key.algorithm == algorithm
    assert other.signing(soon()).kid == key.kid
    assert other.find(key.kid).verify(b"message", key.sign(b"message"))
    assert (found["kid"], found["use"], found["alg"], "d" in found) == (key.kid, "sig", algorithm, False)


def test_of_workers_that_race_one_makes_it(ring, keys, soon):
    with ThreadPoolExecutor(8) as threads:
        kids = set(threads.map(lambda worker: worker.signing(soon()).kid, [ring() for _ in range(8)]))

    assert len(kids) == len(keys.read_keys().keys) == 1


def test_the_private_half_is_encrypted_with_the_secret_and_without_it_nothing_is_signed(ring, keys, soon):
    kid = ring(secret="s" * 32).signing(soon()).kid

    assert keys.read_keys().keys[0].private.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert ring(secret="s" * 32).signing(soon()).kid == kid
    for secret in (None, "other" * 8):
        worker = ring(secret=secret)
        with pytest.raises(StoreUnavailable, match="key_encryption_secret"):
            worker.signing(soon())
        assert worker.find(kid).kid == kid


# One after the other


def test_the_next_key_is_published_before_it_signs(ring, clock, soon):
    worker = ring()
    first = worker.signing(soon()).kid
    following = make("ES256")

    assert worker.add(following)

    kids = [worker.signing(soon()).kid]
    published = {key["kid"] for key in worker.public()}
    for seconds in (LEAD - 1, 1):
        clock.move(seconds)
        kids.append(worker.signing(soon()).kid)
    assert published == {first, following.kid}
    assert kids == [first, first, following.kid]


def test_an_old_key_verifies_until_its_last_token_has_expired(ring, clock):
    worker = ring()
    first = worker.signing(int(clock()) + HOUR).kid
    worker.add(make("ES256"))
    found = []
    for seconds in (LEAD, HOUR + NEED_SECONDS + MARGIN_SECONDS - LEAD, 1):
        clock.move(seconds)
        ring_of_another = ring()
        found.append(ring_of_another.find(first) is not None)

    assert found == [True, True, False]


def test_a_key_is_asked_to_stay_only_when_a_token_needs_it_longer(ring, keys, clock):
    worker, needed = ring(), []
    for seconds in (0, 60, NEED_SECONDS):
        clock.move(seconds)
        worker.signing(int(clock()) + HOUR)
        needed.append(keys.read_keys().keys[0].needed_until - int(clock()))

    assert needed == [HOUR + NEED_SECONDS, HOUR + NEED_SECONDS - 60, HOUR + NEED_SECONDS]


def test_keys_follow_each_other_by_themselves(ring, clock, soon):
    worker, kids = ring(lifetime=HOUR), []
    for _ in range(2 * HOUR // 100 + 1):
        kids.append(worker.signing(soon()).kid)
        clock.move(100)

    changes = [number * 100 for number in range(1, len(kids)) if kids[number] != kids[number - 1]]
    assert changes == [HOUR, 2 * HOUR]


def test_of_workers_that_see_it_due_at_once_one_makes_the_next(ring, keys, clock, soon):
    workers = [ring(lifetime=HOUR) for _ in range(8)]
    workers[0].signing(soon())
    clock.move(HOUR - LEAD)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda worker: worker.signing(soon()), workers))

    assert len(keys.read_keys().keys) == 2


def test_another_algorithm_takes_over_like_any_next_key(ring, clock, soon):
    ring().signing(soon())
    worker = ring(algorithm="EdDSA")

    used = [worker.signing(soon()).algorithm]
    clock.move(LEAD)
    used.append(worker.signing(soon()).algorithm)

    assert used == ["ES256", "EdDSA"]


def test_a_key_that_was_removed_is_found_no_more(ring, keys, clock, soon):
    worker = ring()
    kid = worker.signing(soon()).kid
    remove_key(keys, kid)

    clock.move(1)
    worker.public()

    assert worker.find(kid) is None


# Looks


def test_a_key_that_is_known_is_found_without_a_look(ring, keys, clock, soon):
    worker = ring()
    kid = worker.signing(soon()).kid
    clock.move(VERIFY_SECONDS - 1)
    before = keys.asked

    assert worker.find(kid).kid == kid
    assert keys.asked == before


def test_a_worker_that_only_checks_learns_that_a_key_is_needed_no_longer(ring, clock, soon):
    maker, checker = ring(), ring()
    old = maker.signing(soon()).kid
    assert checker.find(old)
    maker.add(make("ES256"))
    clock.move(LEAD + HOUR + 2 * DAY)

    assert checker.find(old) is None


def test_unknown_ids_make_a_worker_look_once_a_second(ring, keys, clock, soon):
    worker = ring()
    worker.signing(soon())
    before = keys.asked
    for number in range(10):
        assert worker.find(f"unknown {number}") is None
    clock.move(1)
    for number in range(10):
        assert worker.find(f"unknown {number}") is None

    assert keys.asked == before + 2


def test_unknown_ids_in_many_threads_make_a_worker_look_once(ring, keys, soon):
    worker = ring()
    worker.signing(soon())
    before = keys.asked
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: worker.find(f"unknown {number}"), range(40)))

    assert keys.asked == before + 1


def test_a_key_that_signs_at_once_is_found_by_a_worker_that_has_just_looked(ring, soon):
    maker, checker = ring(), ring()
    checker.public()
    assert checker.find(maker.signing(soon()).kid)  # the very first

    assert checker.find(maker.add(make("ES256"), at_once=True).kid)


def test_signing_looks_once_a_second(ring, keys, clock, soon):
    worker = ring()
    worker.signing(soon())
    before = keys.asked
    for _ in range(8):
        clock.move(0.25)
        worker.signing(soon())

    assert keys.asked - before == 2
