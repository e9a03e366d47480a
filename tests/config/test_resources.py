"""What scopes and audiences may be (RFC 6749 §3.3, RFC 8707 §2, RFC 3986 §4.3), and mistakes that are refused."""

from __future__ import annotations

import pytest

from helpers.support import SECRET, echo, issue
from helpers.wsgi_client import CheckedApp
from oauth_mw import AdminError, OAuthMiddleware, admin
from oauth_mw.resources import MAX_RESOURCE_LENGTH, is_resource

STORE_KINDS = ["memory"]

GOOD = """
https://api.example.com https://api.example.com/ https://api.example.com:8443/v1/?x=1/2? HTTPS://API http://[::1]:80/
https://user@host/ https://a.example/%7Ex!$&'()*+,;=:@ https://a//b/ https://localhost/a-b_c~d urn:example:billing
tag:a@b.c,2020:x custom:/path custom:/ file:///srv/x a+b.c-d:x
""".split()
LONGEST = "https://a/".ljust(MAX_RESOURCE_LENGTH, "x")


@pytest.mark.parametrize("text", [*GOOD, LONGEST])
def test_an_absolute_uri_is_a_resource(text):  # N-01
    assert is_resource(text)


BAD = {
    "relative": ["", "api", "/v1", "//host/x", "?x", "api.example.com/v1"],
    "with a fragment": ["https://a#", "https://a/#b", "urn:a#b"],
    "no host": ["https:", "https://", "https:///x", "https:x", "https:/x", "http://:80/", "https://?x", "https://@a"],
    "nothing named": ["urn:", "a:?b"],
    "no scheme": ["1a:b", "a_b:c", ":b", "-a:b", "ü:b"],
    "spaces": ["https://a b", *("https://a" + end for end in (" ", "\n", "/\tb", "/\u00a0", "/\u2028")), " urn:a"],
    "not ASCII": ["https://ü.example", "https://a/é", "https://a/\ud800", "https://a/\0", "https://\uff41"],
    "broken escapes": ["https://a/%", "https://a/%zz", "https://a/%4"],
    "other characters": [f"https://a/{each}" for each in '\\<>"^`{}|[]'],
    "broken authority": ["https://[::1", "https://a:80b/", "https://a@b@c/", "https://[x]/"],
    "too long": [LONGEST + "x", "a:" + "x" * 100_000],
}


@pytest.mark.parametrize("texts", BAD.values(), ids=BAD)
def test_anything_else_is_none(texts):  # N-02
    assert [text for text in texts if is_resource(text)] == []


ODD = {
    "comma": ("a,b c", "a b c"),
    "comma and space": ("a, b", "a b"),
    "semicolon": ("a;b", "a b"),
    "comment": ("a # only reads", "a"),
    "comment at once": ("a #only", "a"),
    "comment with a semicolon": ("a b ; both", "a b"),
}


@pytest.mark.parametrize(("scope", "meant"), ODD.values(), ids=ODD)
def test_an_odd_scope_of_a_client_is_refused_with_what_was_meant(store, scope, meant):
    with pytest.raises(AdminError, match="--allow-odd-scope") as refusal:
        admin.add_client(store, "", scope=scope)

    assert f"did you mean {meant!r}?" in str(refusal.value)
    assert list(store.clients()) == []


@pytest.mark.parametrize("scope", ['a"b', "ä", "a\\b"])
def test_a_scope_that_no_request_can_have_is_never_let_through(store, scope):
    with pytest.raises(AdminError, match="RFC 6749"):
        admin.add_client(store, "", scope=scope, allow_odd_scope=True)


def test_a_client_with_an_odd_scope_that_is_allowed_is_kept_and_works(store):
    nine = " ".join(f"s{number}" for number in range(9))
    admin.add_client(store, "", client_id="tester", secret=SECRET, scope=f"{nine} a,b", allow_odd_scope=True)
    app = CheckedApp(OAuthMiddleware(echo, store=store))

    assert issue(app, scope="a,b s1")
    assert admin.update_client(store, "tester", name="x", lifetime=60).scopes[-1] == "a,b"
    changed = admin.update_client(store, "tester", scope="a,b #c", default_scope="#c", allow_odd_scope=True)
    assert (changed.scopes, changed.default_scope) == (("a,b", "#c"), ("#c",))


@pytest.mark.parametrize("field", ["audiences", "default_audience"])
@pytest.mark.parametrize("text", ["https://a.example,https://b.example", "urn:a,", ",urn:a"])
def test_audiences_in_one_word_are_refused(store, field, text):
    with pytest.raises(AdminError, match="several audiences"):
        admin.add_client(store, "", **{field: [text]})
