"""How rules and paths are written, and what the refusal of a faulty one says."""

from __future__ import annotations

from typing import Any

import pytest

from oauth_mw.errors import ConfigError
from oauth_mw.rules import parse_pattern, parse_rule

ANY_SCOPE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\,;')
RULES = {
    "GET,POST /reports/* a:b c": ({"GET", "HEAD", "POST"}, "/reports/*", ("a:b", "c"), False),
    "* /x -": (None, "/x", (), False),
    ("GET", "/my reports", "any of b a"): ({"GET", "HEAD"}, "/my reports", ("b", "a"), True),
    ("HEAD", "/", ANY_SCOPE): ({"HEAD"}, "/", (ANY_SCOPE,), False),
}


@pytest.mark.parametrize(("value", "parts"), RULES.items(), ids=map(str, RULES))
def test_a_rule_is_methods_path_and_scopes(value: object, parts: tuple[object, ...]) -> None:
    rule = parse_rule(value)

    assert (rule.methods, rule.pattern.text, rule.scopes, rule.any_of) == parts


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


@pytest.mark.parametrize("text", ["GET /x any of a b", "* /x/{id}/* a", "GET,M-SEARCH / -"])
def test_a_rule_is_shown_as_it_was_written(text: str) -> None:
    assert str(parse_rule(text)) == text


FAULTY_RULES = {
    "no scopes": ("GET /x", "SCOPES"),
    "scopes as a list": (("GET", "/x", ["a"]), "METHODS PATH SCOPES"),
    "method in small letters": ("get /x a", "did you mean GET?"),
    "space after the comma": ("GET, POST /x a", "joined by commas only"),
    "asterisk among methods": ("*,GET /x a", "not '*'"),
    "no method": (("", "/x", "a"), "expected * or methods"),
    "path and methods swapped": ("/x GET a", "expected * or methods"),
    "path without slash": ("GET x a", "begins with /"),
    "any of nothing": ("GET /x any of", "'any of' and scopes"),
    "any of twice": ("GET /x any of any of a", "'any of' and scopes"),
    "any of in capitals": ("GET /x ANY OF a", "'any of' and scopes"),
    "all of": ("GET /x all of: a b", "all needed"),
    "a dash among scopes": ("GET /x a -", "or - for any token"),
    "empty scopes": (("GET", "/x", " "), "expected scopes"),
    "scope beyond ASCII": ("GET /x é", "RFC 6749 §3.3"),
    "a comment behind": (
        "GET /x a # all",
        "the scope '#' looks like a comment: put it on a line of its own; did you mean 'a'?",
    ),
    "a comment behind a dash": ("GET /x - # all", "did you mean '-'?"),
    "a semicolon comment": ("GET /x any of a b ; all", "did you mean 'a b'?"),
    "scopes with commas": ("GET /x a, b,c", "looks like a list: separate scopes by spaces; did you mean 'a b c'?"),
    "scopes with a semicolon": ("GET /x a;b", "did you mean 'a b'?"),
    "a comma and a comment": ("GET /x a,b # c, d", "did you mean 'a b'?"),
    "two rules in one line": ("GET /x a POST /y b", "expected scopes"),
    "a rule for all methods behind a dash": ("GET /x - * /y b", "expected scopes"),
    "rules with a comma": ("GET /x a, GET /y b", "the scope 'a,' looks like a list: separate scopes by spaces"),
    "paths with commas": ("GET /x, /y a", "expected one path"),
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
    "no text": [b"/x"],
}


@pytest.mark.parametrize("texts", FAULTY_PATHS.values(), ids=FAULTY_PATHS.keys())
def test_a_path_that_could_never_match_as_meant_is_refused(texts: list[Any]) -> None:
    for text in texts:
        with pytest.raises(ConfigError) as caught:
            parse_pattern(text, "public_paths")

        assert caught.value.option == "public_paths"
        assert f"path {text!r}: " in str(caught.value)
