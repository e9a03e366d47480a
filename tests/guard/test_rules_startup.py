"""What is refused at start-up, and what ``oauth-mw check`` shows of the rules."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from oauth_mw.errors import ConfigError
from oauth_mw.rules import PUBLIC, Row, Rules, parse_pattern, parse_rule

OWN = {"token_path": "/oauth/token", "revocation_path": "/oauth/revoke", "jwks_path": "/schlüssel"}


def make(rules: Sequence[str] = (), public: Sequence[str] = (), ambiguous_paths: str = "refuse") -> Rules:
    patterns = [parse_pattern(text, "public_paths") for text in public]
    return Rules([parse_rule(text) for text in rules], patterns, OWN, ambiguous_paths)


@pytest.mark.parametrize(
    ("rules", "public", "option", "own"),
    [
        (["POST /oauth/token a"], [], "required_scopes", "token_path"),
        ([], ["/oauth/revoke"], "public_paths", "revocation_path"),
        ([], ["/schlüssel"], "public_paths", "jwks_path"),
    ],
    ids=["rule", "public path", "beyond ASCII"],
)
def test_exactly_an_own_path_is_refused(rules: list[str], public: list[str], option: str, own: str) -> None:
    with pytest.raises(ConfigError, match=f"is exactly {own}") as caught:
        make(rules, public)

    assert caught.value.option == option


@pytest.mark.parametrize("path", ["/oauth/*", "/oauth/{}", "/oauth/token/", "/oauth/token/*", "/*"])
def test_what_is_wider_than_an_own_path_or_beside_it_is_taken(path: str) -> None:
    assert make([f"* {path} a"]) and make(public=[path])


DEAD_RULES = {
    "same again": ["GET /x a", "GET /x b"],
    "path itself under a tail": ["* /x/* a", "GET /x b"],
    "name under another name": ["GET /x/{a} a", "GET /x/{b} b"],
    "GET after HEAD and GET": ["HEAD /x a", "GET /x b", "GET /x c"],
    "each method by another": ["GET /x a", "POST /x/* b", "GET,POST /x c"],
    "a tail by its parts together": ["GET /x a", "GET /x/{} b", "GET /x/{}/{}/* c", "GET /x/* d"],
    "second rule for the rest": ["* /* a", "GET /* b"],
    "rest, when all is named": ["GET / a", "GET /{}/* b", "POST /* c"],
}


@pytest.mark.parametrize("rules", DEAD_RULES.values(), ids=DEAD_RULES.keys())
def test_a_rule_that_can_never_match_is_refused_with_those_before_it(rules: list[str]) -> None:
    with pytest.raises(ConfigError, match="can never match") as caught:
        make(rules)

    assert caught.value.option == "required_scopes"
    assert f"{rules[-1]!r} can never match" in str(caught.value)
    assert repr(rules[-2]) in str(caught.value)


LIVING_RULES = {
    "one of two methods is left": ["GET /x a", "GET,POST /x b"],
    "tail beyond names": ["* /x a", "* /x/{} b", "* /x/* c"],
    "the rest comes last wherever it stands": ["* /* a", "GET /x b"],
    "rest by method": ["GET /* a", "POST /* b", "* /* c"],
    "fresh segment like a literal": ["* /~ a", "* /~~ b", "* /{} c"],
}


@pytest.mark.parametrize("rules", LIVING_RULES.values(), ids=LIVING_RULES.keys())
def test_a_rule_to_which_one_request_is_left_is_taken(rules: list[str]) -> None:
    assert len([row for row in make(rules).table() if row.needs.startswith("all of")]) == len(rules)


def test_a_rule_for_the_rest_is_refused_when_all_else_is_public() -> None:
    with pytest.raises(ConfigError, match="required_scopes: .* can never match, all is taken before by '/\\*'"):
        make(["* /x a", "* /* b"], ["/*"])


CLOSED = {
    "path with a slash, read widely": (["GET /x a"], "/x/"),
    "below a tail": (["GET /x/* a"], "/x/y/*"),
    "together": (["GET /x a", "PUT /x/{}/* b"], "/x/*"),
    "everything": (["GET / a", "PUT /{} b", "PUT /{}/{}/* b"], "/*"),
}


@pytest.mark.parametrize(("rules", "path"), CLOSED.values(), ids=CLOSED.keys())
def test_a_public_path_that_rules_close_wholly_is_refused(rules: list[str], path: str) -> None:
    with pytest.raises(ConfigError, match="can never match") as caught:
        make(rules, [path])

    assert caught.value.option == "public_paths"
    assert all(repr(rule) in str(caught.value) for rule in rules)


LEFT_OPEN = {
    "beside the rules": (["* /x/y a", "* /x/z a"], "/x/{}", "/x/w"),
    "above the rule": (["* /x/{}/* a"], "/x/*", "/x/"),
    "under the rest": (["* /* a"], "/x", "/x"),
    "deeper than all rules": (["* /x a", "* /x/{} a", "* /x/{}/{} a"], "/x/*", "/x/1/2/3"),
}


@pytest.mark.parametrize(("rules", "path", "opened"), LEFT_OPEN.values(), ids=LEFT_OPEN.keys())
def test_a_public_path_of_which_something_is_left_is_taken(rules: list[str], path: str, opened: str) -> None:
    assert make(rules, [path]).decide("GET", opened) is PUBLIC


def test_one_public_path_within_another_is_no_mistake() -> None:
    paths = [row.path for row in make(public=["/docs/*", "/docs/a", "/docs/*"]).table()]

    assert paths == ["/docs/*", "/docs/a", "/docs/*", "/*"]


def test_the_table_shows_the_order_of_trying() -> None:
    rules = make(["* /* -", "GET,PUT /x/* a b", "GET /y any of a b", "* /z c"], ["/health"])

    assert rules.table() == [
        Row("GET,PUT", "/x/*", "all of: a b"),
        Row("GET", "/y", "any of: a b"),
        Row("*", "/z", "all of: c"),
        Row("*", "/x/*", "refused (no rule for the method)"),
        Row("*", "/y", "refused (no rule for the method)"),
        Row("*", "/health", "public"),
        Row("*", "/*", "any token"),
    ]


@pytest.mark.parametrize(
    ("rules", "public", "last"),
    [
        ([], [], "any token"),
        (["GET /* a"], [], "refused (no rule for the method)"),
        (["* /* a"], [], "all of: a"),
        (["GET /x a"], ["/*"], "public"),
    ],
    ids=["no rule", "one method", "all methods", "public"],
)
def test_the_last_row_takes_all_that_is_left(rules: list[str], public: list[str], last: str) -> None:
    row = make(rules, public).table()[-1]

    assert row == Row("*", "/*", last)


def test_a_pattern_that_covers_own_paths_is_warned_of() -> None:
    rules = make(["GET /oauth/* a", "GET /x a", "* /{} b"], ["/{}/revoke"])

    assert rules.warnings(OWN) == [
        "required_scopes: 'GET /oauth/* a' never reaches token_path /oauth/token, revocation_path /oauth/revoke:"
        " own paths are answered first",
        "required_scopes: '* /{} b' never reaches jwks_path /schlüssel: own paths are answered first",
        "public_paths: '/{}/revoke' never reaches revocation_path /oauth/revoke: own paths are answered first",
    ]


def test_ambiguous_paths_that_pass_beside_rules_are_warned_of() -> None:
    (warning,) = make(["GET /x a"], ambiguous_paths="pass").warnings(OWN)

    assert warning.startswith("ambiguous_paths: ") and "walked around" in warning


@pytest.mark.parametrize(
    ("rules", "ambiguous_paths"), [([], "pass"), (["GET /x a"], "refuse")], ids=["no rules", "refused"]
)
def test_nothing_else_is_warned_of(rules: list[str], ambiguous_paths: str) -> None:
    assert make(rules, ["/health"], ambiguous_paths).warnings(OWN) == []
