"""What real frameworks make of a path after the guard has judged it."""

from __future__ import annotations

import pytest
from frameworks import FRAMEWORKS, METHODS, mounted
from support import issue, one_store
from wsgi_client import call, make_environ

pytestmark = one_store

RULES = [("GET", "/reports/*", "read"), ("*", "/reports/*", "admin"), ("*", "/files/private/*", "admin")]
PUBLIC = ["/items/{id}", "/files/*"]

each_framework = pytest.mark.parametrize("framework", FRAMEWORKS.values(), ids=FRAMEWORKS)
each_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture
def app(wrap, client, framework):
    """The framework's app with rules and public paths."""
    return wrap(framework(), required_scopes=RULES, public_paths=PUBLIC)


def send(app, path, method="GET", **keys):
    return call(app, make_environ(method, path, **keys))


def viewed(answer):
    """The view that answered, if any did."""
    return answer.body.decode().split()[1] if answer.body.startswith(b"VIEW") else None


@each_framework
@pytest.mark.parametrize(
    ("path", "view"),
    [("/items/x", "item"), ("/items/\xc3\xbc", "item"), ("/items/\xef\xbf\xbd", "item"), ("/files/a/b", "file")],
    ids=["ASCII", "UTF-8", "U+FFFD", "below"],
)
def test_a_public_path_is_open(app, path, view):  # P-04
    assert viewed(send(app.app, path)) == view


# Bytes that frameworks drop, replace or decode in some way of their own, in places where that opens something.
BAD = {
    "a byte": "\xff",
    "a continuation": "\x80",
    "latin-1": "\xe9",
    "cut": "\xe2\x82",
    "overlong": "\xc0\xaf",
    "surrogate": "\xed\xa0\x80",
    "pair of surrogates": "\xed\xa0\xbd\xed\xb8\x80",
    "beyond Unicode": "\xf4\x90\x80\x80",
}
PLACES = [
    "/reports{}",
    "/rep{}orts",
    "/{}reports",
    "/items/{}",
    "/items/a{}",
    "/files/priv{}ate/x",
    "/files/{}private/x",
]


@each_framework
@each_method
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_bytes_that_are_not_utf8_reach_no_view(app, method, bad):  # P-07
    for keys in ({}, {"HTTP_AUTHORIZATION": f"Bearer {issue(app, scope='read')}"}):
        for place in PLACES:
            answer = send(app.app, place.format(bad), method, **keys)
            assert (answer.status, viewed(answer)) == (400, None), place


@each_framework
def test_bytes_that_are_not_utf8_are_never_public(wrap, client, framework):  # P-07
    app = wrap(framework(), public_paths=["/*"])

    assert [send(app.app, place.format("\xff")).status for place in PLACES] == [401] * len(PLACES)


@each_framework
def test_bytes_that_are_not_utf8_are_not_left_to_the_app(wrap, client, framework):  # P-07
    app = wrap(framework(), delay_auth_decision=True, required_scopes=RULES)

    assert [send(app.app, place.format("\xff")).status for place in PLACES] == [400] * len(PLACES)


@each_framework
def test_bytes_that_are_not_utf8_are_refused_below_a_mount(app):  # P-06, P-07
    outer = mounted(app.app, "/mnt")

    assert viewed(send(outer, "/mnt/items/x")) == "item"
    assert [send(outer, "/mnt" + place.format("\xff")).status for place in PLACES] == [400] * len(PLACES)


@each_framework
def test_other_spellings_of_a_closed_view_need_its_scope(app):  # S-11
    token = {"HTTP_AUTHORIZATION": f"Bearer {issue(app, scope='read')}"}

    assert viewed(send(app.app, "/reports", **token)) == "reports"
    assert send(app.app, "/reports", "POST", **token).status == 403
