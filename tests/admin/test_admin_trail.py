"""The audit events of changes that are made by the Python API."""

from __future__ import annotations

import os
import pwd
from contextlib import closing
from functools import partial

import pytest

from helpers.support import issue
from oauth_mw import AdminError, StoreUnavailable, admin, open_store

pytestmark = pytest.mark.usefixtures("at_once")
STORE_KINDS = ["memory"]
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture(autouse=True)
def called_by_no_one_else(monkeypatch):
    monkeypatch.delenv("SUDO_USER", raising=False)


TESTER = {"client_id": "tester", "client_name": "tester", "by": ME, "store": "memory://"}


def secret_of(store):
    return store.find_client("tester").secrets[0].secret_id


CHANGES = {
    "client_changed": (
        lambda store: admin.update_client(store, "tester", scope="read", lifetime=60, attributes={"a": "confidential"}),
        [{"event": "client_changed", "changed": ["scope", "lifetime", "attributes"], "scope": "read"}],
    ),
    "client_changed to what it was": (lambda store: admin.update_client(store, "tester", scope="read write"), []),
    "client_disabled": (
        lambda store: admin.disable_client(store, "tester"),
        [{"event": "client_disabled"}, {"event": "tokens_revoked"}],
    ),
    "client_enabled, which it was": (lambda store: admin.enable_client(store, "tester"), []),
    "client_deleted": (
        lambda store: admin.delete_client(store, "tester"),
        [{"event": "client_deleted"}, {"event": "tokens_revoked"}],
    ),
    "secret_revoked": (
        lambda store: admin.revoke_secret(store, "tester", secret_of(store)),
        [{"event": "secret_revoked", "secret_id": ...}],
    ),
    "secret_revoked and tokens": (
        lambda store: admin.revoke_secret(store, "tester", secret_of(store), and_tokens=True),
        [{"event": "secret_revoked", "secret_id": ...}, {"event": "tokens_revoked"}],
    ),
    "secret_added": (
        lambda store: admin.add_secret(store, "tester", not_after=2_000_000_000),
        [{"event": "secret_added", "secret_id": ..., "expires_at": 2_000_000_000}],
    ),
    "tokens_revoked": (lambda store: admin.revoke_all_tokens(store, "tester"), [{"event": "tokens_revoked"}]),
    "tokens_revoked before": (
        lambda store: admin.revoke_all_tokens(store, "tester", issued_before=1),
        [{"event": "tokens_revoked", "issued_before": 1}],
    ),
    "secrets rotated": (
        lambda store: admin.rotate_secret(store, "tester", overlap=60),
        [
            {"event": "secret_changed", "secret_id": ..., "expires_at": ...},
            {"event": "secret_added", "secret_id": ...},
        ],
    ),
}


@pytest.mark.parametrize(("change", "events"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_an_event_with_who_made_it(store, client, trail, change, events):
    change(store)

    found = [{name: value for name, value in each.items() if TESTER.get(name) != value} for each in trail()]
    expected = [
        {name: found[at].get(name) if value is ... else value for name, value in each.items()}
        for at, each in enumerate(events)
    ]
    assert found == expected


UNCONFIRMED = {
    name: (CHANGES[name][0], [each["event"] for each in CHANGES[name][1]])
    for name in ("client_disabled", "client_deleted", "tokens_revoked")
}
UNCONFIRMED |= {
    "client_added": (lambda store: admin.add_client(store, "other"), ["client_added", "secret_added"]),
    "key_added": (admin.rotate_key, ["key_added"]),
}


@pytest.mark.parametrize("store_kind", ["redis"])
@pytest.mark.parametrize(("change", "attempted"), UNCONFIRMED.values(), ids=UNCONFIRMED)
def test_a_change_whose_outcome_is_unknown_is_an_event_that_says_so(store, client, store_url, trail, change, attempted):
    url = f"{store_url}&replicas=1"  # it has none, so no change is confirmed
    with closing(open_store(url, timeout=0.3)) as unconfirmed, pytest.raises(StoreUnavailable) as raised:
        change(unconfirmed)

    found = [(each["event"], each["attempted"], each["reason"]) for each in trail() if "attempted" in each]
    assert found == [("change_unconfirmed", each, raised.value.reason) for each in attempted]


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "postgresql://postgres@127.0.0.1:1/x"])
def test_a_change_that_never_began_is_no_event(trail, url):
    with closing(open_store(url, unavailable=lambda error: None)) as store:
        for change in (partial(admin.add_client, store), partial(admin.revoke_all_tokens, store)):
            with pytest.raises(StoreUnavailable):
                change("tester")

    assert trail() == []


def test_a_new_client_is_an_event_with_its_secret(store, trail, lines):
    made = admin.add_client(store, "Nightly", client_id="job", scope="read")

    added, secret = trail()
    assert added == {**TESTER, "event": "client_added", "client_id": "job", "client_name": "Nightly", "scope": "read"}
    assert (secret["event"], secret["secret_id"]) == ("secret_added", made.client.secrets[0].secret_id)
    assert made.secret not in "".join(lines())


def test_a_change_that_is_refused_is_no_event(store, client, trail):
    for change in (
        lambda: admin.add_client(store, "again", client_id="tester"),
        lambda: admin.revoke_secret(store, "tester", "nothing"),
        lambda: admin.delete_client(store, "nobody"),
    ):
        with pytest.raises(AdminError):
            change()

    assert trail() == []


def test_a_token_that_is_revoked_is_an_event_once(store, app, clock, trail):
    key = admin.token_key(issue(app))
    assert [admin.revoke_token(store, key, clock=clock) for _ in range(2)] == [True, False]

    (revoked,) = (each for each in trail("token_revoked") if "by" in each)
    assert revoked == {
        "event": "token_revoked",
        "client_id": "tester",
        "token_id": key.hex(),
        "by": ME,
        "store": "memory://",
    }


def test_keys_are_events_when_they_are_made_exported_and_retired(store, trail):
    made = admin.rotate_key(store)
    admin.private_key(store, made.kid, password="v9Q2mX7tLr4KpZ8w")
    new = admin.retire_key(store, made.kid, wait=lambda seconds: None)

    assert [(each["event"], each["key_id"]) for each in trail()] == [
        ("key_added", made.kid),
        ("key_exported", made.kid),
        ("key_added", new.kid),
        ("key_retired", made.kid),
    ]


def test_a_program_may_name_who_makes_changes(store, client, trail):
    with admin.acting_as("alice@example.com"):
        admin.disable_client(store, "tester")
    admin.enable_client(store, "tester")

    assert [each["by"] for each in trail("client_disabled", "client_enabled")] == ["alice@example.com", ME]


@pytest.mark.parametrize("who", ["", "a\nb", "x" * 201])
def test_who_makes_changes_has_a_name_that_can_be_printed(who):
    with pytest.raises(AdminError), admin.acting_as(who):
        pass


@pytest.mark.parametrize("user", pwd.getpwall()[:2], ids=["root", "a service's user"])
def test_a_user_by_sudo_is_named_with_its_caller(store, client, trail, monkeypatch, user):
    monkeypatch.setattr(os, "getuid", lambda: user.pw_uid)
    monkeypatch.setenv("SUDO_USER", "alice")
    admin.revoke_all_tokens(store, "tester")

    assert [each["by"] for each in trail()] == [f"{user.pw_name} (alice by sudo)"]


@pytest.mark.parametrize("caller", ["", "alice\n", "a\x1b[2J"])
def test_a_caller_that_cannot_be_printed_is_left_out(store, client, trail, monkeypatch, caller):
    monkeypatch.setenv("SUDO_USER", caller)
    admin.revoke_all_tokens(store, "tester")

    assert [each["by"] for each in trail()] == [ME]


@pytest.mark.parametrize("store_kind", ["sqlite"])
def test_a_copy_is_an_event_of_the_target(store, client, trail, tmp_path):
    target = open_store(f"sqlite:///{tmp_path}/copy.db", create=True)
    admin.copy_store(store, target)
    admin.copy_store(store, target)
    target.close()

    (copied,) = trail("store_copied")
    assert (copied["store"], copied["source"]) == (target.url, store.url)
