"""Expired rows wait for a sweep, and go in bounded batches, the oldest first.

Not in Redis, where they go by themselves.
"""

from __future__ import annotations

import pytest

from helpers.builders import HOUR, NOW, is_dead, issued, sweeping

pytestmark = [sweeping, pytest.mark.usefixtures("tester")]


def test_a_revoked_token_keeps_its_row_until_it_would_have_expired(store):
    key = issued(store)
    store.revoke_token(key)

    swept = [store.sweep(NOW + HOUR, 10), store.sweep(NOW + HOUR + 1, 10)]

    assert swept == [0, 1]
    assert store.find_token(key) is None


def test_a_sweep_takes_the_expired_rows_and_no_others(store):
    expired = issued(store, number=1, expires_at=NOW - 1)
    live = [issued(store, number=2, expires_at=NOW), issued(store, number=3, expires_at=NOW + 1)]

    assert store.sweep(NOW, 10) == 1

    assert store.find_token(expired) is None
    assert not any(is_dead(store, key) for key in live)


def test_a_sweep_is_bounded_and_begins_with_the_oldest(store):
    keys = [issued(store, number=number, expires_at=NOW - number) for number in (3, 1, 5, 2, 4)]

    assert store.sweep(NOW, 2) == 2

    assert [int.from_bytes(key[:4]) - NOW for key in keys if store.find_token(key)] == [-3, -1, -2]


@pytest.mark.parametrize("limit", [4, 5, 6])
def test_a_sweep_may_just_reach_the_end(store, limit):
    keys = [issued(store, number=number, expires_at=NOW - 1) for number in range(5)]  # of one second

    assert [store.sweep(NOW, limit), sum(store.find_token(key) is not None for key in keys)] == [
        min(limit, 5),
        5 - min(limit, 5),
    ]
    assert store.sweep(NOW, limit) == 5 - min(limit, 5)


def test_tokens_are_counted_with_or_without_those_that_live(store):
    issued(store, number=1, expires_at=NOW - 1)
    issued(store, number=2)

    assert (store.count_tokens(), store.count_tokens(NOW)) == (2, 1)


def test_no_time_is_too_odd_for_a_sweep(store):
    issued(store)

    assert [store.sweep(-1, 10), store.sweep(0, 10), store.sweep(2**40, 10)] == [0, 0, 1]
