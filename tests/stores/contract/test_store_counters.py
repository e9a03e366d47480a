"""Counters with a limit and a window, alone or in one step with a token, in every store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.builders import HOUR, NOW, key_of, mostly_slow, multi_process, opened, sweeping, token_of
from helpers.processes import Processes
from oauth_mw.model import COUNTER_KEEP_SECONDS, NOTHING_COUNTED, Count, Counted

pytestmark = pytest.mark.usefixtures("tester")

HOURLY = Count(b"hourly", 2, NOW + HOUR)
DAILY = Count(bytes(32), 3, NOW + 24 * HOUR)
ENDLESS = Count(b"\r\n\xff\0", None, NOW + HOUR)

# A process that says how many of fifty counts were not refused.
COUNTING = f"""
from oauth_mw.model import Count
counts = [Count(b"shared", 60, {NOW + HOUR}), Count(b"another", None, {NOW + HOUR})]
print("ready", flush=True)
sys.stdin.readline()
print(sum(not store.count(counts).full for _ in range(50)), flush=True)
"""


def add(store, number, *counts):
    return store.add_token(key_of(number), token_of(store.find_client("tester")), counts)


def value_of(store, count):
    """What a counter is before one more is counted."""
    return store.count([count._replace(limit=None)]).values[0] - 1


@mostly_slow
def test_a_counter_counts_up_to_its_limit(store):
    assert [store.count([HOURLY]) for _ in range(4)] == [
        Counted((1,)),
        Counted((2,)),
        Counted((2,), (0,)),
        Counted((2,), (0,)),
    ]


@mostly_slow
def test_a_counter_without_a_limit_goes_on(store):
    assert [store.count([ENDLESS]).values for _ in range(3)] == [(1,), (2,), (3,)]


@mostly_slow
def test_several_are_counted_together_in_their_order(store):
    store.count([HOURLY])

    assert store.count([ENDLESS, HOURLY, DAILY]) == Counted((1, 2, 1))


def test_where_one_is_full_nothing_is_counted(store):
    for _ in range(2):
        store.count([HOURLY])

    assert store.count([ENDLESS, HOURLY, DAILY]) == Counted((0, 2, 0), (1,))
    assert [value_of(store, each) for each in (ENDLESS, HOURLY, DAILY)] == [0, 2, 0]


@mostly_slow
def test_all_that_are_full_are_named(store):
    for _ in range(3):
        store.count([DAILY])
    for _ in range(2):
        store.count([HOURLY])

    assert store.count([HOURLY, ENDLESS, DAILY]) == Counted((2, 0, 3), (0, 2))


@mostly_slow
def test_a_lower_limit_is_reached_at_once(store):
    for _ in range(2):
        store.count([HOURLY])

    assert store.count([HOURLY._replace(limit=1)]) == Counted((2,), (0,))


@mostly_slow
def test_a_limit_of_nothing_lets_nothing_be_counted(store):
    assert store.count([HOURLY._replace(limit=0)]) == Counted((0,), (0,))
    store.count([HOURLY])
    assert store.count([HOURLY._replace(limit=0)]) == Counted((1,), (0,))


def test_a_token_and_its_counts_are_one_step(store):
    counted = [add(store, number, HOURLY, DAILY) for number in range(3)]

    assert counted == [Counted((1, 1)), Counted((2, 2)), Counted((2, 2), (0,))]
    assert [store.find_token(key_of(number)) is not None for number in range(3)] == [True, True, False]
    assert value_of(store, DAILY) == 2


@mostly_slow
def test_a_token_without_counts_counts_nothing(store):
    assert add(store, 0) == NOTHING_COUNTED
    assert value_of(store, HOURLY) == 0


@pytest.mark.parametrize("with_token", [pytest.param(False, marks=pytest.mark.slow), True])
def test_callers_at_once_never_exceed_a_limit(store, with_token):
    limited, others = Count(b"limited", 10, NOW + HOUR), [Count(bytes([n]), None, NOW + HOUR) for n in range(3)]

    def work(number):
        counts = [others[number % 3], limited] if number % 2 else [limited, others[number % 3]]
        return add(store, number, *counts) if with_token else store.count(counts)

    with ThreadPoolExecutor(8) as threads:
        counted = list(threads.map(work, range(40)))

    assert sum(not each.full for each in counted) == 10
    assert sum(value_of(store, each) for each in others) == 10
    assert store.count_tokens() == 10 * with_token


@multi_process
def test_processes_at_once_never_exceed_a_limit(store, store_url):
    with Processes(store_url) as processes:
        both = [processes.fork(COUNTING) for _ in range(2)]
        assert [process.says() for process in both] == ["ready"] * 2
        for process in both:
            process.hears()

        assert sum(int(process.says()) for process in both) == 60


@multi_process
def test_a_restart_loses_no_count(store, store_url, clock):
    store.count([HOURLY])
    store.close()

    with opened(store_url, clock=clock) as again:
        assert again.count([HOURLY]).values == (2,)


@sweeping
def test_a_counter_is_kept_for_workers_whose_clocks_are_behind(store, clock):
    store.count([HOURLY])
    clock.move(HOUR + COUNTER_KEEP_SECONDS)
    store.count([Count(b"new", None, NOW + 9 * HOUR)])

    assert store.count([HOURLY]).values == (2,)


@sweeping
def test_counters_that_are_over_are_removed(store, clock):
    store.count([HOURLY])
    clock.move(HOUR + COUNTER_KEEP_SECONDS + 1)
    store.count([Count(b"new", None, NOW + 9 * HOUR)])

    assert store.count([HOURLY]).values == (1,)


@pytest.mark.parametrize("store_kind", ["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_no_more_counters_are_kept_than_windows_go_on(store, clock):
    for number in range(24):
        hour = NOW + number * HOUR
        store.count([Count(b"%d of the day" % number, 5, hour + HOUR), Count(b"%d others" % number, 5, hour + HOUR)])
        clock.move(HOUR)

    kept = [store.count([Count(b"%d others" % number, None, 0)]).values for number in range(24)]
    assert kept.count((2,)) <= 3
