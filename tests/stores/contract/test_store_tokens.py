from __future__ import annotations

from types import MappingProxyType

import pytest

from helpers.builders import API, BILLING, is_dead, issued, key_of, log_of, token_of
from helpers.changes import end_client

pytestmark = pytest.mark.usefixtures("tester")


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


def test_attributes_keep_their_types(store):
    token = token_of(store.find_client("tester"), attributes={"yes": True, "one": 1, "float": 1.0})

    store.add_token(key_of(), token)

    kinds = {name: type(value) for name, value in store.find_token(key_of()).attributes.items()}
    assert kinds == {"yes": bool, "one": int, "float": float}


def test_an_unknown_token_is_none_and_not_revoked(store):
    issued(store)
    before = log_of(store)

    assert (store.find_token(key_of(1)), store.revoke_token(key_of(1)), log_of(store)) == (None, False, before)


def test_a_live_token_is_revoked_once(store):
    first, second = issued(store), issued(store, number=1)

    assert store.revoke_token(first)
    before = log_of(store)
    assert not store.revoke_token(first)

    assert (log_of(store), is_dead(store, second)) == (before, False)


@pytest.mark.parametrize("audience", [(), (API,)], ids=["without an audience", "with an audience"])
def test_a_revoked_token_is_marked_and_keeps_its_row(store, audience):
    token = token_of(store.find_client("tester"), audience=audience)
    store.add_token(key_of(), token)

    store.revoke_token(key_of())

    assert store.find_token(key_of()) == token._replace(revoked=store.rows_show_all)


@pytest.mark.parametrize("delete", [False, True], ids=["all tokens revoked", "deleted"])
def test_a_token_that_was_revoked_with_its_client_is_not_revoked_again(store, delete):
    key = issued(store)
    end_client(store, "tester", delete=delete)
    before = log_of(store)

    assert not store.revoke_token(key)

    assert (log_of(store), is_dead(store, key)) == (before, True)


def test_a_revocation_of_an_unknown_token_is_logged_for_its_caller(store):
    before = log_of(store)

    store.revoke_token(key_of(1), "tester")

    page = store.read_log(before.store_id, before.position)
    assert [event[1:] for event in page.events] == [("tester", key_of(1), False)]


def test_tokens_are_counted(store):
    for number in range(3):
        issued(store, number=number)

    assert [store.count_tokens(), store.count_tokens(-1), store.count_tokens(2**40)] == [3, 0, 3]
