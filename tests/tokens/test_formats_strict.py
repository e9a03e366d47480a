"""What strangers may send in place of a JWT: 401 with our challenge, soon, and nobody else is asked."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64decode

import pytest
from joserfc import jwe
from joserfc.jwk import ECKey

from helpers.jwts import ISSUER, JWT, encoded, introspected, opens, signed
from helpers.serving import serving
from helpers.support import TESTER, bearer, issue, one_store
from helpers.wsgi_client import call, challenge_of, make_environ
from oauth_mw.keys.keypair import from_pem, make
from oauth_mw.tokens.jwt import POSITION

pytestmark = one_store


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
    """The token, with other members in its header or its claims, signed anew."""
    claims = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))

    def forge(members=None, by=key, payload=None, **header):
        start = {"typ": "at+jwt", "alg": key.algorithm, "kid": key.kid, **header}
        said = {**claims, **(members or {})}
        kept = {name: value for name, value in said.items() if value is not ...}
        return signed(by, encoded(start), payload or encoded(kept))

    return forge


def refused(app, text):
    started = time.perf_counter()
    answer = app.get("/any", headers=bearer(text), status=401)
    assert time.perf_counter() - started < 1
    challenge = challenge_of(answer)
    return challenge.scheme == "Bearer" and challenge.parameters["error"] == "invalid_token"


def test_what_is_forged_with_nothing_changed_is_as_good(app, forge):
    assert opens(app, forge())


HEADERS = {
    "none": {"alg": "none"},
    "another algorithm": {"alg": "RS256"},
    "no typ of ours": {"typ": "JWT"},
    "a path": {"kid": "../../../../dev/null"},
    "SQL": {"kid": "' UNION SELECT 1 --"},
    "a kid that is no text": {"kid": 1},
    "x5c": {"x5c": ["MIIB"]},
    "crit": {"crit": ["exp"]},
    "an empty crit": {"crit": []},
    "b64": {"crit": ["b64"], "b64": False},
    "zip": {"zip": "DEF"},
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_header_of_another_kind_is_refused(app, forge, header):  # J-05, J-07
    assert refused(app, forge(**header))


PAYLOADS = {
    "a list": b"[1]",
    "a number": b"1",
    "no JSON": b"{",
    "a name twice": b'{"iss": "a", "iss": "b"}',
    "deep": b'{"a":' * 900 + b"1" + b"}" * 900,
    "NaN": b'{"exp": NaN}',
    "a long number": b'{"exp": ' + b"9" * 5000 + b"}",
    "bytes": b'{"iss": "\xff"}',
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_a_payload_of_another_kind_is_refused(app, forge, payload):  # J-05
    assert refused(app, forge(payload=encoded(payload)))


def mac(token, key, secret):
    start = f"{encoded({'typ': 'at+jwt', 'alg': 'HS256', 'kid': key.kid})}.{token.split('.')[1]}"
    return f"{start}.{encoded(hmac.digest(secret, start.encode(), hashlib.sha256))}"


def public(key):
    return ECKey.import_key({name: value for name, value in key.jwk().items() if name not in ("use", "alg")})


def encrypted(token, key):
    header = {"alg": "ECDH-ES", "enc": "A128GCM", "kid": key.kid, "typ": "at+jwt"}
    return jwe.encrypt_compact(header, token.encode(), public(key))


def another_payload(token):
    header, _, signature = token.split(".")
    return f"{header}.{encoded({'iss': ISSUER})}.{signature}"


TEXTS = {
    "not signed": lambda token, key: (
        f"{encoded({'typ': 'at+jwt', 'alg': 'none', 'kid': key.kid})}.{token.split('.')[1]}."
    ),
    "an empty signature": lambda token, key: token.rpartition(".")[0] + ".",
    "a signature cut": lambda token, key: token[:-4],
    "a signature of zeros": lambda token, key: f"{token.rpartition('.')[0]}.{encoded(bytes(64))}",
    "another payload": lambda token, key: another_payload(token),
    "a MAC with the PEM": lambda token, key: mac(token, key, public(key).as_pem()),
    "a MAC with the DER": lambda token, key: mac(token, key, public(key).as_der()),
    "a MAC with the JWK": lambda token, key: mac(token, key, json.dumps(key.jwk()).encode()),
    "a MAC with nothing": lambda token, key: mac(token, key, b""),
    "encrypted": encrypted,
    "bits too many": lambda token, key: token[:-1] + chr(ord(token[-1]) + 1),
    "padded": lambda token, key: token + "==",
    "long": lambda token, key: token.replace(".", "." + "A" * 300_000, 1),
    "long and dotted": lambda token, key: "A." * 150_000,
    "long for a header": lambda token, key: f"{'A' * 300_000}.AAAA.AAAA",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_that_no_key_has_signed_is_refused(app, token, key, text):  # J-05, J-08
    assert refused(app, text(token, key))


CLAIMS = {
    "expired": {"exp": 1},
    "exp missing": {"exp": ...},
    "exp a text": {"exp": "4000000000"},
    "exp true": {"exp": True},
    "exp null": {"exp": None},
    "exp a list": {"exp": [4_000_000_000]},
    "exp negative": {"exp": -1},
    "nbf ahead": {"nbf": 4_000_000_000},
    "nbf a text": {"nbf": "1"},
    "iss another": {"iss": "https://evil.example"},
    "iss missing": {"iss": ...},
    "iss a list": {"iss": [ISSUER]},
    "iss with a slash": {"iss": ISSUER + "/"},
    "aud another": {"aud": "https://other.example.com"},
    "aud missing": {"aud": ...},
    "aud empty": {"aud": []},
    "aud an object": {"aud": {ISSUER: ISSUER}},
    "aud a prefix": {"aud": ISSUER[:-1]},
    "sub a list": {"sub": ["tester"]},
    "client_id a number": {"client_id": 1},
    "scope a list": {"scope": ["read"]},
    "no position": {POSITION: ...},
}


@pytest.mark.parametrize("members", CLAIMS.values(), ids=CLAIMS)
def test_claims_that_do_not_hold_are_refused(app, forge, members):  # J-06
    assert refused(app, forge(members))


def test_the_other_endpoints_believe_none_of_them_either(app, store, token, key, forge):  # J-05, J-06, I-03, R-06
    texts = [forge(**header) for header in HEADERS.values()] + [text(token, key) for text in TEXTS.values()]
    texts += [forge(members) for name, members in CLAIMS.items() if not name.startswith("aud")]
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


class Counted:
    """Counts how often a store is asked for its keys."""

    def __init__(self, store):
        self._read = store.read_keys
        self.asked = 0

    def read_keys(self):
        self.asked += 1
        return self._read()


def test_a_thousand_made_up_keys_are_one_look_a_second(wrap, client, store, monkeypatch):
    keys = Counted(store)
    monkeypatch.setattr(store, "read_keys", keys.read_keys)
    app = wrap(**JWT)
    payload, own, before = issue(app).split(".")[1], make("ES256"), keys.asked
    started = time.monotonic()

    for number in range(1000):
        text = f"{encoded({'typ': 'at+jwt', 'alg': 'ES256', 'kid': f'{own.kid}{number}'})}.{payload}.{'A' * 86}"
        assert call(app.app, make_environ(HTTP_AUTHORIZATION=f"Bearer {text}")).status == 401

    assert keys.asked - before <= 1 + (time.monotonic() - started)
