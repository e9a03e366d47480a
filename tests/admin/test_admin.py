"""Clients through the Python API."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from helpers.builders import API, BILLING, NOW, is_dead, issued, secret_works
from helpers.support import SECRET
from oauth_mw import AdminError, NotFound, admin
from oauth_mw.model import MAX_LIFETIME


@pytest.fixture
def tester(store, clock):
    options = {"scope": "read write", "attributes": {"a": 1}, "public_attributes": {"b": 2}}
    return admin.add_client(store, "tester", client_id="tester", secret=SECRET, clock=clock, **options)


STORE_KINDS = ["memory"]

# Registration


def test_a_new_client_can_authenticate_with_the_secret_that_is_shown_once(store, clock):
    new = admin.add_client(store, "a client", clock=clock)

    assert secret_works(store, new.secret, clock(), new.client.client_id)


def test_a_new_client_is_what_was_asked_for(store, tester):
    client = store.find_client("tester")

    assert (client.name, client.scopes, client.default_scope) == ("tester", ("read", "write"), None)
    assert (dict(client.attributes), client.public_attributes) == ({"a": 1, "b": 2}, {"b"})
    assert (client.enabled, client.resource_server, client.created_at, client.lifetime) == (True, False, NOW, None)


@pytest.mark.parametrize("deleted", [False, True], ids=["in use", "deleted"])
def test_an_id_is_given_once(store, tester, deleted):
    if deleted:
        admin.delete_client(store, "tester")

    with pytest.raises(AdminError, match="is in use, or was"):
        admin.add_client(store, "", client_id="tester")


REFUSED = {
    "name too long": {"name": "x" * 201},
    "id empty": {"client_id": ""},
    "id too long": {"client_id": "x" * 256},
    "id not ASCII": {"client_id": "ü"},
    "id with a control character": {"client_id": "a\nb"},
    "secret short": {"secret": "short"},
    "secret not ASCII": {"secret": SECRET + "ü"},
    "secret empty": {"secret": "", "allow_weak_secret": True},
    "scope with quotes": {"scope": 'read "write"'},
    "scope with umlauts": {"scope": "lösen"},
    "scopes too many": {"scope": " ".join(map(str, range(201)))},
    "default scope beyond the scope": {"scope": "read", "default_scope": "read write"},
    "lifetime zero": {"lifetime": 0},
    "lifetime negative": {"lifetime": -1},
    "lifetime with a fraction": {"lifetime": 1.5},
    "lifetime true": {"lifetime": True},
    "lifetime too long": {"lifetime": MAX_LIFETIME + 1},
    "token format of another kind": {"token_format": "JWT"},
    "audience with a fragment": {"audiences": [f"{API}#x"]},
    "audience as a text": {"audiences": API},
    "audiences too many": {"audiences": [f"{API}/{number}" for number in range(21)]},
    "default audience beyond the audiences": {"audiences": [API], "default_audience": [API, BILLING]},
    "default audience relative": {"default_audience": ["/v1"]},
    "default audience of none": {"default_audience": []},
    "attribute with a taken name": {"attributes": {"exp": 1}},
    "public attribute with a taken name": {"public_attributes": {"scope": "x"}},
    "attribute of both kinds": {"attributes": {"a": 1}, "public_attributes": {"a": 1}},
}


@pytest.mark.parametrize("options", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_and_nothing_is_registered(store, options):
    with pytest.raises(AdminError):
        admin.add_client(store, **{"name": "a client", **options})

    assert list(store.clients()) == []


def test_odd_but_legal_ids_and_secrets_are_taken(store, clock):
    admin.add_client(store, "Ärger & Söhne", client_id='a:b+c "d" %', secret="p+s %2F:w \\ ~ 4Kq9", clock=clock)

    assert secret_works(store, "p+s %2F:w \\ ~ 4Kq9", client_id='a:b+c "d" %')


def test_a_weak_secret_is_let_through_only_when_asked_and_marked(store):
    with pytest.raises(AdminError, match="weak"):
        admin.add_client(store, "", secret="password12345678")

    for secret, weak in (("password12345678", True), (SECRET, False)):
        assert admin.add_client(store, "", secret=secret, allow_weak_secret=True).client.secrets[0].weak is weak


# Changes


def test_an_update_changes_what_is_given_and_keeps_the_rest(store, tester):
    changed = admin.update_client(store, "tester", scope="read", default_scope="read", lifetime=60)

    assert (changed.scopes, changed.default_scope, changed.lifetime) == (("read",), ("read",), 60)
    assert (changed.name, dict(changed.attributes), changed.public_attributes) == ("tester", {"a": 1, "b": 2}, {"b"})
    assert store.find_client("tester").lifetime == 60


GIVEN = {
    "default_scope": "read", "lifetime": 60, "token_format": "jwt", "audiences": [API], "default_audience": [API]
}  # fmt: skip


@pytest.mark.parametrize("name", GIVEN)
def test_an_update_can_clear_what_is_optional(store, tester, name):
    before = admin.update_client(store, "tester", **GIVEN)

    changed = admin.update_client(store, "tester", clear=[name])

    assert changed == replace(before, **{name: getattr(tester.client, name)})
    assert changed != before


def test_audiences_are_kept_in_order_each_once(store, clock):
    new = admin.add_client(store, "", audiences=iter([BILLING, API, BILLING]), default_audience=[API], clock=clock)

    assert (new.client.audiences, new.client.default_audience) == ((BILLING, API), (API,))


def test_a_default_audience_may_be_any_where_the_server_says_what_is_allowed(store):
    assert admin.add_client(store, "", default_audience=[BILLING]).client.default_audience == (BILLING,)


CANNOT_BE = {
    "default scope": {"scope": "read", "default_scope": "write"},
    "less scope than the default": {"scope": "write"},
    "fewer audiences than the default": {"audiences": [BILLING]},
    "lifetime": {"lifetime": 0},
    "attribute": {"attributes": {"sub": 1}},
    "name": {"name": "\0"},
}


@pytest.mark.parametrize("options", CANNOT_BE.values(), ids=CANNOT_BE)
def test_an_update_that_cannot_be_changes_nothing(store, tester, options):
    before = admin.update_client(store, "tester", default_scope="read", default_audience=[API])

    with pytest.raises(AdminError):
        admin.update_client(store, "tester", **options)

    assert store.find_client("tester") == before


def test_disabling_revokes_the_tokens_and_enabling_revives_none(store, tester):
    key = issued(store)

    admin.disable_client(store, "tester")
    disabled = store.find_client("tester").enabled
    admin.enable_client(store, "tester")

    assert (disabled, store.find_client("tester").enabled) == (False, True)
    assert is_dead(store, key)


def test_revoking_all_tokens_leaves_the_client_alone(store, tester):
    key = issued(store)

    admin.revoke_all_tokens(store, "tester")

    assert is_dead(store, key)
    assert secret_works(store, SECRET) and store.find_client("tester").enabled


UNKNOWN = {
    "get": lambda store, name: admin.get_client(store, name),
    "update": lambda store, name: admin.update_client(store, name, name="x"),
    "enable": lambda store, name: admin.enable_client(store, name),
    "disable": lambda store, name: admin.disable_client(store, name),
    "delete": lambda store, name: admin.delete_client(store, name),
    "add secret": lambda store, name: admin.add_secret(store, name),
    "revoke secret": lambda store, name: admin.revoke_secret(store, name, "0"),
    "revoke all": lambda store, name: admin.revoke_all_tokens(store, name),
}


@pytest.mark.parametrize("call", UNKNOWN.values(), ids=UNKNOWN)
@pytest.mark.parametrize("name", ["nobody", "\ud800", "a\0b"], ids=["text", "half a character", "NUL"])
def test_a_client_that_is_not_there_is_named(store, tester, call, name):
    with pytest.raises(NotFound, match=re.escape(repr(name))):
        call(store, name)


@pytest.mark.parametrize("name", ["name", "typo"])
def test_only_what_may_be_missing_can_be_cleared(store, tester, name):
    with pytest.raises(AdminError, match="cleared"):
        admin.update_client(store, "tester", clear=[name])


@pytest.mark.parametrize("field", ["enabled", "secrets", "revoked_before"])
def test_a_field_that_has_a_function_of_its_own_is_not_changed_by_an_update(store, field):
    with pytest.raises(TypeError, match=field):
        admin.update_client(store, "tester", **{field: ()})


# More scopes than are allowed


def test_a_client_that_has_more_scopes_than_are_allowed_now_keeps_them(store, tester):
    many = tuple(f"s{number}" for number in range(201))
    store.update_client("tester", lambda client: replace(client, scopes=many))

    assert admin.update_client(store, "tester", name="another", lifetime=60).scopes == many


@pytest.mark.parametrize("name", ["scope", "default_scope"])
def test_two_hundred_scopes_are_allowed_and_not_one_more(store, tester, name):
    scopes = [f"s{number}" for number in range(201)]
    admin.update_client(store, "tester", scope=" ".join(scopes[:200]), default_scope=" ".join(scopes[:200]))

    with pytest.raises(AdminError, match="at most 200 scopes, not 201"):
        admin.update_client(store, "tester", **{name: " ".join(scopes)})
