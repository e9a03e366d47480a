"""Regular expressions of routes are read as the texts that they match, or not at all."""

from __future__ import annotations

import re

import pytest

from oauth_mw.testing.expressions import Expression, Parameter, Unreadable, literal, read

READ = {
    "/reports/today": [["/reports/today"]],
    r"^/a\.b\-c$": [["/a.b-c"]],
    r"\A/(?P<id>\d+)\Z": [["/", Parameter(r"\d+")]],
    r"/(\w)([^/]+)": [["/", Parameter(r"\w[^/]+")]],
    r"/[^]/]": [["/", Parameter("[^]/]")]],
    r"/[\]a-z]{2,3}": [["/", Parameter(r"[\]a-z]{2,3}")]],
    r"/[^.]+\.json": [["/", Parameter("[^.]+", several=True), ".json"]],
    "/.": [["/", Parameter(".", several=True)]],
    "/a/?": [["/a/"], ["/a"]],
    "/(?:a|b/(?P<id>c|d))/e": [["/a/e"], ["/b/c/e"], ["/b/d/e"]],
    "^/a$|^/b$": [["/a"], ["/b"]],
    "/(?:ab)?": [["/ab"], ["/"]],
    "/(?:ab)+": [["/", Parameter("(?:ab)+")]],
    "/(?P<all>a/)*?": [["/", Parameter("(?:a/)*?", several=True)], ["/"]],
    "/a{3}{x}": [["/", Parameter("a{3}"), "{x}"]],
}


@pytest.mark.parametrize(("text", "alternatives"), READ.items(), ids=READ)
def test_an_expression_is_read(text, alternatives):
    re.compile(text)

    assert read([Expression(text)]) == [tuple(pieces) for pieces in alternatives]


UNREADABLE = {
    "/(?=a)": r"cannot be read at '\(\?=a\)'",
    "(?i)/a": "cannot be read at",
    r"/(a)\1": "cannot be read at",
    r"/a\b": "cannot be read at",
    r"/\x41": "cannot be read at",
    "/(?:a$)b": "an anchor stands within",
    "/(?:a$)+": "an anchor stands within",
    "/" + "(?:a|b)?" * 10: "more than 1000 alternatives",
}


@pytest.mark.parametrize(("text", "reason"), UNREADABLE.items(), ids=UNREADABLE)
def test_what_cannot_be_read_is_said(text, reason):
    re.compile(text)

    with pytest.raises(Unreadable, match=reason):
        read([Expression(text)])


ANY = Parameter(".*", several=True)


def test_expressions_follow_one_another():
    assert read([literal("/a."), Expression("[a-z]"), Expression(r"\d?")]) == [
        ("/a.", Parameter(r"[a-z]\d")),
        ("/a.", Parameter("[a-z]")),
    ]


@pytest.mark.parametrize(
    ("text", "alternatives"),
    [("a", [["a"], ["a", ANY], [ANY, "a"], [ANY, "a", ANY]]), ("^a", [["a"], ["a", ANY]]), ("^a$", [["a"]])],
)
def test_without_an_anchor_more_may_stand_around(text, alternatives):
    assert read([Expression(text, begins=False, ends=False)]) == [tuple(pieces) for pieces in alternatives]
