"""JWT access tokens (RFC 9068): what is issued, and which of those that a key of ours has signed are refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import import_key

from helpers.support import HandClock
from oauth_mw.keys.keypair import make
from oauth_mw.model import EMPTY, Client
from oauth_mw.tokens.formats import Formats
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
def accepted(tokens):
    return Formats(None, tokens, "jwt", [OURS]).accepted


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


def test_what_was_issued_is_read_again(tokens, issued):
    assert tokens.read(issued[0]) == issued[1]


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


def test_several_audiences_are_a_list(tokens, key):
    text, token = tokens.issue(CLIENT, (), 60, [OURS, "https://other.example.com"])

    assert joserfc_jwt.decode(text, import_key(key.jwk())).claims["aud"] == [OURS, "https://other.example.com"]
    assert tokens.read(text) == token


def test_without_a_scope_there_is_no_claim(tokens, key):
    text, token = tokens.issue(CLIENT, (), 60, [OURS])

    assert "scope" not in joserfc_jwt.decode(text, import_key(key.jwk())).claims
    assert (token.scope, token.scopes) == ("", frozenset())


def test_private_attributes_stay_here(issued):
    assert issued[1].attributes == {"tier": "gold", "quota": 5}


def test_a_client_without_attributes_shares_the_empty_ones(tokens):
    assert tokens.issue(Client("x", "X"), (), 60, [OURS])[1].attributes is EMPTY


@pytest.mark.parametrize(("moved", "good"), [(60 + 9.9, True), (60 + 10, False)])
def test_it_is_good_until_its_end_and_the_leeway(tokens, issued, clock, moved, good):  # J-06, J-08
    clock.move(moved)

    assert (tokens.read(issued[0]) is not None) is good


def test_one_that_was_ended_by_itself_is_refused(tokens, issued, ended):
    ended.add(bytes.fromhex(issued[1].token_id))

    assert tokens.read(issued[0]) is None


def test_one_whose_clients_tokens_were_all_ended_is_refused(tokens, issued, ended):
    ended.add(("tester", CLIENT.revoked_before))

    assert tokens.read(issued[0]) is None


def test_it_is_ended_by_its_id_however_its_signature_is_written(tokens, claims, signed):
    texts = [signed(claims) for _ in range(2)]

    assert texts[0] != texts[1]
    assert {tokens.read(text).token_id for text in texts} == {storage_key(claims["exp"], "one").hex()}


def test_the_claims_themselves_are_good(accepted, claims, signed):
    assert accepted(signed(claims)).client_id == "tester"


WRONG = {
    "iss": [..., None, "", ISSUER + "/", ISSUER.upper(), "https://api.example.co", "https://evil.example", [ISSUER], 1],
    "aud": [
        ...,
        None,
        "",
        [],
        {},
        [[OURS]],
        {"a": OURS},
        "https://b.example",
        OURS + "/",
        OURS[:-1],
        OURS.upper(),
        [OURS, 1],
        [""],
        7,
    ],
    "exp": [..., None, "", "9999999999", True, 1.5e9, [], {}, -1, 0, 2**32, 10**30],
    "iat": [..., None, "1", True, 1.5, -1, 2**32],
    "nbf": [None, "1", True, [], -1, 4_000_000_000],
    "sub": [..., None, "", "other", "Tester", ["tester"], 1],
    "client_id": [..., None, "", "other", ["tester"], 1],
    "jti": [..., None, "", 1, ["one"]],
    "scope": [None, "", 1, True, ["read"], {"read": 1}],
    POSITION: [..., None, "7", True, 7.0, [7]],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_claim_that_is_wrong_or_missing_is_refused(accepted, claims, signed, name, value):  # J-06
    members = {**claims, name: value}

    assert accepted(signed({each: members[each] for each in members if members[each] is not ...})) is None


@pytest.mark.parametrize("name", ["sub", "client_id"])
def test_a_token_of_a_client_that_says_it_is_another_is_refused(tokens, claims, signed, name):  # J-06
    assert tokens.read(signed({**claims, name: "somebody"})) is None


@pytest.mark.parametrize("kind", ["JWT", "dpop+jwt", "client-authentication+jwt"])
def test_what_the_key_signed_for_something_else_is_refused(tokens, claims, key, kind):  # J-07, C-11
    assert tokens.read(sign(header_of(key, kind), claims, key)) is None


def test_an_opaque_token_is_no_jwt(issued):
    assert [is_compact(text) for text in (issued[0], "a" * 48, "a.b.c" + "x" * 43, "")] == [True, False, False, False]
