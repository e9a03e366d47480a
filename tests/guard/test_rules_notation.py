"""How rules and paths are written, and what the refusal of a faulty one says."""

from __future__ import annotations

import pytest

from oauth_mw.errors import ConfigError
from oauth_mw.rules import parse_pattern, parse_rule


def test_a_rule_is_methods_path_and_scopes() -> None:
    rule = parse_rule("GET,POST /reports/* reports:read reports:list")

    assert rule.methods == frozenset({"GET", "HEAD", "POST"})
    assert rule.pattern == parse_pattern("/reports/*", "required_scopes")
    assert (rule.scopes, rule.any_of) == (("reports:read", "reports:list"), False)


SAME = {
    "wide gaps": "  GET   /x \t any of  b   a  ",
    "line end": "GET /x any of b a\r\n",
    "tuple": ("GET", "/x", "any of b a"),
    "list": ["GET", "/x", "any of b a"],
    "scope twice": "GET /x any of b a b",
    "HEAD beside GET": "HEAD,GET /x any of b a",
}


@pytest.mark.parametrize("value", SAME.values(), ids=SAME.keys())
def test_the_same_rule_in_other_forms(value: object) -> None:
    assert parse_rule(value) == parse_rule("GET /x any of b a")


def test_an_asterisk_stands_for_every_method_and_a_dash_for_no_scope() -> None:
    rule = parse_rule("* /x -")

    assert (rule.methods, rule.scopes, rule.any_of) == (None, (), False)


def test_a_path_with_a_space_is_written_in_a_tuple() -> None:
    assert parse_rule(("GET", "/my reports", "-")).pattern.text == "/my reports"


@pytest.mark.parametrize("text", ["GET /x any of a b", "* /x/{id}/* a", "GET,M-SEARCH / -"])
def test_a_rule_is_shown_as_it_was_written(text: str) -> None:
    assert str(parse_rule(text)) == text


FAULTY_RULES = {
    "no scopes": ("GET /x", "SCOPES"),
    "empty": ("", "METHODS PATH SCOPES"),
    "number": (7, "METHODS PATH SCOPES"),
    "none": (None, "METHODS PATH SCOPES"),
    "four parts": (("GET", "/x", "a", "b"), "METHODS PATH SCOPES"),
    "scopes as a list": (("GET", "/x", ["a"]), "METHODS PATH SCOPES"),
    "method in small letters": ("get /x a", "did you mean GET?"),
    "mixed method": ("GET,Post /x a", "did you mean POST?"),
    "space after the comma": ("GET, POST /x a", "joined by commas only"),
    "comma at the end": (("GET,", "/x", "a"), "joined by commas only"),
    "asterisk among methods": ("*,GET /x a", "not '*'"),
    "no method": (("", "/x", "a"), "expected * or methods"),
    "path and methods swapped": ("/x GET a", "expected * or methods"),
    "path without slash": ("GET x a", "begins with /"),
    "asterisk in a segment": ("GET /x* a", "only as the last segment"),
    "any of nothing": ("GET /x any of", "'any of' and scopes"),
    "any of a dash": ("GET /x any of -", "'any of' and scopes"),
    "any of twice": ("GET /x any of any of a", "'any of' and scopes"),
    "any of in capitals": ("GET /x ANY OF a", "'any of' and scopes"),
    "all of": ("GET /x all of: a b", "all needed"),
    "a dash among scopes": ("GET /x a -", "or - for any token"),
    "empty scopes": (("GET", "/x", " "), "expected scopes"),
    "quoted scope": ('GET /x "a"', "RFC 6749 §3.3"),
    "backslash in a scope": ("GET /x a\\b", "RFC 6749 §3.3"),
    "scope beyond ASCII": ("GET /x é", "RFC 6749 §3.3"),
    "a comment behind": (
        "GET /x a # all",
        "the scope '#' looks like a comment: put it on a line of its own; did you mean 'a'?",
    ),
    "a comment at once": ("GET /x a #all", "did you mean 'a'?"),
    "a comment behind a dash": ("GET /x - # all", "did you mean '-'?"),
    "a semicolon comment": ("GET /x any of a b ; all", "did you mean 'a b'?"),
    "a comment for scopes": ("GET /x # all", "looks like a comment"),
    "scopes with commas": ("GET /x a, b,c", "looks like a list: separate scopes by spaces; did you mean 'a b c'?"),
    "scopes with a semicolon": ("GET /x a;b", "did you mean 'a b'?"),
    "a comma and a comment": ("GET /x a,b # c, d", "did you mean 'a b'?"),
    "rules with a comma": ("GET /x a, GET /y b", "the scope 'a,' looks like a list: separate scopes by spaces"),
    "paths with commas": ("GET /x, /y a", "expected one path"),
    "paths with a comma in one": ("GET /x,/y a", "expected one path"),
    "paths with a space": (("GET", "/x /y", "a"), "expected one path"),
    "two rules in one string": ("GET /x a\nGET /y b", "RFC 6749 §3.3"),
    "lone surrogate": (("GET", "/\udc80", "a"), "surrogates"),
}


@pytest.mark.parametrize(("value", "expected"), FAULTY_RULES.values(), ids=FAULTY_RULES.keys())
def test_a_faulty_rule_is_named_with_what_was_expected(value: object, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_rule(value)

    assert caught.value.option == "required_scopes"
    assert f"rule {value!r}: " in str(caught.value)
    assert expected in str(caught.value)


def test_a_scope_may_hold_every_character_of_rfc_6749_but_those_that_separate() -> None:
    scope = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\,;')

    assert parse_rule(("GET", "/x", scope)).scopes == (scope,)


FAULTY_PATHS = {
    "no leading slash": ["", "x/*", "*", "https://host/x"],
    "empty segments": ["/x//y", "//", "/x//*"],
    "dot segments": ["/x/./y", "/x/.."],
    "backslash, semicolon, escape": ["/x\\y", "/x;y", "/x%20y"],
    "control characters": ["/x\x07", "/\x7f", "/x\n"],
    "spaces around": [" /x", "/x "],
    "asterisks": ["/*/x", "/x*", "/x/**", "/x/*/"],
    "braces": ["/{id", "/id}", "/v{n}", "/{name}.json", "/{a}{b}"],
    "other frameworks": ["/{path:path}", "/<int:id>"],
    "lone surrogate": ["/\ud800"],
}


@pytest.mark.parametrize("texts", FAULTY_PATHS.values(), ids=FAULTY_PATHS.keys())
def test_a_path_that_could_never_match_as_meant_is_refused(texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(ConfigError) as caught:
            parse_pattern(text, "public_paths")

        assert caught.value.option == "public_paths"
        assert f"path {text!r}: " in str(caught.value)


def test_a_path_that_is_not_text_is_refused() -> None:
    with pytest.raises(ConfigError, match="begins with /"):
        parse_pattern(b"/x", "public_paths")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["/", "/*", "/x", "/x/", "/x/*", "/{}/{a_b-c}", "/a?b#c", "/50%", "/日本/*", "/a<b>", "/:id", "/a,b/#c d"]
)
def test_a_path_keeps_its_text(text: str) -> None:
    assert parse_pattern(text, "public_paths").text == text
