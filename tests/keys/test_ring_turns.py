"""Signing keys when a secret changes, when the next is made, and when one is removed."""

from __future__ import annotations

import pytest

from helpers.changes import remove_key
from helpers.key_rings import LEAD
from oauth_mw import StoreUnavailable
from oauth_mw.keys import keypair
from oauth_mw.keys.keypair import make
from oauth_mw.keys.ring import NEED_SECONDS
from oauth_mw.keys.schedule import MARGIN_SECONDS, with_need

STORE_KINDS = ["memory"]

HOUR = 3600
OLD, NEW = "o" * 32, "n" * 32


# Another secret


def test_keys_that_lie_open_go_on_when_a_secret_is_set(ring, signs):
    kid = signs(ring())

    assert signs(ring(secret=OLD)) == kid


def test_after_a_change_of_the_secret_each_worker_signs_with_the_key_that_it_can_read(ring, signs, clock):
    before, after = ring(secret=OLD), ring(secret=NEW)
    first = signs(before)
    second = after.add(make("ES256")).kid

    used = []
    for seconds in (0, LEAD - 1, 1, *[MARGIN_SECONDS] * 3):
        clock.move(seconds)
        used.append((signs(before), signs(after)))

    assert used == [(first, second)] * 6
    assert ring(secret=NEW).find(first) is not None


@pytest.mark.parametrize("options", [{"lifetime": HOUR}, {"algorithm": "EdDSA"}], ids=["lifetime", "algorithm"])
def test_who_has_another_secret_makes_no_key_for_those_who_cannot_read_it(ring, keys, signs, clock, options):
    signs(ring(secret=OLD))
    clock.move(2 * HOUR)

    for secret in (NEW, None):
        with pytest.raises(StoreUnavailable, match="key_encryption_secret"):
            signs(ring(secret=secret, **options))
    assert len(keys.read_keys().keys) == 1


def test_a_key_that_cannot_be_read_is_tried_once(ring, signs, clock, monkeypatch):
    signs(ring(secret=OLD))
    worker, tried = ring(secret=NEW), []

    def refuse(*given):
        tried.append(given)
        raise ValueError

    monkeypatch.setattr(keypair, "from_pem", refuse)
    for _ in range(3):
        clock.move(1)
        with pytest.raises(StoreUnavailable):
            signs(worker)

    assert len(tried) == 1


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

    def needed_again(change):
        update(lambda found: with_need(found, first, until))
        return update(change)

    monkeypatch.setattr(keys, "update_keys", needed_again, raising=False)
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


def test_while_the_store_is_down_a_worker_that_was_told_to_forget_believes_no_key(ring, keys, signs):
    worker = ring()
    kid = signs(worker)
    keys.down, asked = True, keys.asked

    worker.forget()

    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            worker.find(kid)
    assert keys.asked == asked + 1
