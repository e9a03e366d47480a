"""The scope that is granted (RFC 6749 §3.3), and what a token may do with it."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from helpers.support import SECRET, basic, bearer, issue, one_store
from helpers.wsgi_client import challenge_of
from oauth_mw import ConfigError, admin

pytestmark = one_store

CC = {"grant_type": "client_credentials"}


@pytest.fixture
def ask(wrap, client):
    """The answer to a token request for ``scope``; ``None`` leaves it out."""

    def send(scope, *, client_id="tester", **options):
        form = CC if scope is None else {**CC, "scope": scope}
        app = wrap(**options)
        return app.post("/oauth/token", form, headers=basic(client_id, SECRET), expect_errors=True).json

    return send


@pytest.mark.parametrize(
    ("asked", "granted"), [("read", "read"), ("write", "write"), ("read write", None), ("write read", None)]
)
def test_an_asked_subset_is_granted(ask, asked, granted):  # S-01
    assert set(ask(asked)["scope"].split(" ")) == set((granted or asked).split(" "))


UNKNOWN = {
    "unknown": "nope",
    "capitals": "READ",
    "prefix": "rea",
    "suffix": "reads",
    "wildcard": "*",
    "pattern": "read*",
    "comma": "read,write",
    "plus": "read+write",
    "decoded twice": "%72ead",
    "Cyrillic": "reаd",
    "full width": "ｒead",
    "zero width": "read\u200b",
    "brackets": "[read]",
}


@pytest.mark.parametrize("scope", UNKNOWN.values(), ids=UNKNOWN)
@pytest.mark.parametrize("policy", ["strict", "narrow"])
def test_an_unknown_scope_is_invalid(ask, scope, policy):  # S-03
    assert ask(scope, scope_policy=policy)["error"] == "invalid_scope"


@pytest.mark.parametrize("scope", ["read nope", "nope read", "read write nope"])
def test_known_plus_unknown_is_invalid(ask, scope):  # S-04
    assert ask(scope)["error"] == "invalid_scope"


@pytest.mark.parametrize(("scope", "granted"), [("read nope", "read"), ("nope write read", "write read")])
def test_narrow_grants_the_intersection_and_says_so(ask, scope, granted):  # S-04
    assert ask(scope, scope_policy="narrow")["scope"] == granted


@pytest.mark.parametrize("scope", [None, ""], ids=["left out", "empty"])
def test_without_scope_a_client_gets_all_it_may_have(ask, scope):  # S-05
    assert ask(scope)["scope"] == "read write"


@pytest.mark.parametrize("scope", [None, ""], ids=["left out", "empty"])
@pytest.mark.parametrize(
    ("own", "option", "granted"),
    [
        ("write", None, "write"),
        ("write", "read", "write"),
        (None, "read", "read"),
        (None, "read other", "read"),
        (None, "write read", "write read"),
        (None, "other", None),
        ("", "read", None),
        (None, "", None),
    ],
    ids=["own", "own first", "option", "option cut", "option's order", "nothing left", "own none", "option none"],
)
def test_the_default_scope_is_the_clients_then_the_options(ask, store, scope, own, option, granted):  # S-05
    admin.update_client(store, "tester", default_scope=own)

    answer = ask(scope, default_scope=option)
    assert "access_token" in answer
    assert answer.get("scope") == granted


def test_a_default_never_widens_what_was_asked(ask, store):  # S-05
    admin.update_client(store, "tester", default_scope="write")

    assert ask("read", default_scope="write")["scope"] == "read"


def test_a_client_that_may_have_no_scope_gets_a_token_without(wrap, store, ask):  # S-05
    admin.add_client(store, "none", client_id="none", secret=SECRET)
    assert "scope" not in ask(None, client_id="none")
    assert ask("read", client_id="none")["error"] == "invalid_scope"

    app = wrap()
    assert app.get("/any", headers=bearer(issue(app, "none"))).text == "MARKER none "


ILL_FORMED = {
    "tab": "read\twrite",
    "line feed": "read\nwrite",
    "carriage return": "read\rwrite",
    "form feed": "read\x0cwrite",
    "unit separator": "read\x1fwrite",
    "no-break space": "read\u00a0write",
    "next line": "read\u0085write",
    "line separator": "read\u2028write",
    "ideographic space": "read\u3000write",
    "tab at the end": "read\t",
    "quotes": '"read"',
    "backslash": "read\\write",
    "DEL": "read\x7f",
    "umlaut": "lösen",
    "only spaces": "   ",
}


@pytest.mark.parametrize("scope", ILL_FORMED.values(), ids=ILL_FORMED)
@pytest.mark.parametrize("policy", ["strict", "narrow"])
def test_only_a_space_separates_and_characters_are_few(ask, scope, policy):  # S-06
    assert ask(scope, scope_policy=policy)["error"] == "invalid_scope"


@pytest.mark.parametrize("scope", [" read", "read ", "  read  "])
def test_more_spaces_are_one(ask, scope):  # S-07
    assert ask(scope)["scope"] == "read"


def test_more_spaces_between_are_one(ask):  # S-07
    assert ask("read   write")["scope"] == "read write"


@pytest.mark.parametrize("policy", ["strict", "narrow"])
def test_a_scope_named_twice_is_granted_once(ask, policy):  # S-08
    assert ask("read read write read", scope_policy=policy)["scope"] == "read write"


@pytest.mark.parametrize(
    "scope",
    ["x" * 100_000, "x" * 60_000, "read " * 20_000, "read " * 10_000, " " * 60_000],
    ids=["100 kB", "60 kB", "20000 repeats", "10000 repeats", "60000 spaces"],
)
def test_a_very_long_scope_is_judged_quickly(ask, scope):  # S-09
    started = time.monotonic()
    answer = ask(scope)

    assert answer.get("scope", "read") == "read"
    assert "xxx" not in str(answer)
    assert time.monotonic() - started < 2


class Counted(str):
    """A scope that counts how often one is compared with another."""

    __slots__ = ()
    comparisons = 0
    __hash__ = str.__hash__

    def __eq__(self, other):
        Counted.comparisons += 1
        return str.__eq__(self, other)


MANY = [f"s{number}" for number in range(9000)]


@pytest.mark.parametrize(
    ("asked", "options"),
    [(MANY, {}), (MANY, {"scope_policy": "narrow"}), (None, {"default_scope": MANY})],
    ids=["strict", "narrow", "default"],
)
def test_each_scope_is_looked_up_once_however_many_a_client_has(ask, store, asked, options):  # S-09
    admin.add_client(store, "many", client_id="many", secret=SECRET)
    store.update_client("many", lambda client: replace(client, scopes=tuple(map(Counted, MANY))))
    Counted.comparisons = 0

    answer = ask(asked and " ".join(asked), client_id="many", **options)

    assert answer["scope"].split() == MANY
    assert Counted.comparisons < 10 * len(MANY)


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
    ("path", "asked", "needed"),
    [("/all", "read", "read write"), ("/any", "read", "write admin"), ("/one", "read", "write")],
)
def test_too_little_scope_is_forbidden_and_the_needed_scope_named(wrap, client, path, asked, needed):  # S-11
    app = wrap(required_scopes=RULES)
    answer = app.get(path, headers=bearer(issue(app, scope=asked)), status=403)

    challenge = challenge_of(answer)
    assert challenge.scheme == "Bearer"
    assert (challenge.parameters["error"], challenge.parameters["scope"]) == ("insufficient_scope", needed)
    assert answer.json["error"] == "insufficient_scope"
    assert "MARKER" not in answer.text


@pytest.mark.parametrize(("path", "asked"), [("/all", "write read"), ("/any", "write"), ("/one", "read write")])
def test_enough_scope_passes(wrap, client, path, asked):  # S-11
    app = wrap(required_scopes=RULES)

    app.get(path, headers=bearer(issue(app, scope=asked)), status=200)


@pytest.mark.parametrize("scope", ["rea", "write.read", "read-only", "READ"])
def test_scopes_are_compared_whole_at_the_guard(wrap, store, scope):  # S-11, S-03
    admin.add_client(store, "near", scope=scope, client_id="near", secret=SECRET)
    app = wrap(required_scopes=[("GET", "/x", "read")])

    app.get("/x", headers=bearer(issue(app, "near")), status=403)


def test_scope_is_checked_for_every_request(wrap, client):  # B-22
    app = wrap(required_scopes=RULES)
    token = issue(app, scope="read")

    statuses = [app.get(path, headers=bearer(token), expect_errors=True).status_int for path in ("/x", "/one") * 3]
    assert statuses == [200, 403] * 3


@pytest.mark.parametrize("scope", ["a\tb", "ä", 'a"b', "a\\b"])
def test_such_a_scope_is_not_configured(scope, wrap):
    with pytest.raises(ConfigError, match="default_scope"):
        wrap(default_scope=[scope])
