"""Signing keys while the store does not answer, or answers with nonsense."""

from __future__ import annotations

import pytest

from helpers.changes import add_key
from helpers.key_rings import LEAD, rings_of
from oauth_mw import StoreUnavailable
from oauth_mw.model import KeyRecord

STORE_KINDS = ["memory"]


def test_while_the_store_is_down_cached_keys_verify_and_are_published_and_all_is_well_a_second_later(
    ring, keys, clock, signs
):
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
    keys.down, asked = True, keys.asked

    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            worker.find(kid)
    with pytest.raises(StoreUnavailable):
        worker.public()
    assert keys.asked == asked + 1


@pytest.mark.parametrize(
    "public",
    ["", "{", "[]", '{"kty": []}', '{"kty": "EC", "crv": "P-0", "x": "", "y": ""}', "[" * 100_000, '{"kty": "oct"}'],
    ids=["empty", "cut", "a list", "an odd kind", "an odd curve", "deep", "a secret key"],
)
def test_a_corrupt_record_is_an_outage(ring, keys, public):
    add_key(keys, KeyRecord("one", "ES256", public, "", 0, 0), "")

    with pytest.raises(StoreUnavailable):
        ring().find("one")
