"""Counters of wrong credentials in bounded memory."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc

import pytest

from oauth_mw.rates import Rate
from oauth_mw.slots import Guesses, Slots

PER_CLIENT, PER_ADDRESS = Rate(20, 60), Rate(100, 60)
HERE = "203.0.113.7"


@pytest.fixture
def guesses(clock):
    return Guesses(PER_CLIENT, PER_ADDRESS, clock, size=64)


def all_slots(guesses):
    return [each.storage for each in (guesses.addresses, guesses.pairs, guesses.existing, guesses.invented)]


def flood(guesses, count, exists=False):
    """Wrong credentials for as many client ids, from addresses that stay below their limit."""
    for at in range(count):
        guesses.count(f"2001:db8:{at // 99:x}::/64", [(f"nobody{at}", exists)])


def test_invented_ids_displace_no_count_of_a_client_that_exists(guesses):
    for _ in range(20):
        guesses.count(HERE, [("weak", True)])

    flood(guesses, 500)

    assert guesses.wait_of(HERE, "weak")


def test_invented_ids_leave_room_for_those_that_exist(guesses):
    flood(guesses, 500)

    for _ in range(20):
        guesses.count(HERE, [("weak", True)])

    assert guesses.wait_of(HERE, "weak")


@pytest.mark.long
def test_neither_do_136_000_of_them(clock):
    guesses = Guesses(PER_CLIENT, PER_ADDRESS, clock)
    for _ in range(10):
        guesses.count(HERE, [("weak", True)])

    tracemalloc.start()
    flood(guesses, 136_000)
    memory, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    for _ in range(10):
        assert not guesses.wait_of(HERE, "weak")
        guesses.count(HERE, [("weak", True)])
    assert guesses.wait_of(HERE, "weak")
    assert memory < 8_000_000


@pytest.mark.parametrize("exists", [True, False])
def test_however_many_there_are_the_slots_are_bounded_and_no_other_client_is_stopped(guesses, exists):
    flood(guesses, 1000, exists)
    for at in range(100):
        for _ in range(20):
            guesses.count(f"192.0.2.{at}", [("weak", True)])

    assert max(map(len, all_slots(guesses))) <= 64
    assert not guesses.wait_of(HERE, "weak")


def test_a_flood_is_forgotten_at_the_end_of_the_window(guesses, clock):
    flood(guesses, 500)

    clock.move(60)
    guesses.count(HERE, [("weak", True), ("nobody", False)])

    assert [*map(len, all_slots(guesses))] == [1, 2, 1, 1]


def test_wrong_credentials_are_answered_429_wherever_right_and_weak_ones_are(guesses):
    """Otherwise a right guess would show by its status."""
    for at in range(64):
        for _ in range(20):
            guesses.count(f"192.0.2.{at}", [(f"weak{at % 7}", True)])
        flood(guesses, 20)

    stopped = [at for at in range(64) if guesses.wait_of(f"192.0.2.{at}", f"weak{at % 7}")]

    assert len(stopped) > 40
    assert all(guesses.count(f"192.0.2.{at}", [(f"weak{at % 7}", True)]) for at in stopped)


def test_no_two_clients_share_a_counter_while_there_is_room(guesses):
    for at in range(32):
        for _ in range(20):
            assert not guesses.count(f"192.0.2.{at}", [(f"nobody{at}", False)])


def test_an_address_over_its_limit_counts_for_no_client(guesses):
    for at in range(150):
        guesses.count(HERE, [(f"nobody{at}", False)])
    before = [*map(len, all_slots(guesses))]

    guesses.count(HERE, [("weak", True)])

    assert [*map(len, all_slots(guesses))] == before
    assert before[2:] == [0, 64]


def test_each_client_is_counted_once_in_a_request(guesses):
    for _ in range(20):
        assert not guesses.count(HERE, [("weak", True), ("weak", True)])

    assert guesses.count(HERE, [("weak", True)])


def test_a_storage_of_the_library_can_be_cleared(clock):
    slots = Slots(60, 0, clock, b"key")
    assert [slots.incr("a", 60), slots.incr("a", 60, 2), slots.incr("b", 60), slots.get("a")] == [1, 3, 1, 3]
    assert slots.get_expiry("a") == clock.now // 60 * 60 + 60

    slots.clear("a")
    assert (slots.get("a"), slots.get("b"), slots.check(), slots.reset(), slots.get("b")) == (0, 1, True, 1, 0)


def test_the_library_is_imported_at_the_first_failure_and_starts_no_thread():
    code = """
import sys, threading
from helpers.support import basic, echo
from helpers.wsgi_client import post_form
from oauth_mw import OAuthMiddleware
app = OAuthMiddleware(echo, store="memory://")
for keys in {}, {"HTTP_AUTHORIZATION": basic("a", "b" * 20)["Authorization"]}:
    answer = post_form(app, b"grant_type=client_credentials", **keys)
    print(answer.status, "limits" in sys.modules, threading.active_count())
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.splitlines() == ["401 False 1", "401 True 1"]
