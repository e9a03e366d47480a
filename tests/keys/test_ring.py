"""Which key signs, which verify, when the next one is made, and what outages and corrupt records change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.changes import add_key, remove_key
from helpers.key_rings import LEAD, rings_of
from oauth_mw import StoreUnavailable
from oauth_mw.keys.keypair import make
from oauth_mw.keys.ring import NEED_SECONDS, VERIFY_SECONDS
from oauth_mw.keys.schedule import MARGIN_SECONDS, with_need
from oauth_mw.model import KeyRecord

STORE_KINDS = ["memory"]

HOUR = 3600
DAY = 24 * HOUR
OLD, NEW = "o" * 32, "n" * 32


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", pytest.param("RS256", marks=pytest.mark.slow)])
def test_the_first_key_is_made_on_first_use_and_signs_at_once_for_all_workers(ring, soon, algorithm):  # K-01
    worker, other = ring(algorithm=algorithm), ring(algorithm=algorithm)
    key = worker.signing(soon())
    (found,) = worker.public()

    assert key.algorithm == algorithm
    assert other.signing(soon()).kid == key.kid
    assert other.find(key.kid).verify(b"message", key.sign(b"message"))
    assert (found["kid"], found["use"], found["alg"], "d" in found) == (key.kid, "sig", algorithm, False)


def test_exactly_one_of_several_workers_makes_each_key(ring, keys, clock, signs):
    workers = [ring(lifetime=HOUR) for _ in range(8)]

    with ThreadPoolExecutor(8) as threads:
        kids = set(threads.map(signs, workers))
        assert len(kids) == len(keys.read_keys().keys) == 1
        clock.move(HOUR - LEAD)
        assert set(threads.map(signs, workers)) == kids
    assert len(keys.read_keys().keys) == 2


# The secret


def test_keys_in_the_clear_sign_on_when_a_secret_is_set(ring, signs):
    kid = signs(ring())

    assert signs(ring(secret=OLD)) == kid


def test_after_a_change_of_the_secret_each_worker_signs_with_the_key_that_it_can_decrypt(ring, signs, clock, locked):
    kids = locked(OLD), locked(NEW, LEAD)
    before, after = ring(secret=OLD), ring(secret=NEW)

    used = []
    for seconds in (0, LEAD - 1, 1, *[MARGIN_SECONDS] * 3):
        clock.move(seconds)
        used.append((signs(before), signs(after)))

    assert used == [kids] * 6
    assert ring(secret=NEW).find(kids[0]) is not None


@pytest.mark.parametrize("options", [{"lifetime": HOUR}, {"algorithm": "EdDSA"}], ids=["lifetime", "algorithm"])
def test_a_worker_with_another_secret_makes_no_key_and_signs_nothing(ring, keys, signs, clock, locked, options):
    kid = locked(OLD)
    clock.move(2 * HOUR)

    for secret in (NEW, None):
        worker = ring(secret=secret, **options)
        with pytest.raises(StoreUnavailable, match="key_encryption_secret"):
            signs(worker)
        assert worker.find(kid).kid == kid
    assert len(keys.read_keys().keys) == 1


class CountedSecret(str):
    """A secret that counts how often it is used."""

    used = 0

    def encode(self, *how):
        self.used += 1
        return super().encode(*how)


def test_a_key_that_cannot_be_decrypted_is_tried_once(ring, signs, clock, locked):
    locked(OLD)
    secret = CountedSecret(NEW)
    worker = ring(secret=secret)

    for _ in range(3):
        clock.move(1)
        with pytest.raises(StoreUnavailable):
            signs(worker)

    assert secret.used == 1


# One after the other


def test_no_two_keys_begin_to_sign_in_the_same_second(ring, keys, signs):
    worker = ring()
    signs(worker)
    for at_once in (True, True, False, False):
        worker.add(make("ES256"), at_once=at_once)

    assert len({record.signs_from for record in keys.read_keys().keys}) == 5


def test_keys_follow_each_other_by_themselves(ring, clock, signs):
    worker, kids = ring(lifetime=HOUR), []
    for _ in range(2 * HOUR // 100 + 1):
        kids.append(signs(worker))
        clock.move(100)

    changes = [number * 100 for number in range(1, len(kids)) if kids[number] != kids[number - 1]]
    assert changes == [HOUR, 2 * HOUR]


def test_another_algorithm_follows_once_though_some_workers_have_the_old_setting(ring, keys, soon, clock):
    workers, used = [ring(algorithm="ES256"), ring(algorithm="EdDSA")], []
    for _ in range(10):
        used.append([worker.signing(soon()).algorithm for worker in workers])
        clock.move(LEAD)

    assert used == [["ES256"] * 2] + [["EdDSA"] * 2] * 9
    assert [record.algorithm for record in keys.read_keys().keys] == ["ES256", "EdDSA"]


# For how long


def test_an_old_key_verifies_until_its_last_token_has_expired(ring, clock):
    worker, checker = ring(), ring()
    first = worker.signing(int(clock()) + HOUR).kid
    assert checker.find(first)
    worker.add(make("ES256"))
    found = []
    for seconds in (LEAD, HOUR + NEED_SECONDS + MARGIN_SECONDS - LEAD, 1, VERIFY_SECONDS):
        clock.move(seconds)
        found.append([each.find(first) is not None for each in (ring(), checker)])

    # That a key has expired is no event: a worker that has just read it uses it a little longer.
    assert found == [[True, True], [True, True], [False, True], [False, False]]


def test_the_need_for_a_key_is_written_only_when_a_token_needs_it_longer(ring, keys, clock):
    worker, needed = ring(), []
    for seconds in (0, 60, NEED_SECONDS):
        clock.move(seconds)
        worker.signing(int(clock()) + HOUR)
        needed.append(keys.read_keys().keys[0].needed_until - int(clock()))

    assert needed == [HOUR + NEED_SECONDS, HOUR + NEED_SECONDS - 60, HOUR + NEED_SECONDS]


def test_a_shorter_need_of_another_worker_does_not_replace_a_longer_one(ring, keys, clock, signs):
    one, other = ring(), ring()
    signs(one), signs(other)  # both have read the keys of this second
    now = int(clock())

    one.signing(now + 2 * DAY)
    other.signing(now + DAY)

    assert keys.read_keys().keys[0].needed_until == now + 2 * DAY + NEED_SECONDS


def test_a_key_that_is_not_needed_is_removed_when_the_next_is_added(ring, keys, signs, clock):
    worker, found = ring(), []
    kids = [signs(worker), worker.add(make("ES256")).kid]
    for seconds in (LEAD, 60 + NEED_SECONDS + MARGIN_SECONDS - LEAD, LEAD + 1):
        clock.move(seconds)
        kids.append(worker.add(make("ES256")).kid)
        found.append([record.kid for record in keys.read_keys().keys])

    # The second never signed.
    assert found == [kids[:3], [kids[0], *kids[2:4]], kids[2:]]


def test_a_key_that_is_needed_again_meanwhile_is_kept(ring, keys, signs, clock, monkeypatch):
    worker = ring()
    first = signs(worker)
    worker.add(make("ES256"))
    clock.move(3 * MARGIN_SECONDS)
    signs(worker)
    update, until = keys.update_keys, int(clock()) + 60

    def needed_again(change):
        update(lambda found: with_need(found, first, until))
        return update(change)

    monkeypatch.setattr(keys, "update_keys", needed_again, raising=False)
    worker.add(make("ES256"))

    assert ring().find(first) is not None


@pytest.mark.parametrize("is_event_seen", [True, False])
def test_a_removed_key_is_not_found_after_the_event_or_a_second(ring, keys, signs, clock, is_event_seen):
    worker = ring()
    kid = signs(worker)
    remove_key(keys, kid)

    if is_event_seen:
        worker.forget()
    else:
        clock.move(1)
        worker.public()

    assert worker.find(kid) is None


# Reads of the store


def test_a_cached_key_is_found_without_a_read(ring, keys, clock, signs):
    worker = ring()
    kid = signs(worker)
    clock.move(VERIFY_SECONDS - 1)
    before = keys.reads

    assert worker.find(kid).kid == kid
    assert keys.reads == before


def test_unknown_ids_cause_one_read_a_second(ring, keys, clock, signs):
    worker = ring()
    signs(worker)
    before = keys.reads
    for seconds in (0, 1):
        clock.move(seconds)
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(worker.find, map(str, range(40)))) == {None}

    assert keys.reads == before + 2


def test_a_key_that_signs_at_once_is_found_by_a_worker_that_has_just_read(ring, signs):
    maker, checker = ring(), ring()
    checker.public()
    assert checker.find(signs(maker))  # the very first

    assert checker.find(maker.add(make("ES256"), at_once=True).kid)


def test_signing_reads_once_a_second(ring, keys, clock, signs):
    worker = ring()
    signs(worker)
    before = keys.reads
    for _ in range(8):
        clock.move(0.25)
        signs(worker)

    assert keys.reads - before == 2


# Outages


def test_while_the_store_is_down_cached_keys_verify_and_are_published(ring, keys, clock, signs):
    worker = ring()
    kid = signs(worker)
    clock.move(1)
    keys.down = True

    assert worker.find(kid).kid == kid
    assert [key["kid"] for key in worker.public()] == [kid]
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            worker.find("unknown")
    with pytest.raises(StoreUnavailable):
        signs(worker)

    keys.down = False
    clock.move(1)
    assert signs(worker) == kid


def test_a_read_of_another_thread_that_fails_just_now_is_no_answer(keys, clock, signs):
    meanwhile = []

    def monotonic():
        if meanwhile:
            meanwhile.pop()()
        return clock()

    def fail():
        worker.forget()
        keys.down = True
        with pytest.raises(StoreUnavailable):
            worker.find("unknown")

    worker = rings_of(keys, clock, monotonic)()
    signs(worker)
    meanwhile.append(fail)

    with pytest.raises(StoreUnavailable):
        worker.find("unknown")


def test_while_the_store_is_full_the_last_key_signs_on_but_no_first_one_is_made(ring, keys, clock, signs):
    keys.full = True
    with pytest.raises(StoreUnavailable):
        signs(ring())

    keys.full, worker = False, ring(lifetime=2 * LEAD)
    kid = signs(worker)
    clock.move(LEAD)
    keys.full = True
    assert signs(worker) == kid


@pytest.mark.parametrize("is_cached", [False, True], ids=["nothing cached yet", "forgotten"])
def test_while_the_store_is_down_a_worker_without_cached_keys_has_none(ring, keys, signs, is_cached):
    worker = ring()
    kid = signs(worker if is_cached else ring())
    worker.forget()
    keys.down, reads = True, keys.reads

    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            worker.find(kid)
    with pytest.raises(StoreUnavailable):
        worker.public()
    assert keys.reads == reads + 1


@pytest.mark.parametrize(
    "public",
    ["", "{", "[]", '{"kty": []}', '{"kty": "EC", "crv": "P-0", "x": "", "y": ""}', "[" * 100_000, '{"kty": "oct"}'],
    ids=["empty", "cut", "a list", "an odd kind", "an odd curve", "deep", "a secret key"],
)
def test_a_corrupt_record_is_an_outage(ring, keys, public):
    add_key(keys, KeyRecord("one", "ES256", public, "", 0, 0), "")

    with pytest.raises(StoreUnavailable):
        ring().find("one")
