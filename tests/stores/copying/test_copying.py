"""A copy means the same as its source, between any two kinds of stores. The tests only look, or issue a token."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import NamedTuple

import pytest

from helpers.builders import API, BILLING, key_of, log_of, token_of
from helpers.changes import add_key
from helpers.copying import PAIRS, PRIVATE, PUBLIC, SECRETS, SLOW, contents, guarded, judged, lived, new_places, pairs
from helpers.support import basic
from oauth_mw import admin, open_store
from oauth_mw.errors import AdminError
from oauth_mw.model import KeyRecord, StoreStats
from oauth_mw.protocols import Store

EVERY = {**PUBLIC, **PRIVATE}
OVER = int(time.time()) - 90
KEYS = [
    KeyRecord("one", "ES256", "{}", "-----BEGIN\né", OVER, OVER),
    KeyRecord("two", "EdDSA", "{}", "", OVER, OVER + 60, 9),
]


class Moved(NamedTuple):
    source: Store
    target: Store
    tokens: dict[str, str]
    copied: admin.Copied
    held: tuple[StoreStats, StoreStats]


@pytest.fixture(scope="module", params=pairs(PAIRS, SLOW))
def moved(request, tmp_path_factory):
    """A store and its copy."""
    with new_places(request, tmp_path_factory.mktemp("stores")) as place:
        source, target = (open_store(place(kind), create=True) for kind in request.param)
        tokens = lived(source)
        source.add_token(key_of(expires_at=OVER), token_of(source.find_client("tester")))
        assert [add_key(source, *each) for each in ((KEYS[0], ""), (KEYS[1], "one"))] == [True, True]
        copied = admin.copy_store(source, target)
        yield Moved(source, target, tokens, copied, (admin.stats(source), admin.stats(target)))
        source.close()
        target.close()


def test_the_same_tokens_are_good_and_tell_the_app_the_same(moved):
    verdicts = judged(moved.target, moved.tokens)

    assert verdicts == judged(moved.source, moved.tokens)
    assert {name for name, (status, *_) in verdicts.items() if status == 200} == {
        "of tester",
        "of full id: +%",
        "after the end",
    }


def test_attributes_keep_their_types(moved):
    _, answer, _ = judged(moved.target, moved.tokens)["of full id: +%"]

    assert {name: told for name, told, _ in answer[1]} == {
        name: repr(value) for name, value in {**PUBLIC, **PRIVATE}.items()
    }


def test_a_token_stays_for_whom_it_was(moved):
    _, answer, introspection = judged(moved.target, moved.tokens)["of full id: +%"]

    assert (answer[0][-1], introspection["aud"]) == ([BILLING, API], [BILLING, API])


def test_the_same_secrets_authenticate(moved):
    app = guarded(moved.target)
    form = {"grant_type": "client_credentials"}
    tried = {
        (client_id, secret): app.post("/oauth/token", form, headers=basic(client_id, secret), expect_errors=True)
        for client_id in SECRETS
        for secret in SECRETS.values()
    }

    good = [pair for pair, answer in tried.items() if answer.status_int == 200]
    assert good == [(client_id, SECRETS[client_id]) for client_id in ("tester", "full id: +%", "ended")]


def test_clients_are_those_that_they_were(moved):
    def clients(store):
        return [replace(each, secrets=tuple(sorted(each.secrets))) for each in store.clients()]

    assert clients(moved.target) == clients(moved.source)
    assert len(clients(moved.target)) == 5


def test_the_id_of_a_deleted_client_is_never_used_again(moved):
    with pytest.raises(AdminError):
        admin.add_client(moved.target, "again", client_id="gone")


def test_the_log_is_the_same_and_stands_where_it_stood(moved):
    here, there = contents(moved.target), contents(moved.source)

    assert (here["events"], here["position"]) == (there["events"], there["position"])
    assert len(here["events"]) == 4


def test_events_are_kept_as_long(moved):
    there, here = ([event for page in each.copyable().read_events(0) for event in page] for each in moved[:2])

    assert [event.keep_until for event in here] == [event.keep_until for event in there]
    assert min(event.keep_until for event in here) > time.time() + 23 * 3600


def test_signing_keys_are_those_that_they_were(moved):
    assert list(moved.target.read_keys().keys) == KEYS


def test_a_copy_is_another_store(moved):
    assert moved.target.copyable().log_state().store_id != moved.source.copyable().log_state().store_id


def test_a_copy_can_be_followed(moved):
    page = log_of(moved.target)

    assert moved.target.read_log(page.store_id, page.position).complete


def test_what_has_expired_stays_behind(moved):
    assert moved.target.count_tokens(before=int(time.time())) == 0


def test_what_was_moved_is_told(moved):
    assert moved.copied == admin.Copied(
        clients=admin.Amount(5, 0),
        secrets=admin.Amount(6, 0),
        deleted=admin.Amount(1, 0),
        tokens=admin.Amount(7, 0),
        events=admin.Amount(4, 0),
        keys=admin.Amount(2, 0),
    )


def test_both_hold_as_much(moved):
    counted = ("position", "enabled", "disabled", "deleted", "secrets", "unexpired", "events", "keys")
    there, here = ([getattr(held, name) for name in counted] for held in moved.held)

    assert here == there
    assert here[1:] == [4, 1, 1, 6, 7, 4, 2]
