"""Nothing is copied into a store that was changed by other means."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from helpers.builders import NOW, given_secret, issued, registered
from helpers.changes import add_key, end_client, remove_key, remove_secret
from helpers.copying import PAIRS, SLOW, changed, contents, filled, mostly_long
from oauth_mw import admin, open_store
from oauth_mw.credentials import hash_secret
from oauth_mw.errors import AdminError
from oauth_mw.keys.schedule import with_need
from oauth_mw.model import KeyRecord, KeySet, StoredClient

KEY = KeyRecord("kid", "ES256", "{}", "-----BEGIN", NOW, NOW)
MORE = KEY._replace(kid="more", signs_from=NOW + 1)


def refused(source, target, clock):
    """Why; and nothing was written."""
    before = contents(target)
    with pytest.raises(AdminError) as error:
        admin.copy_store(source, target, clock=clock)
    assert contents(target) == before
    return str(error.value)


IN_USE = [
    lambda store: store.add_client(registered("mine")),
    lambda store: (store.add_client(registered("mine")), end_client(store, "mine", delete=True)),
    lambda store: add_key(store, KEY),
    lambda store: (add_key(store, KEY), remove_key(store, "kid")),
]


@mostly_long
def test_a_store_that_is_not_empty_is_refused(kinds, place, stores, clock):
    source, _ = stores
    filled(source)

    for use in IN_USE:
        with closing(open_store(place(kinds[1]), create=True, clock=clock)) as target:
            use(target)
            assert refused(source, target, clock).startswith(f"{target.url} is not empty")


@mostly_long
def test_a_copy_of_another_store_is_refused(stores, clock, tmp_path):
    source, target = stores
    with closing(open_store(f"sqlite:///{tmp_path}/another.db", create=True)) as other:
        admin.copy_store(other, target, clock=clock)

    assert "is a copy of another store" in refused(source, target, clock)


CHANGES = {
    "a token revoked": lambda store, key: store.revoke_token(key),
    "a JWT revoked": lambda store, key: store.revoke_log_only("b", bytes(32), 2**60),
    "all tokens revoked": lambda store, key: end_client(store, "b"),
    "a client registered": lambda store, key: store.add_client(registered("b2")),
    "a client deleted": lambda store, key: end_client(store, "d", delete=True),
    "a client renamed": lambda store, key: store.update_client("b", lambda client: replace(client, name="mine")),
    "a client given a secret": lambda store, key: given_secret(store, "b", hash_secret("u" * 16)),
    "a number for true": lambda store, key: store.update_client(
        "b", lambda client: replace(client, attributes={"n": 1})
    ),
    "a key made": lambda store, key: add_key(store, MORE, "kid"),
    "a key used for longer": lambda store, key: store.update_keys(lambda keys: with_need(keys, "kid", NOW + 99)),
    "a key removed": lambda store, key: remove_key(store, "kid"),
}


@pytest.fixture
def copied(stores, clock):
    """A source and its copy, and the key of a token in both."""
    source, target = stores
    keys = filled(source)
    source.update_client("b", lambda client: replace(client, attributes={"n": True}))
    add_key(source, KEY)
    admin.copy_store(source, target, clock=clock)
    return source, target, keys


def each_change():
    """Each on one of the pairs in turn; on the others it is slow, and long where servers replace each other."""
    for number, (name, change) in enumerate(CHANGES.items()):
        for place, pair in enumerate([*PAIRS, *SLOW]):
            mark = [] if place == number % len(PAIRS) else [pytest.mark.slow if pair in PAIRS else pytest.mark.long]
            yield pytest.param(pair, change, id=f"{name}-{' to '.join(pair)}", marks=mark)


@pytest.mark.parametrize(("kinds", "change"), [*each_change()])
def test_a_copy_that_was_changed_is_refused(copied, clock, change):
    source, target, keys = copied
    change(target, keys[-1])
    changed(source, keys)

    assert "and not an unchanged copy of this store" in refused(source, target, clock)


NO_CHANGES = [
    lambda store, keys: issued(store, "b", 5000),
    lambda store, keys: store.revoke_token(keys[0]),  # again
    lambda store, keys: store.add_client(registered("b")),  # again
    lambda store, keys: remove_secret(store, "b", "nope"),
    lambda store, keys: end_client(store, "nobody"),
]


@mostly_long
def test_what_changes_no_client_key_or_revocation_does_not_close_a_copy(copied, clock):
    source, target, keys = copied
    for use in NO_CHANGES:
        use(target, keys)
    changed(source, keys)

    admin.copy_store(source, target, clock=clock)

    here, there = contents(target), contents(source)
    assert here == {**there, "tokens": here["tokens"]}
    assert here["tokens"].items() >= there["tokens"].items()


@mostly_long
@pytest.mark.parametrize("begun", [False, True], ids=["never a copy", "changed"])
def test_each_part_of_a_copy_is_refused(copied, begun):
    source, target, keys = copied
    whole, origin = target.copyable(), source.copyable().log_state().store_id
    if begun:
        end_client(target, "b")
    else:
        origin = "another"
    before = contents(target)
    client = source.find_client("b")

    for put in (
        lambda: whole.become_copy(origin),
        lambda: whole.put_clients(origin, [StoredClient(replace(client, name="theirs"))]),
        lambda: whole.put_events(origin, [], before["log"].position + 9, 0),
        lambda: whole.put_keys(origin, KeySet.of([KEY, MORE])),
        lambda: whole.put_tokens(origin, []),
    ):
        with pytest.raises(AdminError):
            put()
    assert contents(target) == before


def test_a_copy_that_is_changed_while_it_is_made_is_refused(stores, clock):
    source, target = stores
    filled(source)

    def use_both(count):
        end_client(source, "a")
        end_client(target, "b")

    with pytest.raises(AdminError, match="was changed by other means while it was copied into"):
        admin.copy_store(source, target, clock=clock, progress=use_both)

    assert contents(target)["events"][-1].client_id == "b"
    assert target.find_client("a").revoked_before == 0


def test_the_source_itself_is_refused(copied, clock):
    source, target, _ = copied
    issued(target, "b", 77)
    end_client(target, "b")

    assert refused(target, source, clock).startswith(f"{source.url} is not empty")
    with closing(open_store(source.url, clock=clock)) as again:
        assert refused(source, again, clock) == f"{source.url} and {source.url} are the same store"


def test_a_source_that_was_set_back_is_refused(copied, clock):
    source, target, _ = copied
    with closing(sqlite3.connect(source.url.removeprefix("sqlite:///"))) as database, database:
        database.execute("UPDATE oauth_mw_store SET position = position - 1")

    assert "a backup of it was restored" in refused(source, target, clock)


@pytest.mark.parametrize("which", [0, 1], ids=["from", "to"])
def test_a_store_in_memory_is_refused(stores, clock, which):
    pair = [*stores]
    pair[which] = open_store("memory://", clock=clock)

    with pytest.raises(AdminError, match="^memory:// is lost when its process ends"):
        admin.copy_store(*pair, clock=clock)
