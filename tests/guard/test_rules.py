"""What a request needs by the rules (DESIGN §5), what is refused at start-up, and what ``oauth-mw check`` shows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from helpers.wsgi_client import wire
from oauth_mw import rules as path_rules
from oauth_mw.errors import ConfigError
from oauth_mw.rules import AMBIGUOUS, ANY_TOKEN, NO_METHOD, PUBLIC, Access, Row, Rules

OWN = [("token_path", "/oauth/token"), ("revocation_path", "/oauth/revoke"), ("jwks_path", "/schlüssel")]


def make(rules: Sequence[object] = (), public: Sequence[str] = (), ambiguous_paths: str = "refuse") -> Rules:
    patterns = [path_rules.parse_pattern(text, "public_paths") for text in public]
    return Rules([path_rules.parse_rule(text) for text in rules], patterns, OWN, ambiguous_paths)


def refusal(rules: Sequence[object], public: Sequence[str] = ()) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        make(rules, public)
    return caught.value


# By pattern: the paths that a scope rule names, and those that it does not.
NAMED = {
    "/x": (["/x", "/x/"], ["/X", "/xy", "/x/y", "/y/x", "/x "]),
    "/x/{id}": (["/x/7", "/x/7/", "/x/"], ["/x", "/x/7/y"]),
    "/x/{id}/*": (["/x/7", "/x/7/y", "/x/"], ["/x"]),
    "/{id}": (["/7", "/", ""], ["/7/y"]),
    "/x/*": (["/x", "/x/", "/x/y", "/x/y/", "/x/y/z", "/x/*"], ["/xy", "/"]),
    "/users/{id}/orders": (["/users/7/orders", "/users/日本/orders/"], ["/users", "/users/7"]),
    "/": (["/", ""], ["/x"]),
    "/a.b": (["/a.b"], ["/aXb"]),
    "/é": (["/é"], ["/e\u0301"]),
    "/é/*": (["/é/y"], []),
    "/50%": (["/50%"], []),
    "/a?b#c": (["/a?b#c"], []),
    "/x y": (["/x y"], []),
}


@pytest.mark.parametrize(("pattern", "paths", "others"), [(name, *paths) for name, paths in NAMED.items()])
def test_what_a_scope_rule_names(pattern: str, paths: list[str], others: list[str]) -> None:
    rules = make([("*", pattern, "read")])

    assert [path for path in paths if rules.decide("GET", wire(path)).scope != "read"] == []
    assert [path for path in others if rules.decide("GET", wire(path)) is not ANY_TOKEN] == []


@pytest.mark.parametrize(
    ("scopes", "access"),
    [
        ("-", Access("token")),
        ("b a", Access("token", frozenset({"a", "b"}), scope="b a")),
        ("any of b a", Access("token", frozenset({"a", "b"}), any_of=True, scope="b a")),
    ],
)
def test_all_scopes_are_needed_or_any_of_them_or_none(scopes: str, access: Access) -> None:
    assert make([f"* /x {scopes}"]).decide("GET", "/x") == access


# Rules, public paths, and what requests need: a scope, or one of the decisions. (All of it: test_rules_properties.py.)
DECISIONS = {
    "the first rule that fits wins": (
        ["GET /r/* read", "* /r/* write"], [], {"GET /r/7": "read", "HEAD /r/7": "read", "PUT /r/7": "write"}
    ),
    "what a scope rule names is never public": (
        ["GET /d/in read"], ["/d/*"], {"GET /d/in": "read", "GET /d/in/": "read", "GET /d": PUBLIC, "GET /d/a": PUBLIC}
    ),
    "a public path comes before the rule for the rest": (
        ["* /* rest", "* /x read"], ["/health"],
        {"POST /health": PUBLIC, "POST /x": "read", **dict.fromkeys(["POST /", "POST ", "POST /health/"], "rest")},
    ),
    "an empty name needs what both rules need": (
        ["GET,PUT /x read", "* /y any of read admin", "* /z any of a b", "GET,POST /{}/{} admin", "* /* rest"],
        ["/v/*"],
        {
            **{"GET /x/": "read admin", "PUT /x/": "read", "POST /x/": NO_METHOD, "GET /x": "read"},
            **{"GET /y/": "admin", "GET /z/": "a b admin", "GET /v/": "admin", "PUT /v/": NO_METHOD, "PUT /v": PUBLIC},
        },
    ),
    "a path that is written with its slash is meant": (
        ["* /{}/{} admin", "GET /x/ read", "* /{}/ list"], ["/"],
        {"GET /x/": "read", "GET /y/": "list", "GET /": PUBLIC},
    ),
    "a method that an app may fold gets no weaker rule": (
        ["POST,GET /x admin", "* /x -"], [], dict.fromkeys(["post /x", "Post /x", "get /x"], NO_METHOD)
    ),
    "a method in small letters passes where its case makes no difference": (
        ["* /x read"], ["/health"], {"post /health": PUBLIC, "post /y": ANY_TOKEN, "post /x": "read"}
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "public", "needs"), DECISIONS.values(), ids=DECISIONS)
def test_what_a_request_needs(rules: list[str], public: list[str], needs: dict[str, Access | str]) -> None:
    made = make(rules, public)
    found = {request: made.decide(*request.split(" ")) for request in needs}

    assert {request: access if access.scope == "" else access.scope for request, access in found.items()} == needs


AMBIGUOUS_PATHS = {
    "empty segments": ["//public", "/public//a", "/public//", "//"],
    "dot segments": ["/public/./a", "/public/.", "/public/../admin", "/public/..", "/public/..;/admin"],
    "backslash": ["/public\\..\\admin"],
    "semicolon": ["/public;x"],
    "escapes": ["/public/%2e%2E/admin", "/public%2Fadmin", "/public/%252e"],
    "control characters": ["/public/\0", "/public\n", "/public/\t", "/\x1b", "/public/\x7f"],
    "bytes that are not UTF-8": ["/public\xff", "/public/\xe9", "/public/\xe2\x82", "/public/\x80x"],
    "overlong": ["/public\xc0\xaf", "/p\xc1\xb5blic"],
    "surrogates": ["/public/\xed\xa0\x80", "/public/\xed\xa0\xbd\xed\xb8\x80"],
    "beyond Unicode": ["/public/\xf4\x90\x80\x80"],
    "no byte at all": ["/public/\u20ac"],
    "a view of Pyramid's": ["/@@public", "/public/@@x/y"],
    "no leading slash": ["public", "*", "http://host/public"],
}
PLAIN_PATHS = ["", "/", "/public", "/public/", "/...", "/.hidden", "/a..", "/50%", "/%zz", "/%2", "/a:b@c=d"]
PLAIN_PATHS += ["/@a/b@@c", wire("/\x85\xff"), wire("/\ufffd \ufeff\U0010ffff")]


@pytest.mark.parametrize("paths", AMBIGUOUS_PATHS.values(), ids=AMBIGUOUS_PATHS.keys())
def test_an_ambiguous_path_is_refused_when_there_are_rules_and_never_public(paths: list[str]) -> None:
    """P-01: an app may read it as another path than the rules do."""
    for_rest = make(["* /* r"])
    with_rules, without, passed = make(["* /x r"], ["/*"]), make(public=["/*"]), make(["* /x r"], ["/*"], "pass")
    wanted = [AMBIGUOUS, AMBIGUOUS, Access("token", named=True), Access("token", named=True)]

    for path in paths:
        assert [rules.decide("GET", path) for rules in (with_rules, for_rest, without, passed)] == wanted, path


@pytest.mark.parametrize("path", PLAIN_PATHS)
def test_a_path_that_is_not_ambiguous(path: str) -> None:
    assert not path_rules.is_ambiguous(path)


@pytest.mark.parametrize("path", ["/a" * 50_000, "/" + "a" * 100_000, "/a/" + "%" * 100_000], ids=["deep", "long", "%"])
def test_no_path_makes_matching_backtrack(path: str) -> None:
    """An expression that tried all ways to cut such a path would not come back."""
    rules = make([f"GET {'/{}' * depth}/end/* read" for depth in range(1, 20)])

    assert rules.decide("GET", path) is ANY_TOKEN


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
    refused = refusal(rules, public)

    assert refused.option == option
    assert f"is exactly {own}" in str(refused)


@pytest.mark.parametrize("path", ["/oauth/*", "/oauth/{}", "/oauth/token/", "/oauth/token/*", "/*"])
def test_what_is_wider_than_an_own_path_or_beside_it_is_taken(path: str) -> None:
    assert make([f"* {path} a"]) and make(public=[path])


# The last one can never match because of those before it. Which ones can is a property, in test_rules_properties.py.
DEAD = {
    "path itself under a tail": (["* /x/* a", "GET /x b"], []),
    "each method by another": (["GET /x a", "POST /x/* b", "GET,POST /x c"], []),
    "a tail by its parts together": (["GET /x a", "GET /x/{} b", "GET /x/{}/{}/* c", "GET /x/* d"], []),
    "a public path with a slash, read widely": (["GET /x a"], ["/x/"]),
    "a public path by rules together": (["GET /x a", "PUT /x/{}/* b"], ["/x/*"]),
}


@pytest.mark.parametrize(("rules", "public"), DEAD.values(), ids=DEAD)
def test_what_can_never_match_is_refused_with_what_stands_before_it(rules: list[str], public: list[str]) -> None:
    refused, (*earlier, dead) = refusal(rules, public), [*rules, *public]

    assert refused.option == ("public_paths" if public else "required_scopes")
    assert str(refused).endswith(
        f"{dead!r} can never match, because these match first: {', '.join(map(repr, earlier))}"
    )


def test_a_rule_whose_segment_is_like_an_unused_one_is_taken() -> None:
    assert make(["* /~ a", "* /~~ b", "* /{} c"])


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


def test_the_table_shows_what_an_empty_name_needs() -> None:
    assert make(["GET /x a", "GET /x/{id} b", "* /y/ c", "* /y/{} d"], ["/z/"]).table()[-4:] == [
        Row("*", "/x/{id}", "refused (no rule for the method)"),
        Row("*", "/z/", "public"),
        Row("GET", "/x/", "all of: b (an empty {name})"),
        Row("*", "/*", "any token"),
    ]
