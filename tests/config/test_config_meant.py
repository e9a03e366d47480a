"""A list that was written with commas is refused, with what was probably meant."""

from __future__ import annotations

import pytest

from helpers.support import SECRET, echo, issue, one_store
from helpers.wsgi_client import CheckedApp
from oauth_mw import AdminError, ConfigError, OAuthMiddleware, admin

MEANT = [
    ("public_paths", "/health, /static/*", "/health /static/*"),
    ("public_paths", "/health,/static/*", "/health /static/*"),
    ("public_paths", "/health ,/static/* ,", "/health /static/*"),
    ("public_paths", "/a,\n/b/,\n/c", "/a /b/ /c"),
    ("public_paths", ["/health,", "/static/*"], "/health /static/*"),
    ("public_paths", ["/health,/static/*"], "/health /static/*"),
    ("public_paths", ["/health /static/*"], "/health /static/*"),
    ("default_scope", "a, b", "a b"),
    ("default_scope", "a,b", "a b"),
    ("default_scope", ["a;b", "c"], "a b c"),
    ("grant_type_in", "body, query", "body query"),
    ("client_auth_methods", "client_secret_basic , client_secret_post", "client_secret_basic client_secret_post"),
    ("audience", "urn:a, urn:b", "urn:a urn:b"),
    ("audience", ["https://a.example,https://b.example"], "https://a.example https://b.example"),
    ("signing_key_files", "new.pem, old.pem", "new.pem old.pem"),
]


@pytest.mark.parametrize(("name", "value", "meant"), MEANT, ids=[f"{name}={value!r}" for name, value, _ in MEANT])
def test_a_list_with_commas_is_refused_with_what_was_meant(name, value, meant):
    with pytest.raises(ConfigError, match="did you mean") as refusal:
        OAuthMiddleware(echo, store="memory://", **{name: value})

    assert refusal.value.option == name
    assert str(refusal.value).endswith(f"did you mean {meant!r}?")


def test_a_comma_within_a_word_is_part_of_it():
    app = CheckedApp(OAuthMiddleware(echo, store="memory://", public_paths="/a,b", audience="https://a.example/x,y"))

    app.get("/a,b", status=200)


ODD = {
    "comma": ("a,b c", "a b c"),
    "comma and space": ("a, b", "a b"),
    "semicolon": ("a;b", "a b"),
    "comment": ("a # only reads", "a"),
    "comment at once": ("a #only", "a"),
    "comment with a semicolon": ("a b ; both", "a b"),
}


@one_store
@pytest.mark.parametrize(("scope", "meant"), ODD.values(), ids=ODD)
def test_an_odd_scope_is_refused_with_what_was_meant(store, scope, meant):
    with pytest.raises(AdminError, match="--allow-odd-scope") as refusal:
        admin.add_client(store, "", scope=scope)

    assert f"did you mean {meant!r}?" in str(refusal.value)
    assert list(store.clients()) == []


@one_store
@pytest.mark.parametrize("field", ["scope", "default_scope"])
def test_an_update_to_an_odd_scope_is_refused_and_nothing_changes(store, field):
    before = admin.add_client(store, "", client_id="tester", scope="a", secret=SECRET).client

    with pytest.raises(AdminError, match="--allow-odd-scope"):
        admin.update_client(store, "tester", **{field: "a,b"})

    assert store.find_client("tester").scopes == before.scopes


@one_store
@pytest.mark.parametrize("scope", ['a"b', "ä", "a\\b"])
def test_what_no_request_can_ask_for_is_never_let_through(store, scope):
    with pytest.raises(AdminError, match="RFC 6749"):
        admin.add_client(store, "", scope=scope, allow_odd_scope=True)


@one_store
def test_a_client_with_an_odd_scope_is_kept_when_asked_and_works(store):
    nine = " ".join(f"s{number}" for number in range(9))
    admin.add_client(store, "", client_id="tester", secret=SECRET, scope=f"{nine} a,b", allow_odd_scope=True)
    app = CheckedApp(OAuthMiddleware(echo, store=store))

    assert issue(app, scope="a,b s1")
    assert admin.update_client(store, "tester", name="x", lifetime=60).scopes[-1] == "a,b"
    changed = admin.update_client(store, "tester", scope="a,b #c", default_scope="#c", allow_odd_scope=True)
    assert (changed.scopes, changed.default_scope) == (("a,b", "#c"), ("#c",))


@one_store
@pytest.mark.parametrize("field", ["audiences", "default_audience"])
@pytest.mark.parametrize("text", ["https://a.example,https://b.example", "urn:a,", ",urn:a"])
def test_audiences_in_one_word_are_refused(store, field, text):
    with pytest.raises(AdminError, match="several audiences"):
        admin.add_client(store, "", **{field: [text]})
