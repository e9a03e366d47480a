"""What may be sent in place of a JWT: 401 with our challenge, and no other server is called."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import ECKey
from webtest import TestApp

from helpers.jwts import ISSUER, JWT, encoded, introspected, opens, signed
from helpers.serving import serving
from helpers.support import SECRET, TESTER, echo, issue
from helpers.wsgi_client import call, challenge_of, make_environ
from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.keys.keypair import from_pem, make
from oauth_mw.tokens.jwt import POSITION

STORE_KINDS = ["memory"]


@pytest.fixture
def app(wrap, client):
    return wrap(**JWT)


@pytest.fixture
def token(app):
    return issue(app, scope="read")


@pytest.fixture
def key(token, store):
    """The pair that the server signs with."""
    (record,) = store.read_keys().keys
    return from_pem(record.private)


@pytest.fixture
def forge(token, key):
    """The token, with other members in its header or its claims, signed anew; ``...`` leaves one out."""
    claims = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))

    def forge(members=None, by=key, payload=None, **header):
        start = kept({"typ": "at+jwt", "alg": key.algorithm, "kid": key.kid, **header})
        return signed(by, encoded(start), payload or encoded(kept({**claims, **(members or {})})))

    return forge


def kept(members):
    return {name: value for name, value in members.items() if value is not ...}


def refused(app, text):
    """True for the one answer to a text that is no token."""
    answer = call(app.app, make_environ(HTTP_AUTHORIZATION=f"Bearer {text}"))
    challenge = challenge_of(answer)
    return (answer.status, challenge.scheme, challenge.parameters["error"]) == (401, "Bearer", "invalid_token")


def test_what_is_forged_with_nothing_changed_is_accepted(app, forge):
    assert opens(app, forge())


DEEP = json.loads("[" * 50 + "]" * 50)
HEADERS = {
    "alg": ["none", "None", "NONE", "nOnE", "HS256", "RS256", "ES384", "EdDSA", "", None, 7, ...],
    "typ": ["JWT", "jwt", "dpop+jwt", "client-authentication+jwt", "at+jwt ", "", None, 1, ["at+jwt"], ...],
    "kid": ["other", "../../../../dev/null", "' UNION SELECT 1 --", "k" * 600, ""]
    + [None, 1, ["a"], {"a": 1}, True, DEEP, ...],
    "jku": ["http://127.0.0.1:9/keys"],
    "x5u": ["http://127.0.0.1:9/cert"],
    "x5c": [["MIIB"]],
    "crit": [["exp"], [], ["b64"]],
    "b64": [False],
    "zip": ["DEF", "none"],
    "cty": ["JWT"],
    "enc": ["A256GCM"],
}


@pytest.mark.parametrize(("name", "values"), HEADERS.items(), ids=HEADERS)
def test_a_header_that_says_something_else_or_more_is_refused(app, forge, name, values):  # C-11, J-05, J-07
    assert [value for value in values if not refused(app, forge(**{name: value}))] == []


def header_with(key, end):
    """A header that would be good with a brace for an end."""
    return json.dumps({"typ": "at+jwt", "alg": key.algorithm, "kid": key.kid})[:-1].encode() + end


ENDS = [b', "alg": "ES256"}', b', "kid": "\xff"}', b', "typ": NaN}', b', "typ": ' + b"9" * 5000 + b"}", b"} {}"]
ENDS += [b" " * 600 + b"}", b"}\xff", b', "crit": ["b64"], "b64": false}']


HEADS = [b"", b"null", b"[]", b'"at+jwt"', b"{", b"\xff", b'{"alg": "ES256", "alg": "none"}']


def test_a_header_that_is_no_plain_object_is_refused(app, token, key):  # J-05
    payload = token.split(".")[1]

    assert opens(app, signed(key, encoded(header_with(key, b"} ")), payload))
    for header in (*HEADS, *(header_with(key, end) for end in ENDS)):
        assert refused(app, signed(key, encoded(header), payload)), header[-20:]


PAYLOADS = {
    "no object": [b"1", b"null", b'"text"', b"[1]", b'[{"a": 1}]'],
    "no JSON": [b"{", b'{"a": 1} ,', b'{"a": 1}{"b": 2}', b"{'a': 1}"]
    + [b'\xef\xbb\xbf{"a": 1}', '{"a": 1}'.encode("utf-16")],
    "a name twice": [b'{"a": 1, "a": 2}', b'{"a": {"b": 1, "b": 1}}'],
    "numbers": [b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1e999}', b'{"a": ' + b"9" * 5000 + b"}"],
    "not UTF-8": [b'{"a": "\xff"}', b'{"\xed\xa0\x80": 1}'],
    "surrogates": [rb'{"a": "\ud800"}', rb'{"a": ["\udc00\ud800"]}', rb'{"\ud83d": 1}'],
    "deep": [b'{"a": [[[[1]]]]}', b'{"a": ' + b"[" * 2500 + b"]" * 2500 + b"}", b'{"a":' * 900 + b"1" + b"}" * 900],
    "long": [json.dumps({"a": "b" * 100_000}).encode()],
}


@pytest.mark.parametrize("payloads", PAYLOADS.values(), ids=PAYLOADS)
def test_a_payload_that_is_no_plain_object_is_refused(app, forge, payloads):  # J-05
    claims = urlsafe_b64decode(forge().split(".")[1] + "==")
    for payload in payloads:
        # Beside all claims that a token needs, so that nothing else refuses it.
        beside = claims[:-1] + b", " + payload[1:] if payload.startswith(b"{") else payload
        assert refused(app, forge(payload=encoded(payload))), payload[:20]
        assert refused(app, forge(payload=encoded(beside))), payload[:20]


def mac(token, key, secret):
    start = f"{encoded({'typ': 'at+jwt', 'alg': 'HS256', 'kid': key.kid})}.{token.split('.')[1]}"
    return f"{start}.{encoded(hmac.digest(secret, start.encode(), hashlib.sha256))}"


def public(key):
    return ECKey.import_key({name: value for name, value in key.jwk().items() if name not in ("use", "alg")})


def with_signature(token, signature):
    return f"{token.rpartition('.')[0]}.{signature}"


def unsigned(token, key):
    headers = [{"typ": "at+jwt", "alg": alg, "kid": key.kid} for alg in ("none", "None", "NONE", "nOnE", "")]
    rest = token.split(".")[1]
    return [f"{encoded(header)}.{rest}.{end}" for header in headers for end in ("", "AA", "A" * 86)]


def changed(token, key):
    """With each character changed to another."""
    return [f"{token[:at]}{'A' if token[at] != 'A' else 'B'}{token[at + 1 :]}" for at in range(len(token))]


JWE = {"alg": "ECDH-ES", "enc": "A128GCM", "typ": "at+jwt"}
NUMBERS = [b"\0" * 64, b"\xff" * 64, b"\0" * 63 + b"\x01"]
TEXTS = {
    "not signed": unsigned,
    "degenerate numbers": lambda token, key: [with_signature(token, encoded(each)) for each in NUMBERS],
    "each character changed": changed,
    "a MAC": lambda token, key: [
        mac(token, key, secret)
        for secret in (public(key).as_pem(), public(key).as_der(), json.dumps(key.jwk()).encode(), b"")
    ],
    "encrypted": lambda token, key: [jwe.encrypt_compact({**JWE, "kid": key.kid}, token.encode(), public(key))],
    "not canonical": lambda token, key: [token[:-1] + chr(ord(token[-1]) + 1), token + "=", token + "=="],
    "other dots": lambda token, key: [
        f"{token}.",
        f".{token}",
        token.replace(".", ".."),
        token.rpartition(".")[0],
        "..",
    ],
    "other characters": lambda token, key: [f"{token}\n", f"{token}\xe9", f"\0{token}", token.replace("-", "+") + "/"],
    "long": lambda token, key: [token.replace(".", "." + "A" * 300_000, 1), f"{'A' * 300_000}.AAAA.AAAA"],
}


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
def test_a_text_that_no_key_has_signed_is_refused(app, token, key, texts):  # J-05, J-08
    assert opens(app, token)

    assert [text[:400] for text in texts(token, key) if not refused(app, text)] == []


# By claim: values that do not hold; ``...`` leaves it out.
CLAIMS = {
    "iss": [..., None, "", ISSUER + "/", ISSUER.upper(), "https://api.example.co", "https://evil.example", [ISSUER], 1],
    "aud": [..., None, "", [], {}, [[ISSUER]], {ISSUER: ISSUER}, "https://b.example", [ISSUER, 1], [""], 7]
    + [ISSUER + "/", ISSUER[:-1], ISSUER.upper()],
    "exp": [..., None, "", "4000000000", True, 1.5e9, [4_000_000_000], {}, -1, 0, 1, 2**32, 10**30],
    "iat": [..., None, "1", True, 1.5, -1, 2**32],
    "nbf": [None, "1", True, [], -1, 4_000_000_000],
    "sub": [..., None, "", "other", "Tester", ["tester"], 1],
    "client_id": [..., None, "", "other", ["tester"], 1],
    "jti": [..., None, "", 1, ["one"]],
    "scope": [None, "", 1, True, ["read"], {"read": 1}],
    POSITION: [..., None, "7", True, 7.0, [7]],
}


@pytest.mark.parametrize(("name", "values"), CLAIMS.items(), ids=CLAIMS)
def test_a_claim_that_is_wrong_or_missing_is_refused(app, forge, name, values):  # J-06
    assert [value for value in values if not refused(app, forge({name: value}))] == []


def test_the_other_endpoints_accept_none_of_them_either(app, store, token, key, forge):  # J-05, J-06, I-03, R-06
    texts = [forge(**{name: value}) for name, values in HEADERS.items() for value in values]
    texts += [
        text for make in TEXTS.values() for text in make(token, key) if make is not changed and text.isprintable()
    ]
    texts += [forge({name: value}) for name, values in CLAIMS.items() if name != "aud" for value in values]
    short = [text for text in texts if len(text) < 10_000]

    assert all(introspected(app, text) == {"active": False} for text in short)
    for text in short:
        app.post("/oauth/revoke", {"token": text}, headers=TESTER, status=200)
    assert (len(store.read_denylist().events), opens(app, token)) == (0, True)


def test_nothing_is_fetched_because_a_header_says_so(app, forge):  # J-05
    own, asked = make("ES256"), []

    def keys(environ, start_response):
        asked.append(environ["PATH_INFO"])
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"keys": [own.jwk()]}).encode()]

    with serving() as (url, set_app):
        set_app(keys)
        for header in ({"jku": url}, {"x5u": url}, {"kid": url}, {"jwk": own.jwk()}, {"jku": url, "jwk": own.jwk()}):
            assert refused(app, forge(by=own, **{"kid": own.kid, **header}))

    assert asked == []


# However a token is changed


@pytest.fixture(scope="module")
def guarded():
    """An app whose tokens have one signature each: EdDSA allows no other."""
    store = open_store("memory://")
    admin.add_client(store, "tester", scope="read write", client_id="tester", secret=SECRET)
    yield OAuthMiddleware(echo, store=store, signing_algorithm="EdDSA", **JWT)
    store.close()


@pytest.fixture(scope="module")
def genuine(guarded):
    return issue(TestApp(guarded))


# Each changes what is between two places, given as shares of the text: by another text, by flipping bits of the first
# character, or by repeating it.
places = st.floats(0, 1)
new = st.text(st.characters(max_codepoint=0x3FF), max_size=8) | st.integers(1, 255) | st.none()
changes = st.lists(st.tuples(places, places, new), min_size=1, max_size=3)


def edited(text, changes):
    for first, second, new in changes:
        low, high = sorted((int(first * len(text)), int(second * len(text))))
        part = text[low:high]
        if isinstance(new, int):
            part = "".join(chr(ord(each) ^ new) for each in part[:1]) + part[1:]
        else:
            part = part * 2 if new is None else new
        text = text[:low] + part + text[high:]
    return text


@given(changes)
@example([(0, 0, "  ")])
@example([(0, 1, "")])
@example([(0.9999, 1, 3)])  # one of these two changes bits that no byte has
@example([(0.9999, 1, 15)])
def test_a_changed_token_opens_nothing(guarded, genuine, changes):  # J-05
    # A header's text holds one character for each byte (PEP 3333).
    text = edited(genuine, changes).encode().decode("latin-1")
    answer = call(guarded, make_environ(HTTP_AUTHORIZATION=f"Bearer {text}"))

    # The white space that RFC 9110 §11.4 and §5.5 allow around it is no part of it.
    assert answer.status == (200 if text.lstrip(" ").rstrip(" \t") == genuine else 401)
