"""What has a life of its own is never copied over."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from helpers.builders import given_secret, issued, registered
from helpers.changes import end_client, remove_secret
from helpers.copying import changed, contents, each_kind, each_target, filled, new_places
from oauth_mw import admin, open_store
from oauth_mw.credentials import hash_secret
from oauth_mw.errors import AdminError


@pytest.fixture
def stores(kinds, request, tmp_path, clock):
    with new_places(request, tmp_path) as place:
        source, target = (open_store(place(kind), create=True, clock=clock) for kind in kinds)
        yield source, target
        source.close()
        target.close()


def refused(source, target, clock):
    """Why; and nothing was written."""
    before = contents(target)
    with pytest.raises(AdminError) as error:
        admin.copy_store(source, target, clock=clock)
    assert contents(target) == before
    return str(error.value)


@each_kind
def test_a_store_that_is_in_use(stores, clock):
    source, target = stores
    filled(source)
    target.add_client(registered("mine"))

    assert refused(source, target, clock).startswith(f"{target.url} is not empty")


@each_target
def test_a_store_of_which_only_a_deleted_client_is_left(stores, clock):
    source, target = stores
    target.add_client(registered("mine"))
    end_client(target, "mine", delete=True)

    assert refused(source, target, clock).startswith(f"{target.url} is not empty")


@each_kind
def test_a_copy_of_another_store(stores, clock):
    source, target = stores
    admin.copy_store(open_store("memory://"), target, clock=clock)

    assert "is a copy of another store" in refused(source, target, clock)


EVENTS = {
    "a token revoked": lambda store, key: store.revoke_token(key),
    "all tokens ended": lambda store, key: end_client(store, "b"),
    "a client disabled": lambda store, key: end_client(store, "b", disable=True),
    "a client deleted": lambda store, key: end_client(store, "d", delete=True),
}


@each_target
@pytest.mark.parametrize("happen", EVENTS.values(), ids=EVENTS)
def test_a_copy_that_has_ended_tokens_itself(stores, clock, happen):
    source, target = stores
    keys = filled(source)
    admin.copy_store(source, target, clock=clock)
    happen(target, keys[-1])
    changed(source, keys)

    assert refused(source, target, clock).startswith(f"tokens were ended in {target.url} itself")


CHANGES = {
    "registered": lambda store: store.add_client(registered("b2")),
    "renamed": lambda store: store.update_client("b", lambda client: replace(client, name="mine")),
    "enabled": lambda store: store.update_client("d", lambda client: replace(client, enabled=True)),
    "given a secret": lambda store: given_secret(store, "b", hash_secret("u" * 16)),
    "without a secret": lambda store: remove_secret(store, "b", store.find_client("b").secrets[0].secret_id),
    "with other scopes": lambda store: store.update_client("b", lambda client: replace(client, scopes=("x",))),
    "with a number for true": lambda store: store.update_client(
        "b", lambda client: replace(client, attributes={"n": 1})
    ),
}


@each_target
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_copy_whose_client_was_changed(stores, clock, change):
    source, target = stores
    keys = filled(source)
    source.update_client("b", lambda client: replace(client, attributes={"n": True}))
    admin.copy_store(source, target, clock=clock)
    change(target)
    changed(source, keys)

    assert f"was changed in {target.url} itself" in refused(source, target, clock)


@each_target
def test_a_copy_that_begins_a_life_of_its_own_while_it_is_made(stores, clock):
    source, target = stores
    filled(source)

    def use_both(count):
        end_client(source, "a")
        end_client(target, "b")

    with pytest.raises(AdminError, match="tokens were ended"):
        admin.copy_store(source, target, clock=clock, told=use_both)

    assert contents(target)["events"][-1][1] == "b"
    assert contents(target)["clients"]["a"].ended == 0


@each_target
def test_a_copy_whose_client_is_changed_while_it_is_made(stores, clock):
    source, target = stores
    filled(source)

    def use_both(count):
        source.update_client("b", lambda client: replace(client, name="theirs"))
        target.update_client("b", lambda client: replace(client, name="mine"))

    with pytest.raises(AdminError, match="client 'b' was changed"):
        admin.copy_store(source, target, clock=clock, told=use_both)

    assert target.find_client("b").name == "mine"


@each_target
def test_the_source_after_its_copy_has_gone_on(stores, clock):
    source, target = stores
    filled(source)
    admin.copy_store(source, target, clock=clock)
    issued(target, "b", 77)
    end_client(target, "b")

    assert refused(target, source, clock).startswith(f"{source.url} is not empty")


@pytest.mark.parametrize("kinds", [("sqlite", "memory")], ids=["sqlite"])
def test_a_store_onto_itself(stores, clock):
    source, _ = stores
    filled(source)
    again = open_store(source.url, clock=clock)

    assert refused(source, again, clock) == f"{source.url} and {source.url} are the same store"
    again.close()


@each_target
def test_a_source_that_was_set_back(tmp_path, stores, clock):
    _, target = stores
    source = open_store(f"sqlite:///{tmp_path}/source.db", create=True, clock=clock)
    filled(source)
    admin.copy_store(source, target, clock=clock)
    with sqlite3.connect(tmp_path / "source.db") as database:
        database.execute("update oauth_mw_store set position = position - 1")
    database.close()

    assert "stands behind what was copied from it" in refused(source, target, clock)
    source.close()
