"""Stock libraries, unmodified, check our JWTs as RFC 9068 §4 says, with nothing but our issuer to begin with."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from functools import cache
from types import SimpleNamespace

import jwt
import pytest
import requests
from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.rfc6749 import ResourceProtector
from authlib.oauth2.rfc8414 import get_well_known_url
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from webtest import TestApp

from helpers.serving import serving
from helpers.support import SECRET, TESTER, HandClock, bearer, echo, middleware
from oauth_mw import admin, open_store
from oauth_mw.keys.keypair import ALGORITHMS

pytestmark = [
    # RFC 9864 prefers the name Ed25519, which not every library supports yet.
    pytest.mark.filterwarnings("ignore:EdDSA is deprecated"),
    # Authlib warns of the way in which its own documentation imports key sets.
    pytest.mark.filterwarnings("ignore:Please `KeySet.import_key_set`"),
]

OURS = "https://billing.example.com"
OTHER = "https://reports.example.com"
REQUIRED = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]  # RFC 9068 §2.2


@contextmanager
def issued(algorithm):
    """Tokens, the issuer's URL, and its metadata (RFC 8414 §3)."""
    clock = HandClock()
    store = open_store("memory://", create=True, clock=clock)
    with serving() as (issuer, set_app):
        options = {"issuer": issuer, "token_format": "jwt", "signing_algorithm": algorithm}
        guarded = middleware(echo, clock, store=store, audience=[issuer, OURS, OTHER], **options)
        set_app(guarded)
        admin.add_client(store, "tester", scope="read write", client_id="tester", secret=SECRET, clock=clock)

        def issue(at, resource=OURS):
            clock.now = at
            form = f"grant_type=client_credentials&scope=read&resource={resource}"
            return TestApp(guarded).post("/oauth/token", form, headers=TESTER).json["access_token"]

        expired = issue(time.time() - 7200)
        good, for_another = issue(time.time()), issue(time.time(), OTHER)
        bad = {"expired": expired, "for another": for_another, "changed": good[:-10] + good[-10:][::-1]}
        metadata = requests.get(get_well_known_url(issuer, external=True), timeout=10).json()
        yield SimpleNamespace(issuer=issuer, good=good, bad=bad, metadata=metadata)
    store.close()


@pytest.fixture(scope="module")
def tokens_of():
    """Those of each algorithm."""
    with ExitStack() as stack:
        yield cache(lambda algorithm: stack.enter_context(issued(algorithm)))


@pytest.fixture
def tokens(tokens_of, algorithm):
    return tokens_of(algorithm)


def by_pyjwt(token, issuer, jwks_uri):
    key = jwt.PyJWKClient(jwks_uri).get_signing_key_from_jwt(token)
    names, options = [key.algorithm_name], {"require": REQUIRED}
    found = jwt.decode_complete(token, key, algorithms=names, issuer=issuer, audience=OURS, options=options)
    assert found["header"]["typ"] == "at+jwt"
    return found["payload"]


def by_joserfc(token, issuer, jwks_uri):
    keys = KeySet.import_key_set(requests.get(jwks_uri, timeout=10).json())
    found = joserfc_jwt.decode(token, keys, algorithms=[keys.keys[0].alg])
    known = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": OURS}}
    others = {name: {"essential": True} for name in REQUIRED if name not in known}
    joserfc_jwt.JWTClaimsRegistry(**known, **others).validate(found.claims)
    assert found.header["typ"] == "at+jwt"
    return found.claims


def by_authlib(token, issuer, jwks_uri):
    class Validator(JWTBearerTokenValidator):
        def get_jwks(self):
            return requests.get(jwks_uri, timeout=10).json()

    protector = ResourceProtector()
    protector.register_token_validator(Validator(issuer, OURS))
    return protector.validate_request(["read"], SimpleNamespace(headers=bearer(token)))


LIBRARIES = {"PyJWT": by_pyjwt, "joserfc": by_joserfc, "Authlib": by_authlib}
# Authlib's validator takes the algorithms that joserfc recommends.
PAIRS = [
    pytest.param(check, algorithm, id=f"{library} {algorithm}")
    for algorithm in ALGORITHMS
    for library, check in LIBRARIES.items()
    if (library, algorithm) != ("Authlib", "EdDSA")
]


@pytest.mark.parametrize(("check", "algorithm"), PAIRS)
def test_a_token_is_accepted(check, tokens):  # J-01, J-02, J-03, K-01, M-03
    claims = check(tokens.good, tokens.issuer, tokens.metadata["jwks_uri"])

    assert (claims["iss"], claims["aud"], claims["scope"]) == (tokens.metadata["issuer"], OURS, "read")
    assert claims["sub"] == claims["client_id"] == "tester"
    assert claims["exp"] - claims["iat"] in (3600, 3601)  # the whole seconds around an hour
    assert type(claims["exp"]) is int


@pytest.mark.parametrize("algorithm", ["ES256"])
@pytest.mark.parametrize("check", LIBRARIES.values(), ids=LIBRARIES)
def test_any_other_token_is_refused(check, tokens):
    refused = [(token, tokens.issuer) for token in tokens.bad.values()]
    refused += [(tokens.good, tokens.issuer + end) for end in ("/", "x")]

    for token, issuer in refused:
        with pytest.raises((jwt.InvalidTokenError, JoseError, AuthlibBaseError)):
            check(token, issuer, tokens.metadata["jwks_uri"])
