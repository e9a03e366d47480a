from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import MappingProxyType

import pytest

from helpers.builders import API, BILLING, given_secret, is_dead, issued, log_of, registered
from helpers.changes import end_client, remove_secret
from oauth_mw import admin
from oauth_mw.credentials import MAX_SECRETS, hash_secret
from oauth_mw.model import CLIENTS_PER_PAGE, Client

FULL = registered(
    "full id: +%",
    scopes=("read", "write"),
    default_scope=("read",),
    lifetime=60,
    token_format="jwt",
    audiences=(API, BILLING),
    default_audience=(BILLING,),
    attributes=MappingProxyType({"tier": "gold é", "limit": 9, "rate": 0.5, "beta": True}),
    public_attributes=frozenset({"tier"}),
    resource_server=True,
    secrets=(hash_secret("one" * 9, label="first", not_after=2**32 - 1, weak=True), hash_secret("two" * 9)),
)


def as_registered(client):
    return replace(client, revoked_before=0)


@pytest.fixture(autouse=True)
def tester(store):
    store.add_client(registered())


@pytest.mark.parametrize(
    "client",
    [FULL, registered("bare", secrets=()), registered("none", default_scope=()), registered("off", enabled=False)],
    ids=["everything", "nothing", "an empty default scope", "disabled"],
)
def test_a_client_is_found_as_it_was_registered(store, client):
    assert store.add_client(client)

    assert as_registered(store.find_client(client.client_id)) == client


@pytest.mark.parametrize("other", ["Tester", "tester ", "teste", "tester%", "", "' OR ''='"])
def test_a_client_is_found_by_exactly_its_id(store, other):
    assert store.find_client(other) is None


@pytest.mark.parametrize("count", range(MAX_SECRETS + 1))
def test_the_verifiers_of_a_client_are_those_of_all_its_secrets_and_else_blank(store, count):
    secrets = tuple(hash_secret(str(number) * 16, label='["0","0","0"') for number in range(count))
    store.add_client(registered("new", secrets=secrets))

    verifiers = store.find_verifiers("new")

    found = {verifiers[start : start + 48] for start in range(0, len(verifiers), 48)} - {bytes(48)}
    assert found == {secret.salt + secret.digest for secret in secrets}
    assert len(verifiers) in (48 * count, 48 * MAX_SECRETS)


@pytest.mark.parametrize("delete", [False, True], ids=["unknown", "deleted"])
def test_an_id_of_no_client_has_no_verifiers(store, delete):
    end_client(store, "tester", delete=delete)

    assert not any(store.find_verifiers("tester" if delete else "Tester"))


def test_an_id_that_is_taken_is_refused_and_nothing_changes(store):
    before = store.find_client("tester")

    assert not store.add_client(registered(scopes=("admin",)))

    assert store.find_client("tester") == before


def test_clients_are_listed_by_id_with_all_their_secrets(store):
    store.add_client(FULL)
    store.add_client(registered("bare", secrets=()))

    assert [(each.client_id, len(each.secrets)) for each in store.clients()] == [
        ("bare", 0),
        ("full id: +%", 2),
        ("tester", 1),
    ]


def test_clients_come_in_pages(store):
    ids = [f"c{number:03}" for number in range(CLIENTS_PER_PAGE + 1)]
    for client_id in ids:
        store.add_client(Client(client_id, ""))

    pages = [
        [client.client_id for client in store.clients(after)] for after in ("", ids[CLIENTS_PER_PAGE - 1], "tester")
    ]

    assert pages == [ids[:CLIENTS_PER_PAGE], [ids[-1], "tester"], []]
    assert [client.client_id for client in admin.list_clients(store)] == [*ids, "tester"]


def test_an_update_changes_what_it_is_given(store):
    changes = {"name": "other", "scopes": ("a", "b"), "default_scope": ("a",), "lifetime": 9, "enabled": False}
    changes |= {"token_format": "opaque", "audiences": (API, BILLING), "default_audience": (API,)}

    changed = store.update_client("tester", lambda client: replace(client, **changes))

    assert replace(store.find_client("tester"), revoked_before=0) == as_registered(changed)
    assert {name: getattr(changed, name) for name in changes} == changes


def test_an_update_can_take_away_again(store):
    store.add_client(FULL)

    nothing = {"attributes": {}, "public_attributes": frozenset(), "lifetime": None, "default_scope": None}
    nothing |= {"token_format": None, "audiences": (), "default_audience": None}

    store.update_client(FULL.client_id, lambda client: replace(client, **nothing))

    assert as_registered(store.find_client(FULL.client_id)) == replace(FULL, **nothing)


def test_an_update_keeps_the_secrets(store):
    before = store.find_client("tester").secrets

    store.update_client("tester", lambda client: replace(client, name="other"))

    assert store.find_client("tester").secrets == before


def test_an_update_ends_no_token(store):
    key = issued(store)

    store.update_client("tester", lambda client: replace(client, scopes=(), lifetime=1))

    assert not is_dead(store, key)


def test_an_update_that_fails_leaves_the_client_as_it_was(store):
    before = store.find_client("tester")

    with pytest.raises(ZeroDivisionError):
        store.update_client("tester", lambda client: replace(client, lifetime=1 // 0))

    assert store.find_client("tester") == before


def test_an_update_that_revokes_tokens_gives_the_client_with_their_end(store):
    key = issued(store)

    changed = store.update_client("tester", lambda client: replace(client, name="other"), revoke_tokens=True)

    assert changed == store.find_client("tester")
    assert (changed.name, changed.revoked_before) == ("other", log_of(store).position)
    assert is_dead(store, key)


def test_an_update_that_fails_revokes_nothing(store):
    key, before = issued(store), log_of(store)

    with pytest.raises(ZeroDivisionError):
        store.update_client("tester", lambda client: replace(client, lifetime=1 // 0), revoke_tokens=True)

    assert not is_dead(store, key)
    assert log_of(store) == before


@pytest.mark.parametrize("position", [0, 2**60])
def test_an_update_cannot_change_which_tokens_are_revoked(store, position):
    before = end_client(store, "tester") and store.find_client("tester")

    changed = store.update_client("tester", lambda client: replace(client, revoked_before=position))

    assert changed == store.find_client("tester") == before


def test_a_client_is_deleted_by_an_update_that_leaves_nothing_of_it(store):
    before = log_of(store)

    assert store.update_client("tester", lambda client: None) is None

    assert store.find_client("tester") is None and not store.add_client(registered())
    assert log_of(store) == before


def test_no_update_of_many_at_once_is_lost(store):
    def longer(number):
        return store.update_client("tester", lambda client: replace(client, lifetime=(client.lifetime or 0) + number))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(longer, range(1, 17)))

    assert store.find_client("tester").lifetime == sum(range(1, 17))


def test_every_change_of_a_client_that_does_not_exist_says_so(store):
    assert store.update_client("nobody", lambda client: client) is None
    assert not end_client(store, "nobody")
    assert not given_secret(store, "nobody", hash_secret("s"))
    assert not remove_secret(store, "nobody", "0")


def test_a_client_has_several_secrets(store):
    second = hash_secret("t" * 16, label="second", created_at=5)

    assert given_secret(store, "tester", second)

    assert store.find_client("tester").secrets[1:] == (second,)


def test_a_removed_secret_is_gone_and_the_others_stay(store):
    first = store.find_client("tester").secrets[0]
    second = hash_secret("t" * 16)
    given_secret(store, "tester", second)

    assert remove_secret(store, "tester", first.secret_id)

    assert store.find_client("tester").secrets == (second,)


def test_a_secret_is_removed_once(store):
    secret_id = store.find_client("tester").secrets[0].secret_id
    remove_secret(store, "tester", secret_id)

    assert not remove_secret(store, "tester", secret_id)


def test_a_secret_of_another_client_is_not_removed(store):
    store.add_client(registered("other"))
    foreign = store.find_client("other").secrets[0].secret_id

    assert not remove_secret(store, "tester", foreign, and_tokens=True)

    assert len(store.find_client("other").secrets) == 1


@pytest.mark.parametrize("and_tokens", [False, True])
def test_removing_a_secret_ends_tokens_only_when_asked(store, and_tokens):
    key = issued(store)

    remove_secret(store, "tester", store.find_client("tester").secrets[0].secret_id, and_tokens=and_tokens)

    assert is_dead(store, key) is and_tokens


def test_a_secret_that_is_not_there_ends_no_tokens(store):
    key, before = issued(store), log_of(store)

    remove_secret(store, "tester", "unknown", and_tokens=True)

    assert not is_dead(store, key)
    assert log_of(store) == before


def test_a_deleted_client_is_gone_from_every_view(store):
    assert end_client(store, "tester", delete=True)

    assert store.find_client("tester") is None
    assert list(store.clients()) == []


def test_a_deleted_client_cannot_be_changed_any_more(store):
    end_client(store, "tester", delete=True)

    assert store.update_client("tester", lambda client: replace(client, enabled=True)) is None
    assert not end_client(store, "tester")
    assert not given_secret(store, "tester", hash_secret("s"))


def test_the_id_of_a_deleted_client_is_never_used_again(store):
    end_client(store, "tester", delete=True)

    assert not store.add_client(registered())

    assert store.find_client("tester") is None


def test_a_disabled_client_is_still_there(store):
    assert end_client(store, "tester", disable=True)

    assert store.find_client("tester").enabled is False


@pytest.mark.parametrize("how", [{}, {"disable": True}], ids=["all tokens ended", "disabled"])
def test_ending_tokens_keeps_the_secrets(store, how):
    before = store.find_client("tester").secrets

    end_client(store, "tester", **how)

    assert store.find_client("tester").secrets == before
