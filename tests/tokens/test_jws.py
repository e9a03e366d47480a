"""Signed texts of each algorithm are read again, and nothing else is (J-05); see test_formats_strict.py, too."""

from __future__ import annotations

import json

import pytest

from helpers.jwts import encoded, signed
from oauth_mw.errors import TokenRefused
from oauth_mw.keys.keypair import ALGORITHMS, from_jwk, make
from oauth_mw.tokens.jws import Reader, header_of, sign

MEMBERS = {"iss": "https://example.com", "n": 1, "list": ["a", True, None], "text": "ä"}


@pytest.fixture(scope="module", params=ALGORITHMS)
def key(request):
    return make(request.param)


def reader(*keys):
    return Reader("at+jwt", {key.kid: key for key in keys}.get)


def forged(key, by=None, **header):
    """Well signed, whatever the header says."""
    members = {"typ": "at+jwt", "alg": key.algorithm, "kid": key.kid, **header}
    return signed(by or key, encoded(members), encoded({"a": 1}))


def refused(text, *keys):
    with pytest.raises(TokenRefused):
        reader(*keys).open(text)
    return True


def test_what_was_signed_is_read_again_and_its_header_opens_no_other_payload(key):
    here, text = reader(from_jwk(json.dumps(key.jwk()))), sign(header_of(key, "at+jwt"), MEMBERS, key)
    header, _, signature = text.split(".")

    assert here.open(text) == MEMBERS
    with pytest.raises(TokenRefused, match="signature"):
        here.open(f"{header}.{encoded({'a': 1})}.{signature}")


@pytest.mark.parametrize("kind", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/at+JWT"])
def test_the_type_is_spelled_in_any_case_with_or_without_application(kind):  # J-07
    key = make("ES256")

    assert reader(key).open(forged(key, typ=kind)) == {"a": 1}


def test_another_key_or_one_in_the_header_is_not_used(key):
    other = make(key.algorithm)

    for header in ({}, {"jwk": other.jwk()}, {"jwk": other.jwk(), "kid": other.kid}):
        assert refused(forged(key, by=other, **header), key)


def test_a_signature_of_another_length_is_refused(key):
    start, _, signature = forged(key).rpartition(".")
    cuts = [signature[:length] for length in (1, 2, 4, len(signature) // 2, len(signature) - 4, len(signature) - 1)]

    for other in (*cuts, *(encoded(b"x" * length) for length in (0, 1, 32, 63, 64, 65, 128, 256, 257))):
        assert refused(f"{start}.{other}", key)


@pytest.mark.parametrize("segment", [0, 1])
@pytest.mark.parametrize("end", [lambda last: chr(ord(last) + 1), lambda last: last + "="], ids=["bits", "padded"])
def test_base64url_that_is_not_canonical_is_refused_though_signed(segment, end):
    key = make("ES256")
    header = json.dumps({"typ": "at+jwt", "alg": "ES256", "kid": key.kid}) + " "
    segments = [encoded(header.encode()), encoded({"a": 1})]
    assert reader(key).open(signed(key, *segments)) == {"a": 1}

    segments[segment] = segments[segment][:-1] + end(segments[segment][-1])
    assert refused(signed(key, *segments), key)
