"""The scope that is granted (RFC 6749 §3.3), and what a token may do with it."""

from __future__ import annotations

import pytest

from helpers.support import CC, SECRET, basic, bearer, issue, one_store
from helpers.wsgi_client import challenge_of
from oauth_mw import admin

pytestmark = one_store


@pytest.fixture
def ask(wrap, client):
    """The answer to a token request for ``scope``; ``None`` leaves it out."""

    def send(scope, *, client_id="tester", **options):
        form = CC if scope is None else {**CC, "scope": scope}
        app = wrap(**options)
        return app.post("/oauth/token", form, headers=basic(client_id, SECRET), expect_errors=True).json

    return send


each_policy = pytest.mark.parametrize("policy", ["strict", "narrow"])


INVALID = {
    "unknown": ["nope", "READ", "rea", "reads", "[read]"],
    "patterns": ["*", "read*"],
    "joined": ["read,write", "read+write", "%72ead"],
    "look-alikes": ["reаd", "ｒead", "read\u200b"],
    "control characters": ["read\twrite", "read\nwrite", "read\rwrite", "read\x0cwrite", "read\x1fwrite", "read\t"],
    "other white space": [f"read{space}write" for space in "\u00a0\u0085\u2028\u3000"],
    "characters that no scope has": ['"read"', "read\\write", "read\x7f", "lösen"],
    "only spaces": ["   ", " " * 60_000],
    "long": ["x" * 60_000],
}


@pytest.mark.parametrize("scopes", INVALID.values(), ids=INVALID)
@each_policy
def test_what_is_no_scope_of_the_client_is_invalid(ask, scopes, policy):  # S-03, S-06
    assert {ask(scope, scope_policy=policy)["error"] for scope in scopes} == {"invalid_scope"}


@pytest.mark.parametrize(
    ("scope", "granted"), [("read nope", "read"), ("nope read", "read"), ("nope write read", "write read")]
)
def test_known_plus_unknown_is_invalid_or_narrowed(ask, scope, granted):  # S-04
    assert ask(scope)["error"] == "invalid_scope"
    assert ask(scope, scope_policy="narrow")["scope"] == granted


DEFAULTS = {
    "none": (None, None, "read write"),
    "own": ("write", None, "write"),
    "own first": ("write", "read", "write"),
    "option": (None, "read", "read"),
    "option cut": (None, "read other", "read"),
    "option's order": (None, "write read", "write read"),
    "nothing left": (None, "other", None),
    "own none": ("", "read", None),
    "option none": (None, "", None),
}


@pytest.mark.parametrize(("own", "option", "granted"), DEFAULTS.values(), ids=DEFAULTS)
def test_the_default_scope_is_the_clients_then_the_options_then_all(ask, store, own, option, granted):  # S-05
    admin.update_client(store, "tester", default_scope=own)

    for scope in (None, ""):
        answer = ask(scope, default_scope=option)
        assert "access_token" in answer and answer.get("scope") == granted
    assert ask("read", default_scope=option)["scope"] == "read"


def test_a_client_that_may_have_no_scope_gets_a_token_without(wrap, store, ask):  # S-05
    admin.add_client(store, "none", client_id="none", secret=SECRET)
    assert "scope" not in ask(None, client_id="none")
    assert ask("read", client_id="none")["error"] == "invalid_scope"

    app = wrap()
    assert app.get("/any", headers=bearer(issue(app, "none"))).text == "MARKER none "


@pytest.mark.parametrize(
    ("scope", "granted"),
    [("write", "write"), ("write read", "write read"), ("  read  ", "read"), ("read   write", "read write")]
    + [("read read write read", "read write"), ("read " * 10_000, "read")],
    ids=lambda text: text[:20],
)
@each_policy
def test_a_requested_scope_is_granted_once_whatever_the_spaces(ask, policy, scope, granted):  # S-01, S-07, S-08, S-09
    assert ask(scope, scope_policy=policy)["scope"] == granted


def test_scopes_are_per_client(ask, store):  # S-10
    admin.add_client(store, "two", scope="read other", client_id="two", secret=SECRET)

    assert ask("write", client_id="two")["error"] == "invalid_scope"
    assert ask("other")["error"] == "invalid_scope"
    assert ask("other", client_id="two")["scope"] == "other"


def test_a_change_of_scope_counts_from_the_next_token_on(wrap, store, client):
    app = wrap(required_scopes=[("*", "/w", "write")])
    token = issue(app)

    admin.update_client(store, "tester", scope="read")

    app.get("/w", headers=bearer(token), status=200)
    app.get("/w", headers=bearer(issue(app)), status=403)


RULES = [("GET", "/all", "read write"), ("GET", "/any", "any of write admin"), ("GET", "/one", "write")]


@pytest.mark.parametrize(
    ("path", "little", "needed", "enough"),
    [("/all", "read", "read write", "write read"), ("/any", "read", "write admin", "write")]
    + [("/one", "read", "write", "read write")],
)
def test_too_little_scope_is_forbidden_and_the_needed_scope_named(wrap, client, path, little, needed, enough):  # S-11
    app = wrap(required_scopes=RULES)
    answer = app.get(path, headers=bearer(issue(app, scope=little)), status=403)

    challenge = challenge_of(answer)
    assert challenge.scheme == "Bearer"
    assert (challenge.parameters["error"], challenge.parameters["scope"]) == ("insufficient_scope", needed)
    assert answer.json["error"] == "insufficient_scope"
    assert "MARKER" not in answer.text
    app.get(path, headers=bearer(issue(app, scope=enough)), status=200)


def test_scopes_are_compared_whole_at_the_guard_for_every_request(wrap, store, client):  # S-11, S-03, B-22
    scopes = "rea write.read read-only READ write"
    admin.add_client(store, "near", scope=scopes, client_id="near", secret=SECRET)
    app = wrap(required_scopes=[("GET", "/x", "read")])
    tokens = [issue(app, "near"), issue(app, scope="read"), issue(app, scope="write")]

    statuses = [app.get("/x", headers=bearer(token), expect_errors=True).status_int for token in tokens * 3]
    assert statuses == [403, 200, 403] * 3
