"""Ids that may be used once, in every store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from helpers.builders import NOW, sweeping

KEYS = [bytes([number]) * 32 for number in range(30)]


def test_a_key_is_remembered_once(store):
    assert [store.remember_once(KEYS[0], NOW + 60) for _ in range(2)] == [True, False]
    assert not store.remember_once(KEYS[0], NOW + 600)  # nor is it remembered for longer


def test_another_key_is_another(store):
    store.remember_once(KEYS[0], NOW + 60)

    others = [KEYS[1], KEYS[0][:-1], KEYS[0][:-1] + b"\x01", b""]
    assert [store.remember_once(other, NOW + 60) for other in others] == [True] * 4


def test_of_many_at_once_one_remembers_it(store):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: store.remember_once(KEYS[number % 2], NOW + 60), range(32)))

    assert sum(answers) == 2


@sweeping
def test_a_key_is_remembered_until_its_last_second_is_over(store, clock):
    store.remember_once(KEYS[0], NOW + 60)
    answers = []
    for _ in range(2):
        store.remember_once(KEYS[0], NOW + 600)  # which does not make it longer
        clock.move(30)
        answers.append(store.remember_once(KEYS[0], NOW + 600))
    clock.move(1)
    answers += [store.remember_once(KEYS[0], NOW + 600), store.remember_once(KEYS[0], NOW + 600)]

    assert answers == [False, False, True, False]


def test_a_key_whose_time_is_over_is_new(store):
    assert store.remember_once(KEYS[0], NOW - 1)
