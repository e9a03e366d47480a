"""What becomes of signing keys while the store does not answer, or answers with nonsense."""

from __future__ import annotations

import pytest

from helpers.changes import add_key
from helpers.key_rings import LEAD, rings_of
from oauth_mw import StoreUnavailable
from oauth_mw.model import KeyRecord

STORE_KINDS = ["memory"]


def test_while_the_store_is_down_known_keys_verify_and_others_cannot_be_told(ring, keys, clock, soon):
    worker = ring()
    kid = worker.signing(soon()).kid
    clock.move(1)
    keys.down = True

    assert worker.find(kid).kid == kid
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            worker.find("unknown")
    with pytest.raises(StoreUnavailable):
        worker.signing(soon())


def test_a_look_of_another_that_fails_just_now_is_no_answer(keys, clock, soon):
    meanwhile = []

    def monotonic():
        if meanwhile:
            meanwhile.pop()()
        return clock()

    def look_in_vain():
        worker.forget()
        keys.down = True
        with pytest.raises(StoreUnavailable):
            worker.find("unknown")

    worker = rings_of(keys, clock, monotonic)()
    worker.signing(soon())
    meanwhile.append(look_in_vain)

    with pytest.raises(StoreUnavailable):
        worker.find("unknown")


def test_while_the_store_is_full_the_last_key_goes_on_but_there_is_no_first_one(ring, keys, clock, soon):
    keys.full = True
    with pytest.raises(StoreUnavailable):
        ring().signing(soon())

    keys.full, worker = False, ring(lifetime=2 * LEAD)
    kid = worker.signing(soon()).kid
    clock.move(LEAD)
    keys.full = True
    assert worker.signing(soon()).kid == kid


def test_while_the_store_is_down_the_key_set_is_what_it_said_last(ring, keys, clock, soon):
    worker = ring()
    kid = worker.signing(soon()).kid
    clock.move(1)
    keys.down = True

    assert [key["kid"] for key in worker.public()] == [kid]


@pytest.mark.parametrize("knows", [False, True], ids=["nothing known yet", "forgotten"])
def test_a_key_set_of_which_nothing_is_known_is_an_outage(ring, keys, soon, knows):
    worker = ring()
    if knows:
        worker.signing(soon())
        worker.forget()
    keys.down = True

    with pytest.raises(StoreUnavailable):
        worker.public()


def test_all_is_well_again_a_second_later(ring, keys, clock, soon):
    worker = ring()
    kid = worker.signing(soon()).kid
    keys.down = True
    clock.move(1)
    with pytest.raises(StoreUnavailable):
        worker.find("unknown")
    keys.down = False

    clock.move(1)

    assert worker.signing(soon()).kid == kid


@pytest.mark.parametrize(
    "public",
    ["", "{", "[]", '{"kty": []}', '{"kty": "EC", "crv": "P-0", "x": "", "y": ""}', "[" * 100_000, '{"kty": "oct"}'],
    ids=["empty", "cut", "a list", "an odd kind", "an odd curve", "deep", "a secret key"],
)
def test_a_record_that_is_garbled_is_an_outage(ring, keys, clock, soon, public):
    add_key(keys, KeyRecord("one", "ES256", public, "", 0, 0), "")

    with pytest.raises(StoreUnavailable):
        ring().find("one")
