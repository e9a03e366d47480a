from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from helpers.builders import API, BILLING, given_secret, has_right_verifiers, is_dead, issued, log_of, registered
from helpers.changes import end_client, remove_first_secret, remove_secret
from oauth_mw import admin
from oauth_mw.credentials import MAX_SECRETS, hash_secret
from oauth_mw.model import CLIENTS_PER_PAGE, Client

pytestmark = pytest.mark.usefixtures("tester")

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
    allowed_addresses=("192.0.2.0/24", "2001:db8::/32"),
    allowed_requests=("GET,POST /weather/*", "* /é"),
    rate_limit="100/minute",
    not_after=2**32 - 1,
    tokens_per_hour=10,
    tokens_per_day=100,
    quota_mode="report",
    revoked_secrets=("2025", "2026"),
    imported=MappingProxyType({"name": "1f", "attributes.tier": "2e"}),
    secrets=(hash_secret("one" * 9, label="first", not_after=2**32 - 1, weak=True), hash_secret("two" * 9)),
)


def test_the_full_client_has_every_field():
    missing = {name for name in Client.__slots__ if getattr(FULL, name) == getattr(Client(""), name)}
    # These have tests of their own.
    assert missing == {"enabled", "other", "revoked_before"}


def as_registered(client):
    return replace(client, revoked_before=0)


@pytest.mark.parametrize(
    "client",
    [FULL, registered("bare", secrets=()), registered("none", default_scope=()), registered("off", enabled=False)],
    ids=["everything", "nothing", "an empty default scope", "disabled"],
)
def test_a_client_is_found_as_it_was_registered(store, client):
    assert store.add_client(client)

    assert as_registered(store.find_client(client.client_id)) == client


def test_a_client_is_found_by_exactly_its_id(store):
    others = ["Tester", "tester ", "teste", "tester%", "", "' OR ''='"]

    assert [store.find_client(other) for other in others] == [None] * len(others)
    assert not any(store.find_verifiers("Tester").secrets)


@pytest.mark.parametrize("count", [0, 1, MAX_SECRETS])
def test_the_verifiers_of_a_client_are_those_of_all_its_secrets_and_else_blank(store, count):
    secrets = tuple(hash_secret(str(number) * 16, label='["0","0","0"') for number in range(count))
    store.add_client(registered("new", secrets=secrets))

    verifiers = store.find_verifiers("new").secrets

    found = {verifiers[start : start + 48] for start in range(0, len(verifiers), 48)} - {bytes(48)}
    assert found == {secret.salt + secret.digest for secret in secrets}
    assert len(verifiers) == 48 * MAX_SECRETS


CHANGES = {
    "its name": lambda store: admin.update_client(store, "tester", name="another"),
    "its scopes": lambda store: admin.update_client(store, "tester", scope="read write more"),
    "one secret more": lambda store: admin.add_secret(store, "tester"),
    "a secret less": remove_first_secret,
    "disabled": lambda store: store.update_client("tester", lambda client: replace(client, enabled=False)),
    "all tokens revoked": lambda store: admin.revoke_all_tokens(store, "tester"),
    "both": lambda store: admin.disable_client(store, "tester"),
    "a member of a newer version": lambda store: store.update_client(
        "tester", lambda client: replace(client, other={"new": [0.5, None]})
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_verifiers_show_every_change_of_a_client(store, change):
    before, client = store.find_verifiers("tester"), store.find_client("tester")

    change(store)

    assert store.find_verifiers("tester") != before
    assert has_right_verifiers(store, store.find_client("tester"))

    store.update_client("tester", lambda changed: replace(client, revoked_before=changed.revoked_before))
    position = store.find_client("tester").revoked_before
    assert store.find_verifiers("tester") == before._replace(revoked_before=position)


def test_an_id_that_is_taken_is_refused_and_nothing_changes(store):
    before = store.find_client("tester")

    assert not store.add_client(registered(scopes=("admin",)))

    assert store.find_client("tester") == before


def test_clients_come_in_pages_by_id(store):
    ids = [f"c{number:03}" for number in range(CLIENTS_PER_PAGE + 1)]
    for client_id in reversed(ids):
        store.add_client(Client(client_id, ""))

    pages = [store.clients(after) for after in ("", ids[CLIENTS_PER_PAGE - 1], "tester")]

    assert [[client.client_id for client in page] for page in pages] == [
        ids[:CLIENTS_PER_PAGE],
        [ids[-1], "tester"],
        [],
    ]
    assert pages[1][1] == store.find_client("tester")  # with its secrets
    assert [client.client_id for client in admin.list_clients(store)] == [*ids, "tester"]


def test_an_update_changes_what_it_is_given_and_revokes_no_token(store):
    key, secrets = issued(store), store.find_client("tester").secrets
    changes = {"name": "other", "scopes": ("a", "b"), "default_scope": ("a",), "lifetime": 9}
    changes |= {"token_format": "opaque", "audiences": (API, BILLING), "default_audience": (API,)}

    changed = store.update_client("tester", lambda client: replace(client, **changes))

    assert as_registered(store.find_client("tester")) == as_registered(changed)
    assert {name: getattr(changed, name) for name in changes} == changes
    assert (changed.secrets, is_dead(store, key)) == (secrets, False)


def test_an_update_can_take_away_again(store):
    store.add_client(FULL)
    nothing = {"attributes": {}, "public_attributes": frozenset(), "lifetime": None, "default_scope": None}
    nothing |= {"token_format": None, "audiences": (), "default_audience": None}
    nothing |= {"allowed_addresses": (), "allowed_requests": (), "rate_limit": None, "not_after": None}
    nothing |= {"tokens_per_hour": None, "tokens_per_day": None, "quota_mode": None}

    store.update_client(FULL.client_id, lambda client: replace(client, **nothing))

    assert as_registered(store.find_client(FULL.client_id)) == replace(FULL, **nothing)


@pytest.mark.parametrize("how", [{}, {"revoke_tokens": True}, {"evict_tokens": True}], ids=["", "revokes", "evicts"])
def test_an_update_that_fails_changes_and_revokes_nothing(store, how):
    key, log, before = issued(store), log_of(store), store.find_client("tester")

    with pytest.raises(ZeroDivisionError):
        store.update_client("tester", lambda client: replace(client, lifetime=1 // 0), **how)

    assert (store.find_client("tester"), log_of(store), is_dead(store, key)) == (before, log, False)


def test_an_update_that_revokes_tokens_gives_the_client_with_their_end(store):
    key = issued(store)

    changed = store.update_client("tester", lambda client: replace(client, name="other"), revoke_tokens=True)

    assert changed == store.find_client("tester")
    assert (changed.name, changed.revoked_before) == ("other", log_of(store).position)
    assert is_dead(store, key)


def test_an_update_cannot_change_which_tokens_are_revoked(store):
    end_client(store, "tester")
    before = store.find_client("tester")

    for position in (0, 2**60):
        changed = store.update_client("tester", lambda client, to=position: replace(client, revoked_before=to))
        assert changed == store.find_client("tester") == before


def test_every_change_of_a_client_that_does_not_exist_says_so(store):
    assert store.update_client("nobody", lambda client: client) is None
    assert not end_client(store, "nobody")
    assert not given_secret(store, "nobody", hash_secret("s"))
    assert not remove_secret(store, "nobody", "0")


def test_a_secret_is_added_and_another_one_removed_once(store):
    first, second = store.find_client("tester").secrets[0], hash_secret("t" * 16, label="second", created_at=5)

    assert given_secret(store, "tester", second)
    assert store.find_client("tester").secrets == (first, second)
    assert [remove_secret(store, "tester", first.secret_id) for _ in range(2)] == [True, False]

    assert store.find_client("tester").secrets == (second,)


def test_a_secret_of_another_client_is_not_removed(store):
    key, before = issued(store), log_of(store)
    store.add_client(registered("other"))
    foreign = store.find_client("other").secrets[0].secret_id

    assert not remove_secret(store, "tester", foreign, and_tokens=True)

    assert len(store.find_client("other").secrets) == 1
    assert (log_of(store), is_dead(store, key)) == (before, False)


@pytest.mark.parametrize("and_tokens", [False, True])
def test_removing_a_secret_revokes_tokens_only_when_asked(store, and_tokens):
    key = issued(store)

    remove_first_secret(store, and_tokens=and_tokens)

    assert is_dead(store, key) is and_tokens


@pytest.mark.parametrize("revoke_tokens", [False, True])
def test_a_client_is_deleted_for_ever_by_an_update_to_nothing(store, revoke_tokens):
    before = log_of(store)

    assert store.update_client("tester", lambda client: None, revoke_tokens=revoke_tokens) is None

    assert (log_of(store) == before) is not revoke_tokens
    assert (store.find_client("tester"), [*store.clients()]) == (None, [])
    assert not any(store.find_verifiers("tester").secrets)
    assert store.update_client("tester", lambda client: replace(client, enabled=True)) is None
    assert not end_client(store, "tester")
    assert not given_secret(store, "tester", hash_secret("s"))
    assert not store.add_client(registered())
    assert store.find_client("tester") is None


@pytest.mark.parametrize("disable", [False, True], ids=["all tokens revoked", "disabled"])
def test_a_client_whose_tokens_are_revoked_keeps_its_secrets(store, disable):
    before = store.find_client("tester")

    assert end_client(store, "tester", disable=disable)

    found = store.find_client("tester")
    assert (found.secrets, found.enabled) == (before.secrets, not disable)
