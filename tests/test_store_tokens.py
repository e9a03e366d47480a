from __future__ import annotations

from types import MappingProxyType

import pytest
from stored import HOUR, NOW, is_dead, issued, key_of, log_of, registered, token_of


@pytest.fixture(autouse=True)
def tester(store):
    store.add_client(registered())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"scope": ""},
        {"attributes": MappingProxyType({"a": "é", "b": -1, "c": 0.5, "d": False}), "public_attributes": {"a"}},
    ],
    ids=["plain", "no scope", "attributes"],
)
def test_a_token_is_found_as_it_was_issued(store, changes):
    token = token_of(store.find_client("tester"), **changes)

    store.add_token(key_of(), token)

    assert store.find_token(key_of()) == token


def test_true_and_one_stay_what_they_were(store):
    token = token_of(store.find_client("tester"), attributes={"yes": True, "one": 1, "float": 1.0})

    store.add_token(key_of(), token)

    kinds = {name: type(value) for name, value in store.find_token(key_of()).attributes.items()}
    assert kinds == {"yes": bool, "one": int, "float": float}


def test_an_unknown_token_is_none(store):
    issued(store)

    assert store.find_token(key_of(1)) is None


def test_a_live_token_is_revoked_once(store):
    key = issued(store)

    assert [store.revoke_token(key), store.revoke_token(key)] == [True, False]


def test_a_revoked_token_is_marked_and_keeps_its_row(store):
    key = issued(store)

    store.revoke_token(key)

    assert store.find_token(key) == token_of(store.find_client("tester"), revoked=True, position=0)


def test_a_revoked_token_keeps_its_row_until_it_would_have_expired(store):
    key = issued(store)
    store.revoke_token(key)

    swept = [store.sweep(NOW + HOUR, 10), store.sweep(NOW + HOUR + 1, 10)]

    assert swept == [0, 1]
    assert store.find_token(key) is None


def test_a_second_revocation_writes_nothing_to_the_log(store):
    key = issued(store)
    store.revoke_token(key)
    before = log_of(store)

    store.revoke_token(key)

    assert log_of(store) == before


def test_an_unknown_token_is_not_revoked(store):
    before = log_of(store)

    assert not store.revoke_token(key_of(1))

    assert log_of(store) == before


def test_a_token_that_ended_with_all_of_its_client_is_not_revoked_again(store):
    key = issued(store)
    store.end_client("tester")
    before = log_of(store)

    assert not store.revoke_token(key)

    assert log_of(store) == before


def test_a_revocation_ends_one_token_only(store):
    first, second = issued(store), issued(store, number=1)

    store.revoke_token(first)

    assert not is_dead(store, second)


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
    for number in range(5):
        issued(store, number=number, expires_at=NOW - 1)

    assert [store.sweep(NOW, limit), store.sweep(NOW, limit)] == [min(limit, 5), 5 - min(limit, 5)]


def test_tokens_of_one_second_are_told_apart_by_a_bounded_sweep(store):
    keys = [issued(store, number=number, expires_at=NOW - 1) for number in range(6)]

    store.sweep(NOW, 4)

    assert sum(store.find_token(key) is not None for key in keys) == 2


def test_tokens_are_counted_with_or_without_those_that_live(store):
    issued(store, number=1, expires_at=NOW - 1)
    issued(store, number=2)

    assert (store.count_tokens(), store.count_tokens(NOW)) == (2, 1)


def test_the_tokens_of_a_deleted_client_are_found_and_dead(store):
    key = issued(store)

    store.end_client("tester", delete=True)

    assert is_dead(store, key)
