"""A second import from Apigee changes what has changed there, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.apigee import HERE, KEY, SECRET, app, as_files, credential, developer, page, product
from helpers.builders import secret_works
from oauth_mw import ConfigError, admin
from oauth_mw.admin.apigee import Served, convert
from oauth_mw.admin.applying import apply_declared

STORE_KINDS = ["memory"]
FIRST = [{"name": "tier", "value": "gold"}, {"name": "email", "value": "a@b"}]


def document(
    *, attributes=FIRST, products=(), tied=None, developers=None, name="weather-app", status="approved", **of_key
):
    products = products or [product("weather", ("GET", "/x"), scopes=["a", "b"])]
    key = credential(*([each["name"] for each in products] if tied is None else tied), **of_key)
    return page(app(key, name=name, attributes=attributes, status=status), products=products, developers=developers)


@pytest.fixture
def again(store, clock):
    """Import a document, and return the differences of the client, by their fields."""

    def again(document, reopen=()):
        found = convert(as_files(document), Served(HERE), now=int(clock()))
        changes = apply_declared(store, found.declared, reopen=reopen, clock=clock)
        return {each.field: (each.before, each.after) for change in changes for each in change.differences}

    return again


@pytest.fixture(autouse=True)
def first(again):
    """The import before."""
    again(document())


def test_the_same_files_change_nothing(again):
    assert again(document()) == {}


THERE = {
    "its name": (document(name="b"), {"name": ("weather-app", "b"), "attributes.application_id": (
        "id-of-weather-app", "id-of-b")}),
    "less scopes": (document(scopes=["a"]), {"scope": ("a b", "a")}),
    "an attribute": (document(attributes=[FIRST[1], {"name": "tier", "value": "tin"}]), {
        "attributes.tier": ("gold", "tin")}),
    "no attributes": (document(attributes=[]), {
        "attributes.tier": ("gold", None), "attributes.email": ("a@b", None)}),
    "another path": (document(products=[product("weather", ("GET", "/y"), scopes=["a", "b"])]), {
        "allowed_requests": (["GET /v1/x"], ["GET /v1/y"])}),
    "another product": (document(products=[product("maps", ("GET", "/x"), scopes=["a", "b"])]), {
        "attributes.api_products": ("weather", "maps")}),
    "an end": (document(expiresAt="1900000000000"), {"not_after": (None, 1_900_000_000)}),
    "a revoked key": (document(status="revoked"), {"enabled": (True, False)}),
    "an inactive developer": (document(developers=[developer(status="inactive")]), {"enabled": (True, False)}),
    "another secret": (document(secret="Tz8wKq3Lm9Rb5Xv2"), {"secrets.apigee.hash": ("one", "another")}),
}  # fmt: skip


@pytest.mark.parametrize(("document", "differences"), THERE.values(), ids=THERE)
def test_what_has_changed_there_is_changed(again, document, differences):
    assert again(document) == differences
    assert again(document) == {}


HERE_CHANGED = {
    "name": {"name": "my name"},
    "scope": {"scope": "c"},
    "more attributes": {"attributes": {"tier": "tin", "mine": 1}},
    "a public attribute": {"public_attributes": {"tier": "gold"}},
    "other paths": {"allowed_requests": ["GET /z"]},
    "rate limit": {"rate_limit": "9/minute", "lifetime": 60, "tokens_per_day": 5},
    "an end": {"not_after": 2_000_000_000},
}


@pytest.mark.parametrize("fields", HERE_CHANGED.values(), ids=HERE_CHANGED)
def test_what_was_changed_here_stays(store, again, fields):
    changed = admin.update_client(store, KEY, **fields)

    assert again(document()) == {}
    assert store.find_client(KEY) == changed


def test_both_changes_are_kept_where_they_do_not_meet(store, again):
    attributes = {**store.find_client(KEY).attributes, "mine": 1}
    admin.update_client(store, KEY, attributes=attributes, rate_limit="9/minute", default_scope="a b")

    again(document(attributes=FIRST[:1], scopes=["a"]))

    client = store.find_client(KEY)
    assert (client.rate_limit, client.scopes, client.default_scope) == ("9/minute", ("a",), ("a",))
    assert client.attributes["mine"] == 1
    assert "email" not in client.attributes


def paths(*listed):
    return document(products=[product("weather", *(("GET", path) for path in listed), scopes=[])])


# What Apigee opened at first, what was made of it here, what Apigee opens now, and what is allowed then.
LISTS = {
    "one more there": ("ab", ["a"], "abc", ["a", "c"]),
    "one more here": ("ab", ["a", "b", "x"], "ab", ["a", "b", "x"]),
    "one more here, one less there": ("ab", ["a", "b", "x"], "a", ["a", "x"]),
    "other ones": ("ab", ["b"], "a", ["-"]),
    "all here": ("ab", [], "a", []),
    "none here": ("ab", ["-"], "ac", ["c"]),
    "none here, the same there": ("ab", ["-"], "ab", ["-"]),
}  # fmt: skip


@pytest.mark.parametrize(("before", "here", "now", "allowed"), LISTS.values(), ids=LISTS)
def test_each_path_is_judged_by_itself(store, again, before, here, now, allowed):
    def requests(names):
        return tuple("- /*" if name == "-" else f"GET /v1/{name}" for name in names)

    again(paths(*(f"/{name}" for name in before)))
    store.update_client(KEY, lambda client: replace(client, allowed_requests=requests(here)))
    again(paths(*(f"/{name}" for name in now)))

    assert store.find_client(KEY).allowed_requests == requests(allowed)


# Requests of the product at first, those here, those of the product now, and what is allowed then.
NARROWED = {
    "a part of what is gone": (["* /a/**"], ["GET /v1/a/b"], ["GET /b"], ["GET /v1/b"]),
    "a part of what is gone, and nothing else is there": (["* /"], ["GET /v1/a/b"], [], ["- /*"]),
    "a part of what is left": (
        ["* /"],
        ["GET /v1/a/b", "POST /v1/c"],
        ["GET /a/**"],
        ["GET /v1/a/b", "GET /v1/a/{}/*"],
    ),
    "more methods there": (["GET /a"], ["GET /v1/a/b"], ["GET,POST /a"], ["GET /v1/a/b"]),
    "more methods there, less here": (["GET,POST /a"], ["GET /v1/a"], ["GET,POST,PUT /a"], ["GET /v1/a"]),
    "less methods there": (["GET,POST /a"], ["POST /v1/a"], ["GET /a"], ["- /*"]),
    "a part of what is gone in two": (["GET /a", "POST /*"], ["GET,POST /v1/a"], ["GET /b"], ["GET /v1/b"]),
    "two that are gone in one": (["GET /a", "GET /a/**"], ["GET /v1/a/*"], ["GET /b"], ["GET /v1/b"]),
    "a method more than what is gone": (["GET /a"], ["GET,PUT /v1/a"], ["GET /b"], ["PUT /v1/a", "GET /v1/b"]),
    "more of another path than was allowed": (["GET /a"], ["* /v1/a"], ["GET /b"], ["* /v1/a", "GET /v1/b"]),
}


@pytest.mark.parametrize(("before", "here", "now", "allowed"), NARROWED.values(), ids=NARROWED)
def test_what_was_narrowed_here_is_not_wider_after_a_change_there(store, again, before, here, now, allowed):
    def offered(requests):
        written = [each.replace("*", "", 1) if each[0] == "*" else each for each in requests]
        offer = product("weather", *(tuple(each.split(" ")) for each in written), scopes=["a", "b"])
        return document(products=[offer], tied=["weather" if requests else "weather:revoked"])

    again(offered(before))
    store.update_client(KEY, lambda client: replace(client, allowed_requests=tuple(here)))
    again(offered(now))

    assert store.find_client(KEY).allowed_requests == tuple(allowed)


@pytest.mark.parametrize("remembered", ["", "GET", "/\n- ", "a1b2 c3d4"])
def test_what_is_remembered_may_be_anything_that_a_file_says(store, again, remembered):
    mine = {"allowed_requests": remembered, "secrets": remembered, "closed": remembered}
    store.update_client(KEY, lambda client: replace(client, imported=mine))

    again(paths("/new"))

    assert "GET /v1/new" in store.find_client(KEY).allowed_requests


def test_an_attribute_is_never_taken_for_another_value_that_is_remembered(store, again):
    store.update_client(KEY, lambda client: replace(client, attributes={"old": 1}, imported={"old": "a1b2"}))

    again(document())

    assert store.find_client(KEY).attributes["old"] == 1


def test_too_many_paths_of_both_are_refused(again, store):
    here = tuple(f"GET /{number}" for number in range(100))
    store.update_client(KEY, lambda client: replace(client, allowed_requests=here))

    with pytest.raises(ConfigError, match="with those that were added here it has 101 allowed_requests"):
        again(paths("/new"))


def test_a_client_that_was_disabled_here_stays_so_unless_it_is_reopened(store, again):
    admin.disable_client(store, KEY)
    again(document(status="revoked"))

    assert again(document()) == {}
    assert again(document(), reopen=[KEY]) == {"enabled": (False, True)}


def test_one_that_is_closed_there_is_not_reopened(store, again):
    admin.disable_client(store, KEY)

    with pytest.raises(ConfigError, match="--reopen .* would enable it"):
        again(document(status="revoked"), reopen=[KEY])


INCOMPLETE = {
    "a product": {"products": [product("another", ("GET", "/y"))], "tied": ["weather"]},
    "a developer": {"developers": [developer("dev-2")]},
    "its secret": {"secret": None},
}


@pytest.mark.parametrize("lost", INCOMPLETE.values(), ids=INCOMPLETE)
def test_a_client_of_which_something_is_not_in_the_files_stays_as_it_is(store, again, lost):
    before = store.find_client(KEY)

    assert again(document(**lost)) == {}
    assert store.find_client(KEY) == before


@pytest.mark.parametrize("lost", INCOMPLETE.values(), ids=INCOMPLETE)
def test_but_it_is_disabled_if_it_is_closed_there(store, again, lost):
    assert again(document(status="revoked", **lost)) == {"enabled": (True, False)}
    assert again(document(status="revoked")) == {}


@pytest.mark.parametrize("lost", INCOMPLETE.values(), ids=INCOMPLETE)
def test_one_that_was_not_complete_at_first_stays_disabled_unless_it_is_reopened(store, again, lost):
    again(document(key="second", **lost))
    again(document(key="second"))

    assert not store.find_client("second").enabled
    assert secret_works(store, SECRET, client_id="second")
    assert store.find_client("second").allowed_requests == ("GET /v1/x",)
    assert again(document(key="second"), reopen=["second"]) == {"enabled": (False, True)}


def test_one_that_was_enabled_here_despite_a_problem_is_disabled_once_it_is_closed_there(store, again):
    odd = [product("weather", ("GET", "/x"), ("GET", "/**/x"), scopes=["a", "b"])]
    again(document(products=odd))
    admin.enable_client(store, KEY)

    assert again(document(products=odd)) == {}
    assert again(document(products=odd, developers=[developer(status="inactive")])) == {"enabled": (True, False)}


def test_one_that_was_enabled_here_stays_so_until_something_changes_there(store, again):
    again(document(status="revoked"))
    admin.enable_client(store, KEY)

    assert again(document(status="revoked")) == {}
    assert store.find_client(KEY).enabled


def test_a_secret_that_was_revoked_here_stays_so_unless_it_is_reopened(store, again):
    admin.add_secret(store, KEY)
    admin.revoke_secret(store, KEY, "apigee", force=True)

    assert again(document()) == {}
    assert not secret_works(store, SECRET, client_id=KEY)
    again(document(), reopen=["apigee"])
    assert secret_works(store, SECRET, client_id=KEY)


def test_one_that_was_revoked_so_long_ago_that_it_is_forgotten_stays_so_too(store, again):
    admin.add_secret(store, KEY)
    admin.revoke_secret(store, KEY, "apigee", force=True)
    store.update_client(KEY, lambda client: replace(client, revoked_secrets=()))

    assert again(document()) == {}
    assert again(document(), reopen=["apigee"]) == {"secrets.apigee": (None, "present")}


def test_a_secret_that_was_rotated_here_keeps_its_end(store, again, clock):
    admin.rotate_secret(store, KEY, overlap=60, clock=clock)

    assert again(document()) == {}
    assert store.find_client(KEY).secrets[0].not_after == int(clock()) + 60


def test_a_client_that_was_made_by_hand_with_the_same_secret_is_taken_over(store, again):
    admin.add_client(store, "by hand", client_id="second", secret=SECRET, rate_limit="9/minute", scope="x")

    found = again(document(key="second"))

    assert found["name"] == ("by hand", "weather-app")
    client = store.find_client("second")
    assert (client.rate_limit, client.scopes, len(client.secrets)) == ("9/minute", ("a", "b"), 1)


@pytest.mark.parametrize("secret", ["Tz8wKq3Lm9Rb5Xv2", SECRET])
def test_one_that_does_not_have_the_secret_is_not_and_its_secret_is_not_brought_back(store, again, secret):
    made = admin.add_client(store, "by hand", client_id="second", secret=secret, scope="x").client
    admin.add_secret(store, "second")
    admin.revoke_secret(store, "second", made.secrets[0].secret_id)
    before = store.find_client("second")

    with pytest.raises(ConfigError, match="was not imported, and does not have this secret"):
        again(document(key="second"))

    assert store.find_client("second") == before


def test_what_an_import_remembers_survives_a_file_of_clients(store, again, apply):
    admin.update_client(store, KEY, name="my name")
    text = "".join(admin.export_clients(store))

    assert [each.differences for each in apply(text.replace("my name", "our name"))] == [
        [("name", "my name", "our name")]
    ]
    apply(f'[clients.{KEY}]\nname = "my name"\nscope = "a"\n')

    assert again(document()) == {}
