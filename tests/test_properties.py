"""Whatever is sent: no exception, no 5xx, no way past the guard, no token without credentials, nothing out of shape.

Every answer is also held against :func:`wsgi_client.check_answer`.
"""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus, unquote_plus, urlencode

from hypothesis import example, given
from hypothesis import strategies as st

from helpers.support import SECRET, HandClock, basic, echo, middleware
from helpers.wsgi_client import call, make_environ, post_form
from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.http import SINGLE, form_decode

CC = "grant_type=client_credentials"
FORM = "application/x-www-form-urlencoded"
CLOCK = HandClock()
STORE = open_store("memory://", clock=CLOCK)
OWN = ["/oauth/token", "/oauth/revoke", "/oauth/introspect"]
RULES = [("GET", "/reports/*", "read"), ("POST,PUT", "/jobs/{id}", "any of write admin"), ("*", "/staff/*", "admin")]


def build(**options):
    return middleware(echo, CLOCK, store=STORE, **options)


def token_of(client_id, app):
    header = basic(client_id, SECRET)["Authorization"]
    return json.loads(post_form(app, CC.encode(), HTTP_AUTHORIZATION=header).body)["access_token"]


for name, scope in (("tester", "read write"), ("ended", "read"), ("other", "admin")):
    admin.add_client(STORE, name, scope=scope, client_id=name, secret=SECRET, clock=CLOCK)
APPS = [
    build(throttle="off"),
    build(public_paths=["/public", "/open/*"], required_scopes=RULES),
    build(grant_type_in="body query header", scope_policy="narrow", preflight=True, remote_user=True),
    build(required_scopes=[("GET", "/*", "read")], ambiguous_paths="pass", strip_authorization=True),
]
GOOD = token_of("tester", APPS[0])
DEAD = token_of("ended", APPS[0])
admin.disable_client(STORE, "ended")

# PEP 3333: environ text holds one character for each byte.
byte_text = st.text(st.characters(max_codepoint=255), max_size=40)
pieces = st.sampled_from("/ . .. // \\ ; %2e %2f %00 \0 \n public open reports jobs x staff oauth token".split(" "))
paths = st.one_of(
    st.lists(pieces, max_size=6).map("".join),
    st.lists(pieces, max_size=6).map(lambda parts: "/" + "/".join(parts)),
    byte_text.map(lambda text: "/" + text),
    byte_text,
)
methods = st.one_of(st.sampled_from("GET HEAD POST PUT DELETE OPTIONS TRACE get Post FOO".split()), byte_text)


def edited(text):
    """``text`` with one edit, or cut, or more of it."""
    at, odd = st.integers(0, len(text)), byte_text
    return st.one_of(
        st.builds(lambda i, piece: text[:i] + piece + text[i:], at, odd),
        st.builds(lambda i, piece: text[:i] + piece + text[i + 1 :], at, odd),
        st.builds(lambda i, j: text[min(i, j) : max(i, j)], at, at),
    )


bad_secrets = edited(SECRET).filter(lambda text: text != SECRET)
bad_tokens = st.one_of(edited(GOOD), edited(DEAD), st.just(DEAD), byte_text).filter(lambda text: text.strip() != GOOD)
authorizations = st.one_of(
    st.none(),
    byte_text,
    bad_tokens.map("Bearer {}".format),
    st.builds("{}{}{}".format, st.sampled_from(["bearer", "Basic", "DPoP", "Bearer,"]), byte_text, bad_tokens),
    bad_secrets.map(lambda secret: "Basic " + base64.b64encode(f"tester:{secret}".encode()).decode()),
    st.binary(max_size=60).map(lambda raw: "Basic " + base64.b64encode(raw).decode()),
    st.builds(f"Bearer {DEAD}, {{}}".format, byte_text),
)
names = st.sampled_from([*sorted(SINGLE), "resource", "x", ""])
values = st.one_of(st.sampled_from(["client_credentials", "read", "tester", "", DEAD]), st.text(max_size=20))
bodies = st.one_of(
    st.binary(max_size=80),
    st.lists(st.tuples(names, values), max_size=6).map(lambda pairs: urlencode(pairs, errors="replace").encode()),
    st.builds(lambda secret: f"{CC}&client_id=tester&client_secret={quote(secret)}".encode(), bad_secrets),
    st.binary(max_size=20).map(lambda raw: CC.encode() + b"&" + raw),
)
lengths = st.one_of(
    st.just("real"), st.none(), st.sampled_from(["", "0", "-1", "1_0", "99999999999", "٣", "7"]), byte_text
)
types = st.one_of(st.just(FORM), st.just(FORM + "; charset=utf-8"), st.none(), byte_text)
headers = st.dictionaries(
    st.sampled_from(
        "TRANSFER_ENCODING CONTENT_ENCODING GRANT_TYPE HOST ORIGIN COOKIE X_ORIGINAL_URL X_FORWARDED_HOST EXPECT"
        " CONTENT_LENGTH ACCEPT RANGE PROXY_AUTHORIZATION X_HTTP_METHOD_OVERRIDE".split()
    ).map("HTTP_{}".format),
    byte_text,
    max_size=4,
)
apps = st.sampled_from(APPS)


@st.composite
def environs(draw, path=paths):
    """A request without valid credentials and without a valid token."""
    body, length = draw(bodies), draw(lengths)
    keys = {
        "CONTENT_LENGTH": str(len(body)) if length == "real" else length,
        "CONTENT_TYPE": draw(types),
        "QUERY_STRING": draw(byte_text),
        "SCRIPT_NAME": draw(st.sampled_from(["", "/public", "/mnt", "\xff"])),
        "HTTP_AUTHORIZATION": draw(authorizations),
        "wsgi.input_terminated": draw(st.sampled_from([None, True])),
        **draw(headers),
    }
    return make_environ(draw(methods), draw(path), body, **keys)


def still_works(app):
    """The next valid request works, whatever came before (L-06)."""
    return call(app, make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Bearer {GOOD}")).status == 200


@given(app=apps, environ=environs())
def test_nothing_gets_past_the_guard_without_a_token(app, environ):  # P-01, B-01, B-05, B-13, H-13
    path = environ["PATH_INFO"]
    answer = call(app, environ)

    assert 400 <= answer.status < 500 or answer.body == b"MARKER None None"
    if answer.status == 200:
        public = app is APPS[1] and (path == "/public" or path == "/open" or path.startswith("/open/"))
        preflight = app is APPS[2] and environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ORIGIN" in environ
        assert public or preflight
        assert preflight or not any(mark in path for mark in ("//", "..", "\\", ";", "\0", "\n", "/./"))


@given(app=apps, environ=environs(st.sampled_from(OWN)))
def test_no_endpoint_answers_without_credentials(app, environ):  # T-20, A-05, A-07, H-02, H-04, H-15
    answer = call(app, environ)

    assert 400 <= answer.status < 500
    assert json.loads(answer.body or b'{"error": "HEAD"}').keys() <= {"error", "error_description"}
    assert still_works(app)


@given(app=apps, body=st.one_of(bodies, st.binary(max_size=200)), path=st.sampled_from(OWN), query=byte_text)
def test_an_authenticated_client_never_causes_a_server_error(app, body, path, query):  # T-16, T-20, S-06, R-12, I-12
    keys = {"HTTP_AUTHORIZATION": basic("tester", SECRET)["Authorization"], "QUERY_STRING": query}
    answer = post_form(app, body, path, **keys)

    assert answer.status == 200 or 400 <= answer.status < 500
    assert still_works(app)


@given(app=apps, token=bad_tokens, space=st.sampled_from([" ", "  "]))
@example(app=APPS[0], token=GOOD + "=", space=" ")
@example(app=APPS[0], token=DEAD, space=" ")
def test_no_edit_of_a_token_is_a_token(app, token, space):  # B-05, B-15
    assert call(app, make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Bearer{space}{token}")).status == 401


@given(secret=bad_secrets, client_id=st.one_of(st.just("tester"), edited("tester")))
def test_no_edit_of_a_secret_is_a_secret(secret, client_id):
    form = urlencode({"client_id": client_id, "client_secret": secret})
    header = basic(client_id, secret)["Authorization"]

    assert post_form(APPS[0], f"{CC}&{form}".encode()).status in (400, 401)
    assert post_form(APPS[0], CC.encode(), HTTP_AUTHORIZATION=header).status in (400, 401)


printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=30)


@given(client_id=printable, secret=printable)
@example(client_id="a%2Bb", secret="c+d %20:")
def test_every_printable_id_and_secret_authenticates_both_ways(client_id, secret):
    store = open_store("memory://")
    admin.add_client(store, "any", client_id=client_id, secret=secret, allow_weak_secret=True)
    app = OAuthMiddleware(echo, store=store)
    form = urlencode({"client_id": client_id, "client_secret": secret})

    assert post_form(app, f"{CC}&{form}".encode()).status == 200
    for raw in {False, ":" not in client_id}:
        assert (
            post_form(app, CC.encode(), HTTP_AUTHORIZATION=basic(client_id, secret, raw=raw)["Authorization"])[0] == 200
        )


scope_words = st.sampled_from(["read", "write", "READ", "admin", "read,write", "é", "a\tb", '"', ""])
scope_texts = st.one_of(st.text(max_size=30), st.lists(scope_words, max_size=5).map(" ".join))


@given(app=apps, scope=scope_texts)
def test_no_more_scope_is_granted_than_was_requested_and_allowed(app, scope):  # S-03, S-04, S-06, S-08
    header = basic("tester", SECRET)["Authorization"]
    form = f"{CC}&scope={quote_plus(scope.encode(errors='replace'))}"
    answer = post_form(app, form.encode(), HTTP_AUTHORIZATION=header)
    members = json.loads(answer.body)

    if answer.status == 200:
        granted = members["scope"].split(" ")
        asked = set(filter(None, scope.split(" "))) or {"read", "write"}
        assert set(granted) <= asked & {"read", "write"} and len(set(granted)) == len(granted)
    else:
        assert (answer.status, members["error"]) in [(400, "invalid_scope"), (400, "invalid_request")]


@given(
    st.lists(
        st.sampled_from([b"%3D", b"%3d", b"%0A", b"%25", b"=", b"=3D", b"=\n", b"+", b"_", b" \r\n", b"\t\n", b"a"])
    )
)
def test_form_decoding_is_that_of_the_standard_library(parts):  # T-19
    raw = b"".join(parts)

    assert form_decode(raw) == unquote_plus(raw.decode())
