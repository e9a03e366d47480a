"""Rules that take the paths for one that CherryPy takes for one."""

from __future__ import annotations

import pytest

from oauth_mw.cherrypy import CherryPyRules
from oauth_mw.errors import ConfigError
from oauth_mw.rules import AMBIGUOUS, parse_pattern, parse_rule


def rules(*lines, public=()):
    patterns = [parse_pattern(path, "public_paths") for path in public]
    return CherryPyRules([parse_rule(line) for line in lines], patterns, {})


@pytest.mark.parametrize("method", ["post", "POST"])
def test_the_case_of_a_method_is_judged_as_always(method):
    made = rules("GET,POST /a-b admin", "* /a-b/* -")

    assert made.decide(method, "/a-b") == made.decide(method, "/a-b/")
    assert made.decide(method, "/a_b") is AMBIGUOUS


def test_rules_that_cherrypy_cannot_tell_apart_are_refused():
    with pytest.raises(ConfigError, match=r"required_scopes: 'GET /a_b y' can never match.*by 'GET /a-b x'"):
        rules("GET /a-b x", "GET /a_b y")


def test_a_public_path_that_cherrypy_cannot_tell_from_a_rule_is_refused():
    with pytest.raises(ConfigError, match="public_paths: '/a.b' can never match"):
        rules("GET /a-b x", public=["/a.b"])


def test_public_paths_may_have_several_spellings():
    made = rules("GET /x y", public=["/a-b", "/a_b"])

    assert made.decide("GET", "/a-b") == made.decide("GET", "/a_b") != made.decide("GET", "/a.b")


@pytest.mark.parametrize("path", ["/index", "/x/default", "/__x", "/x/-.y/*", "/{name}/index/*"])
def test_a_path_that_no_request_could_match_is_refused(path):
    for option, parts in ("required_scopes", ([f"GET {path} x"], [])), ("public_paths", (["GET /y x"], [path])):
        with pytest.raises(ConfigError, match="refuses all paths with a segment") as caught:
            rules(*parts[0], public=parts[1])
        assert caught.value.option == option
