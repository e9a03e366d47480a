"""A copy means the same as its source, between any two kinds of stores. The tests only look, or issue a token."""

from __future__ import annotations

import time
from typing import NamedTuple

import pytest

from helpers.builders import API, BILLING, has_right_verifiers, key_of, log_of, token_of
from helpers.changes import add_key
from helpers.copying import PRIVATE, PUBLIC, SECRETS, contents, guarded, judged, lived, new_places, pairs
from helpers.support import basic
from oauth_mw import admin, open_store
from oauth_mw.errors import AdminError
from oauth_mw.model import KeyRecord, StoreStats
from oauth_mw.protocols import Store

OVER = int(time.time()) - 90
USES = {("tester", "a"): 2**31, ("tester", ""): 2**31}  # later than those of the requests here
KEYS = [
    KeyRecord("one", "ES256", "{}", "-----BEGIN\né", OVER, OVER),
    KeyRecord("two", "EdDSA", "{}", "", OVER, OVER + 60, 9),
]


class Done(NamedTuple):
    source: Store
    target: Store
    tokens: dict[str, str]
    copied: admin.Copied
    held: tuple[StoreStats, StoreStats]


@pytest.fixture(scope="module", params=pairs(pytest.mark.slow))
def done(request, tmp_path_factory):
    """A store and its copy."""
    with new_places(request, tmp_path_factory.mktemp("stores")) as place:
        source, target = (open_store(place(kind), create=True) for kind in request.param)
        tokens = lived(source)
        source.add_token(key_of(expires_at=OVER), token_of(source.find_client("tester")))
        assert [add_key(source, *each) for each in ((KEYS[0], ""), (KEYS[1], "one"))] == [True, True]
        source.note_uses(USES)
        copied = admin.copy_store(source, target)
        yield Done(source, target, tokens, copied, (admin.stats(source), admin.stats(target)))
        source.close()
        target.close()


def test_the_same_tokens_are_accepted_with_the_same_identity(done):
    verdicts = judged(done.target, done.tokens)

    assert verdicts == judged(done.source, done.tokens)
    assert {name for name, (status, *_) in verdicts.items() if status == 200} == {
        "of tester",
        "of full id: +%",
        "issued again",
    }


def test_attributes_keep_their_types_and_tokens_their_audience(done):
    _, answer, introspection = judged(done.target, done.tokens)["of full id: +%"]

    shown = {name: value for name, value, _ in answer[1]}
    assert shown == {name: repr(value) for name, value in {**PUBLIC, **PRIVATE}.items()}
    assert (answer[0][-1], introspection["aud"]) == ([BILLING, API], [BILLING, API])


def test_the_verifiers_are_those_of_the_records(done):
    clients = list(done.target.clients())

    assert len(clients) == 5
    assert all(has_right_verifiers(done.target, client) for client in clients)


def test_the_same_secrets_authenticate(done):
    app = guarded(done.target)
    form = {"grant_type": "client_credentials"}
    tried = {
        (client_id, secret): app.post("/oauth/token", form, headers=basic(client_id, secret), expect_errors=True)
        for client_id in SECRETS
        for secret in SECRETS.values()
    }

    good = [pair for pair, answer in tried.items() if answer.status_int == 200]
    assert good == [(client_id, SECRETS[client_id]) for client_id in ("tester", "full id: +%", "revoked")]


def test_last_uses_are_those_of_the_source(done):
    assert done.target.last_uses(["tester"]).items() >= USES.items()


def test_clients_keys_and_events_are_those_of_the_source(done):
    here, there = contents(done.target), contents(done.source)
    del here["tokens"], there["tokens"]

    assert here == there
    assert (len(here["clients"]), list(here["keys"].keys), len(here["events"])) == (6, KEYS, 4)
    assert min(event.keep_until for event in here["events"]) > time.time() + 23 * 3600


def test_the_id_of_a_deleted_client_is_never_used_again(done):
    with pytest.raises(AdminError):
        admin.add_client(done.target, "again", client_id="gone")


def test_a_copy_is_another_store_that_can_be_followed(done):
    page = log_of(done.target)

    assert page.store_id != log_of(done.source).store_id
    assert done.target.read_log(page.store_id, page.position).complete


def test_what_was_copied_is_counted_without_what_has_expired(done):
    assert done.target.count_tokens(before=int(time.time())) == 0
    assert done.copied == admin.Copied(
        clients=admin.Count(5, 0),
        secrets=admin.Count(6, 0),
        deleted=admin.Count(1, 0),
        tokens=admin.Count(7, 0),
        events=admin.Count(4, 0),
        keys=admin.Count(2, 0),
    )


def test_both_hold_as_much(done):
    counted = ("position", "enabled", "disabled", "deleted", "secrets", "unexpired", "events", "keys")
    there, here = ([getattr(held, name) for name in counted] for held in done.held)

    assert here == there
    assert here[1:] == [4, 1, 1, 6, 7, 4, 2]
