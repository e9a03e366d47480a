"""Ids that may be used once, in every store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.builders import NOW, sweeping

KEYS = [bytes([number]) * 32 for number in range(30)]


def test_a_key_is_remembered_once(store):
    assert [store.remember_once(KEYS[0], NOW + 60) for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize("other", [KEYS[1], KEYS[0][:-1], KEYS[0][:-1] + b"\x01", b""], ids=bytes.hex)
def test_another_key_is_another(store, other):
    store.remember_once(KEYS[0], NOW + 60)

    assert store.remember_once(other, NOW + 60)


def test_of_many_at_once_one_remembers_it(store):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: store.remember_once(KEYS[number % 2], NOW + 60), range(32)))

    assert sum(answers) == 2


def test_a_key_that_is_asked_for_again_is_not_remembered_for_longer(store):
    store.remember_once(KEYS[0], NOW + 60)

    assert not store.remember_once(KEYS[0], NOW + 600)


@sweeping
@pytest.mark.parametrize(("seconds", "again"), [(59, False), (60, False), (61, True)])
def test_a_key_is_remembered_until_its_last_second_is_over(store, clock, seconds, again):
    store.remember_once(KEYS[0], NOW + 60)
    clock.move(seconds)

    assert store.remember_once(KEYS[0], NOW + 600) is again


@sweeping
def test_a_key_that_comes_again_is_remembered_again(store, clock):
    store.remember_once(KEYS[0], NOW + 60)
    clock.move(61)
    store.remember_once(KEYS[0], NOW + 600)

    assert not store.remember_once(KEYS[0], NOW + 600)


def test_a_key_whose_time_is_over_is_new(store):
    assert store.remember_once(KEYS[0], NOW - 1)
