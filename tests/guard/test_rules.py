"""What a request needs: DESIGN §5, sentence by sentence."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from oauth_mw.rules import (
    AMBIGUOUS,
    ANY_TOKEN,
    NO_METHOD,
    PUBLIC,
    Access,
    Rules,
    is_ambiguous,
    parse_pattern,
    parse_rule,
)


def make(rules: Sequence[object] = (), public: Sequence[str] = (), ambiguous_paths: str = "refuse") -> Rules:
    patterns = [parse_pattern(text, "public_paths") for text in public]
    return Rules([parse_rule(text) for text in rules], patterns, {"token_path": "/oauth/token"}, ambiguous_paths)


def wire(path: str) -> str:
    return path.encode().decode("latin-1")


# By pattern: the paths that a scope rule names, and those that it does not.
NAMED = {
    "/x": (["/x", "/x/"], ["/X", "/xy", "/x/y", "/y/x", "/x "]),
    "/x/": (["/x/", "/x"], []),
    "/x/*": (["/x", "/x/", "/x/y", "/x/y/", "/x/y/z", "/x/*"], ["/xy", "/"]),
    "/users/{id}/orders": (["/users/7/orders", "/users/7/orders/"], []),
    "/x/{}": (["/x/y"], ["/x", "/x/", "/x/y/z"]),
    "/x/{}/*": (["/x/y", "/x/y/z"], ["/x", "/x/"]),
    "/{}": (["/y", "/日本"], []),
    "/{}/*": (["/y"], ["/"]),
    "/": (["/", ""], ["/x"]),
    "/a.b": (["/a.b"], ["/aXb"]),
    "/…": (["/…"], []),
    "/é": (["/é"], ["/e\u0301"]),
    "/é/*": (["/é/y"], []),
    "/50%": (["/50%"], []),
    "/a?b#c": (["/a?b#c"], []),
    "/.well-known/*": (["/.well-known/x"], []),
    "/x y": (["/x y"], []),
}


@pytest.mark.parametrize(("pattern", "paths", "others"), [(name, *paths) for name, paths in NAMED.items()])
def test_what_a_scope_rule_names(pattern: str, paths: list[str], others: list[str]) -> None:
    rules = make([("*", pattern, "read")])

    assert [path for path in paths if rules.decide("GET", wire(path)).scope != "read"] == []
    assert [path for path in others if rules.decide("GET", wire(path)) is not ANY_TOKEN] == []


PUBLIC_SPELLINGS = [
    ("/x", {"/x"}),
    ("/x/", {"/x/"}),
    ("/x/*", {"/x", "/x/", "/x/y", "/x/y/", "/x/y/z"}),
    ("/x/{}", {"/x/y"}),
    ("/x/{name}/", {"/x/y/"}),
    ("/{}/{}/z", {"/x/y/z"}),
    ("/", {"/", ""}),
    ("/*", {"", "/", "/x", "/x/", "/x/y", "/x/y/", "/x/y/z", "/xy", "/X"}),
]


@pytest.mark.parametrize(("pattern", "opened"), PUBLIC_SPELLINGS)
def test_a_public_path_opens_narrowly(pattern: str, opened: set[str]) -> None:
    rules = make(public=[pattern])

    paths = ["", "/", "/x", "/x/", "/x/y", "/x/y/", "/x/y/z", "/xy", "/X"]

    assert {path for path in paths if rules.decide("GET", path) is PUBLIC} == opened


def test_a_path_that_nothing_names_needs_a_token_of_any_scope() -> None:
    rules = make(["GET /reports read"], ["/health"])

    access = rules.decide("GET", "/forgotten")

    assert access is ANY_TOKEN
    assert (access.kind, access.scopes, access.named) == ("token", frozenset(), False)


def test_a_rule_with_a_dash_names_its_path_and_needs_any_token() -> None:
    access = make(["* /x -"]).decide("GET", "/x")

    assert access == Access("token", named=True)


@pytest.mark.parametrize(("scopes", "any_of"), [("b a", False), ("any of b a", True)])
def test_all_scopes_are_needed_or_any_of_them(scopes: str, any_of: bool) -> None:
    access = make([f"* /x {scopes}"]).decide("GET", "/x")

    assert access == Access("token", frozenset({"a", "b"}), any_of=any_of, scope="b a")


# Rules, public paths, and what requests need: a scope, or one of the decisions.
DECISIONS = {
    "the first rule that fits wins": (
        ["GET /r/* read", "* /r/* write"], [], {"GET /r/7": "read", "HEAD /r/7": "read", "PUT /r/7": "write"}
    ),
    "GET covers HEAD, but HEAD does not cover GET": (
        ["HEAD /x peek", "GET /x read"], [], {"HEAD /x": "peek", "GET /x": "read"}
    ),
    "a method that no rule names is refused": (["GET /x read"], ["/*"], {"DELETE /x": NO_METHOD}),
    "a later rule may name the method": (["GET /x/y read", "DELETE /x/* write"], [], {"DELETE /x/y": "write"}),
    "what a scope rule names is never public": (
        ["GET /d/in read"], ["/d/*"], {"GET /d/in": "read", "GET /d/in/": "read", "GET /d": PUBLIC, "GET /d/a": PUBLIC}
    ),
    "a public path comes before the rule for the rest": (
        ["* /* rest", "* /x read"], ["/health"],
        {"POST /health": PUBLIC, "POST /x": "read", **dict.fromkeys(["POST /", "POST ", "POST /health/"], "rest")},
    ),
    "the rule for the rest refuses other methods, but not on public paths": (
        ["GET /* read"], ["/health"], {"DELETE /y": NO_METHOD, "DELETE /health": PUBLIC}
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


def test_what_a_rule_names_is_named_whether_or_not_it_allows_the_method() -> None:
    assert make(["GET /x read"], ["/*"]).decide("DELETE", "/x").named
    assert all(make(["GET /* -"]).decide(method, path).named for method in ("GET", "PUT") for path in ("/", "/y"))


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
PLAIN_PATHS = [
    "",
    "/",
    "/public",
    "/public/",
    "/...",
    "/.hidden",
    "/a..",
    "/50%",
    "/%zz",
    "/%2",
    "/a:b@c=d",
    "/@a/b@@c",
]


@pytest.mark.parametrize("paths", AMBIGUOUS_PATHS.values(), ids=AMBIGUOUS_PATHS.keys())
def test_an_ambiguous_path_is_refused_when_there_are_rules_and_never_public(paths: list[str]) -> None:
    """P-01: an app may read it as another path than the rules do."""
    with_rules, without, passed = make(["* /x r"], ["/*"]), make(public=["/*"]), make(["* /x r"], ["/*"], "pass")
    wanted = [AMBIGUOUS, Access("token", named=True), Access("token", named=True)]

    for path in paths:
        assert [rules.decide("GET", path) for rules in (with_rules, without, passed)] == wanted, path


@pytest.mark.parametrize("path", [*PLAIN_PATHS, wire("/\x85\xff"), wire("/\ufffd \ufeff\U0010ffff")])
def test_a_path_that_is_not_ambiguous(path: str) -> None:
    assert not is_ambiguous(path)


def test_the_rule_for_the_rest_alone_makes_ambiguous_paths_refused() -> None:
    assert make(["* /* read"]).decide("GET", "/a//b") is AMBIGUOUS


def test_verdicts_are_shared_by_all_requests() -> None:
    rules = make(["* /x/* read"])

    assert rules.decide("GET", "/x/1") is rules.decide("PUT", "/x/2")


@pytest.mark.parametrize("path", ["/a" * 50_000, "/" + "a" * 100_000, "/a/" + "%" * 100_000], ids=["deep", "long", "%"])
def test_no_path_makes_matching_backtrack(path: str) -> None:
    """An expression that tried all ways to cut such a path would not come back."""
    rules = make([f"GET {'/{}' * depth}/end/* read" for depth in range(1, 40)])

    assert rules.decide("GET", path) is ANY_TOKEN
