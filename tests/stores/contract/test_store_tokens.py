from __future__ import annotations

from types import MappingProxyType

import pytest

from helpers.builders import API, BILLING, is_dead, issued, key_of, log_of, registered, token_of
from helpers.changes import end_client


@pytest.fixture(autouse=True)
def tester(store):
    store.add_client(registered())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"scope": ""},
        {
            "attributes": MappingProxyType({"a": "é", "b": -1, "c": 0.5, "d": False}),
            "public_attributes": frozenset("a"),
        },
        {"audience": (API,)},
        {"audience": (BILLING, API), "attributes": MappingProxyType({"a": 1}), "public_attributes": frozenset("a")},
    ],
    ids=["plain", "no scope", "attributes", "one audience", "audiences and attributes"],
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

    assert store.find_token(key) == token_of(store.find_client("tester"), revoked=store.rows_tell_revocation)


def test_a_revoked_token_keeps_its_audience(store):
    token = token_of(store.find_client("tester"), audience=(API,))
    store.add_token(key_of(), token)

    store.revoke_token(key_of())

    assert store.find_token(key_of()) == token._replace(revoked=store.rows_tell_revocation)


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
    end_client(store, "tester")
    before = log_of(store)

    assert not store.revoke_token(key)

    assert log_of(store) == before


def test_a_revocation_ends_one_token_only(store):
    first, second = issued(store), issued(store, number=1)

    store.revoke_token(first)

    assert not is_dead(store, second)


def test_tokens_are_counted(store):
    for number in range(3):
        issued(store, number=number)

    assert store.count_tokens() == 3


def test_the_tokens_of_a_deleted_client_are_found_and_dead(store):
    key = issued(store)

    end_client(store, "tester", delete=True)

    assert is_dead(store, key)
