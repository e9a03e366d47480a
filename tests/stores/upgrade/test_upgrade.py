"""A store of schema 2 works after its upgrade as it did before, on each engine."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from helpers.builders import NOW, has_right_verifiers, secret_works
from helpers.copying import new_places
from helpers.support import HandClock, bearer, echo, issue, middleware
from helpers.upgrading import FACTS, fill
from helpers.wsgi_client import CheckedApp
from oauth_mw import AdminError, admin, open_store
from oauth_mw.errors import StoreMissing, StoreOutdated
from oauth_mw.model import Revocation
from oauth_mw.stores import upgrade_store
from oauth_mw.tokens.jws import is_compact

KINDS = ["sqlite", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("postgresql", "redis"))]
pytestmark = pytest.mark.parametrize("store_kind", KINDS, scope="module")


@pytest.fixture(scope="module")
def store(request, store_kind, tmp_path_factory):
    """An upgraded store, for tests that do not change it."""
    with new_places(request, tmp_path_factory.mktemp("stores")) as place:
        url = place(store_kind)
        fill(url)
        upgrade_store(url)
        with closing(open_store(url, clock=HandClock())) as store:
            yield store


@pytest.fixture
def app(wrap, known):
    return wrap(**known["options"])


def members_of(client):
    """What the old code says of a client too, as JSON has it."""
    found = {name: getattr(client, name) for name in FACTS["sqlite"]["clients"][0]}
    secrets = [
        {**secret._asdict(), "salt": secret.salt.hex(), "digest": secret.digest.hex(), "other": None}
        for secret in client.secrets
    ]
    attributes, public = dict(client.attributes), sorted(client.public_attributes)
    members = {**found, "attributes": attributes, "public_attributes": public, "secrets": in_order(secrets)}
    return json.loads(json.dumps(members))


def in_order(secrets):
    return sorted(secrets, key=lambda secret: secret["secret_id"])


def test_clients_are_as_they_were(store, facts):
    clients = [
        {**client, "secrets": in_order([{**secret, "other": None} for secret in client["secrets"]])}
        for client in facts["clients"]
    ]

    assert [members_of(client) for client in store.clients()] == clients


def test_the_verifiers_are_those_of_the_records(store):
    assert all(has_right_verifiers(store, client) for client in store.clients())


def test_secrets_are_valid_as_before(store, known):
    works = {
        client_id: [secret_works(store, text, NOW, client_id) for text in texts]
        for client_id, texts in known["secrets"].items()
    }

    good = {client_id: [True] * len(texts) for client_id, texts in known["secrets"].items()}
    assert works == {**good, "deleted": [False]}
    later = [secret_works(store, text, NOW + 3600, "five") for text in known["secrets"]["five"]]
    assert later.count(False) == 1  # the one that expires


def test_the_id_of_a_deleted_client_stays_used(store, clock):
    with pytest.raises(AdminError, match="in use, or was"):
        admin.add_client(store, "again", client_id="deleted", clock=clock)


def test_live_tokens_are_accepted_and_revoked_ones_refused(app, facts):
    answers = {
        token: app.get("/any", headers=bearer(token), status="*").status_int
        for token in facts["live"] | facts["revoked"]
    }

    assert answers == {**dict.fromkeys(facts["live"], 200), **dict.fromkeys(facts["revoked"], 401)}


def test_tokens_have_their_attributes_and_audiences(store, facts, clock):
    tokens = [token for token, owner in facts["live"].items() if owner in ("full", "audience-only", "plain")]

    found = {
        (token.client_id, json.dumps(dict(token.attributes)), token.audience)
        for token in (admin.inspect_token(store, admin.token_key(text), clock=clock) for text in tokens)
    }

    full = next(client for client in facts["clients"] if client["client_id"] == "full")
    assert found == {
        ("full", json.dumps(full["attributes"]), tuple(full["default_audience"])),
        ("audience-only", "{}", ("https://auth.example.com",)),
        ("plain", "{}", ()),
    }


def test_the_log_continues_at_its_position(store, facts):
    page = store.read_log("", -1)

    assert page.position == facts["position"]
    events = store.read_log(page.store_id, 0).events
    assert len(events) == facts["events"]
    assert [event.client_id for event in events if event.key is None] == [
        *("cleared", "disabled", "deleted", "all-revoked")
    ]
    assert admin.stats(store).store_id == facts["store_id"]


def test_the_denylist_has_the_revoked_jwt(store, facts, known, clock):
    (jwt,) = [token for token in facts["revoked"] if is_compact(token)]
    secret = known["options"]["key_encryption_secret"]
    token_id = admin.inspect_jwt(store, jwt, secret=secret, clock=clock).token_id

    events = store.read_denylist().events

    (event,) = [event for event in events if event.key is not None]
    assert event == Revocation(event.position, "signer", bytes.fromhex(token_id), log_only=True)


def test_keys_are_as_they_were_and_sign(store, facts, app, known):
    token = issue(app, "signer", known["secrets"]["signer"][0])

    keys = [key._asdict() for key in store.read_keys().keys]
    fields = facts["keys"][0].keys() - {"needed_until"}
    assert [{name: key[name] for name in fields} for key in keys] == [
        {name: key[name] for name in fields} for key in facts["keys"]
    ]
    assert app.get("/any", headers=bearer(token)).status_int == 200


def test_an_upgraded_store_can_be_changed(old_url, facts, known, clock):
    upgrade_store(old_url)
    store = open_store(old_url, clock=clock)
    app = CheckedApp(middleware(echo, clock, store=store, **known["options"]))
    admin.update_client(store, "plain", scope="read", attributes={"new": "é"})
    added = admin.add_secret(store, "plain", clock=clock)
    admin.add_client(store, "new", client_id="new", secret=known["secrets"]["plain"][0], scope="read", clock=clock)
    tokens = [token for token, owner in facts["live"].items() if owner in ("plain", "full")]
    admin.revoke_token(store, admin.token_key(tokens[-1]), clock=clock)
    admin.disable_client(store, "plain")
    admin.enable_client(store, "plain")

    issued = [issue(app, "plain", added.secret), issue(app, "new", known["secrets"]["plain"][0])]

    assert all(app.get("/any", headers=bearer(token)).status_int == 200 for token in issued)
    owners = {"plain": 401, "full": 200}
    for token in tokens[:-1]:
        app.get("/any", headers=bearer(token), status=owners[facts["live"][token]])
    app.get("/any", headers=bearer(tokens[-1]), status=401)
    store.close()


def test_an_upgrade_reports_its_progress_and_a_second_one_changes_nothing(old_url, facts, store_kind):
    with pytest.raises(StoreOutdated, match="has schema version 2, .* store upgrade`$"):
        open_store(old_url, create=True)
    steps = []

    upgrade_store(old_url, progress=lambda done, total: steps.append((done, total)))

    rich = {"full", "audience-only"} if store_kind != "redis" else set()  # whose tokens are as they were
    tokens = [owner for owner in (facts["live"] | facts["revoked"]).values() if owner in rich]
    total = len(facts["clients"]) + 1 + len(tokens)  # and the client that was deleted
    assert {total for _, total in steps} == {total}
    assert sum(done for done, _ in steps) == total
    with closing(open_store(old_url)) as store:
        before = admin.stats(store)
        upgrade_store(old_url)
        assert admin.stats(store) == before


def test_an_upgrade_without_a_store_is_refused(store_url):
    with pytest.raises(StoreMissing):
        upgrade_store(store_url)
