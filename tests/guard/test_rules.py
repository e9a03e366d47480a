"""What a request needs: DESIGN §5, sentence by sentence."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from oauth_mw.ambiguity import is_ambiguous
from oauth_mw.rules import AMBIGUOUS, ANY_TOKEN, NO_METHOD, PUBLIC, Access, Rules, parse_pattern, parse_rule


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


def test_the_first_rule_that_fits_wins() -> None:
    rules = make(["GET /reports/* read", "* /reports/* write"])

    assert [rules.decide(method, "/reports/7").scope for method in ("GET", "HEAD", "PUT")] == ["read", "read", "write"]


def test_get_covers_head_but_head_does_not_cover_get() -> None:
    rules = make(["HEAD /x peek", "GET /x read"])

    assert (rules.decide("HEAD", "/x").scope, rules.decide("GET", "/x").scope) == ("peek", "read")


def test_a_method_that_no_rule_names_is_refused() -> None:
    access = make(["GET /x read"], ["/*"]).decide("DELETE", "/x")

    assert access is NO_METHOD
    assert access.named


def test_a_later_rule_may_name_the_method() -> None:
    rules = make(["GET /x/y read", "DELETE /x/* write"])

    assert rules.decide("DELETE", "/x/y").scope == "write"


def test_what_a_scope_rule_names_is_never_public() -> None:
    rules = make(["GET /docs/internal read"], ["/docs/*"])

    verdicts = [rules.decide("GET", path) for path in ("/docs/internal", "/docs/internal/", "/docs", "/docs/a")]

    assert [verdict.scope for verdict in verdicts[:2]] == ["read", "read"]
    assert verdicts[2:] == [PUBLIC, PUBLIC]


def test_a_public_path_comes_before_the_rule_for_the_rest_wherever_it_stands() -> None:
    rules = make(["* /* rest", "* /x read"], ["/health"])

    assert rules.decide("POST", "/health") is PUBLIC
    assert [rules.decide("POST", path).scope for path in ("/x", "/", "", "/health/", "/y/z")] == ["read", *["rest"] * 4]


def test_the_rule_for_the_rest_refuses_other_methods_but_not_on_public_paths() -> None:
    rules = make(["GET /* read"], ["/health"])

    assert rules.decide("DELETE", "/y") is NO_METHOD
    assert rules.decide("DELETE", "/health") is PUBLIC


def test_the_rule_for_the_rest_names_every_path() -> None:
    rules = make(["GET /* -"])

    assert all(rules.decide(method, path).named for method in ("GET", "PUT") for path in ("/", "/y"))


@pytest.mark.parametrize("method", ["post", "Post", "get"])
def test_a_method_that_an_app_may_fold_gets_no_weaker_rule(method: str) -> None:
    rules = make(["POST,GET /x admin", "* /x -"])

    assert rules.decide(method, "/x") is NO_METHOD


def test_a_method_in_small_letters_passes_where_its_case_makes_no_difference() -> None:
    rules = make(["* /x read"], ["/health"])

    assert [rules.decide("post", path) for path in ("/health", "/y")] == [PUBLIC, ANY_TOKEN]
    assert rules.decide("post", "/x").scope == "read"


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
