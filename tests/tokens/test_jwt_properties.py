"""However a JWT is changed, it opens nothing."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from webtest import TestApp

from helpers.jwts import JWT
from helpers.support import SECRET, echo, issue
from helpers.wsgi_client import call, make_environ
from oauth_mw import OAuthMiddleware, admin, open_store


@pytest.fixture(scope="module")
def guarded():
    """An app whose tokens have one signature each: EdDSA knows no other."""
    store = open_store("memory://")
    admin.add_client(store, "tester", scope="read write", client_id="tester", secret=SECRET)
    yield OAuthMiddleware(echo, store=store, signing_algorithm="EdDSA", **JWT)
    store.close()


@pytest.fixture(scope="module")
def token(guarded):
    return issue(TestApp(guarded))


# As shares of the text, so that they fit any.
places = st.floats(0, 1)
edits = st.one_of(
    st.tuples(st.just("flip"), places, st.integers(1, 255)),
    st.tuples(st.just("insert"), places, st.text(st.characters(max_codepoint=0x3FF), max_size=8)),
    st.tuples(st.just("cut"), places, places),
    st.tuples(st.just("repeat"), places, places),
)
changes = st.lists(edits, min_size=1, max_size=3)


def edited(text, edit):
    kind, first, second = edit
    at = int(first * (len(text) - 1))
    if kind == "flip":
        return text[:at] + chr(ord(text[at]) ^ second) + text[at + 1 :]
    if kind == "insert":
        return text[:at] + second + text[at:]
    low, high = sorted((at, int(second * len(text))))
    return text[:low] + text[high:] if kind == "cut" else text[:high] + text[low:]


def changed(text, changes):
    for edit in changes:
        text = edited(text, edit) or "."
    return text


@given(changes)
@example([("insert", 0.0, "  ")])
@example([("cut", 1.0, 1.0)])
@example([("flip", 1.0, 3)])  # one of these two changes bits that no byte has
@example([("flip", 1.0, 15)])
def test_a_changed_token_opens_nothing(guarded, token, changes):  # J-05
    # A header's text holds one character for each byte (PEP 3333).
    text = changed(token, changes).encode().decode("latin-1")
    answer = call(guarded, make_environ(HTTP_AUTHORIZATION=f"Bearer {text}"))

    # The white space that RFC 9110 §11.4 and §5.5 let pass is none of it.
    assert answer.status == (200 if text.lstrip(" ").rstrip(" \t") == token else 401)
