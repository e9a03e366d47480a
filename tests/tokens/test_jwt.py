"""JWT access tokens (RFC 9068): what is issued, and when it ends."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import import_key

from helpers.support import HandClock
from oauth_mw.keys.keypair import make
from oauth_mw.model import EMPTY, Client
from oauth_mw.tokens.jws import header_of, is_compact, sign
from oauth_mw.tokens.jwt import POSITION, TYPE, JWTTokens, storage_key

ISSUER = "https://api.example.com"
OURS = "https://api.example.com/reports"
CLIENT = Client(
    "tester", "Tester", ("read",), attributes={"tier": "gold", "quota": 5, "note": "x"}, revoked_before=7,
    public_attributes=frozenset({"tier", "quota"}),
)  # fmt: skip


@pytest.fixture(scope="module")
def key():
    return make("ES256")


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def ended():
    return set()


@pytest.fixture
def tokens(key, clock, ended):
    keys = SimpleNamespace(find={key.kid: key}.get, signing=lambda expires_at: key)

    def is_revoked(key, client_id, position):
        return key in ended or (client_id, position) in ended

    return JWTTokens(
        keys, clock, issuer=ISSUER, is_revoked=is_revoked, end=None, leeway=10, challenge='Bearer realm="api"'
    )


@pytest.fixture
def issued(tokens):
    return tokens.issue(CLIENT, ("read", "write"), 60, [OURS])


@pytest.fixture
def claims(clock):
    now = int(clock())
    return {
        "iss": ISSUER, "sub": "tester", "client_id": "tester", "aud": OURS, "iat": now, "exp": now + 60, "jti": "one",
        "scope": "read", POSITION: 7,
    }  # fmt: skip


@pytest.fixture
def signed(key):
    return lambda members: sign(header_of(key, TYPE), members, key)


def test_what_was_issued_is_read_again_without_private_attributes(tokens, issued):
    assert tokens.read(issued[0]) == issued[1]
    assert issued[1].attributes == {"tier": "gold", "quota": 5}
    assert tokens.issue(Client("x", "X"), (), 60, [OURS])[1].attributes is EMPTY


def test_several_audiences_are_a_list_and_without_a_scope_there_is_no_claim(tokens, key):
    text, token = tokens.issue(CLIENT, (), 60, [OURS, "https://other.example.com"])
    claims = joserfc_jwt.decode(text, import_key(key.jwk())).claims

    assert (claims["aud"], "scope" in claims) == ([OURS, "https://other.example.com"], False)
    assert (token.scope, token.scopes) == ("", frozenset())
    assert tokens.read(text) == token


def test_the_claims_are_those_of_the_profile(issued, key, clock):  # J-01 to J-04
    token = joserfc_jwt.decode(issued[0], import_key(key.jwk()), algorithms=["ES256"])
    jti = token.claims.pop("jti")

    assert token.header == {"typ": "at+jwt", "alg": "ES256", "kid": key.kid}
    assert token.claims == {
        "iss": ISSUER, "sub": "tester", "client_id": "tester", "aud": OURS, "iat": int(clock()),
        "exp": int(clock()) + 60, "scope": "read write", "tier": "gold", "quota": 5, POSITION: 7,
    }  # fmt: skip
    assert len(jti) >= 22


def test_two_tokens_of_the_same_second_are_two(tokens):
    first, second = (tokens.issue(CLIENT, (), 60, [OURS])[1].token_id for _ in range(2))

    assert first != second


@pytest.mark.parametrize(("moved", "good"), [(60 + 9.9, True), (60 + 10, False)])
def test_it_is_good_until_its_end_and_the_leeway(tokens, issued, clock, moved, good):  # J-06, J-08
    clock.move(moved)

    assert (tokens.read(issued[0]) is not None) is good


def test_one_that_was_revoked_by_itself_or_with_all_of_its_client_is_refused(tokens, issued, ended):
    for end in (bytes.fromhex(issued[1].token_id), ("tester", CLIENT.revoked_before)):
        ended.add(end)
        assert tokens.read(issued[0]) is None
        ended.clear()
    assert tokens.read(issued[0])


def test_it_is_ended_by_its_id_however_its_signature_is_written(tokens, claims, signed):
    texts = [signed(claims) for _ in range(2)]

    assert texts[0] != texts[1]
    assert {tokens.read(text).token_id for text in texts} == {storage_key(claims["exp"], "one").hex()}


def test_an_opaque_token_is_no_jwt(issued):
    assert [is_compact(text) for text in (issued[0], "a" * 48, "a.b.c" + "x" * 43, "")] == [True, False, False, False]
