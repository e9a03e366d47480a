"""Signed texts: what is written is read again, and nothing else is (J-05)."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from joserfc import jwe
from joserfc.jwk import ECKey, import_key

from helpers.jwts import encoded, signed
from oauth_mw.keys.keypair import ALGORITHMS, from_jwk, make
from oauth_mw.tokens.jws import MAX_JWS_LENGTH, Reader, Refused, header_of, sign

MEMBERS = {"iss": "https://example.com", "n": 1, "list": ["a", True, None], "text": "ä"}


@pytest.fixture(scope="module", params=ALGORITHMS)
def key(request):
    return make(request.param)


@pytest.fixture(scope="module")
def es256():
    return make("ES256")


def reader(*keys):
    return Reader("at+jwt", {key.kid: key for key in keys}.get)


def header_with(key, end):
    """A header that would be good with a brace for an end."""
    return json.dumps({"typ": "at+jwt", "alg": key.algorithm, "kid": key.kid})[:-1].encode() + end


def forged(key, payload=b'{"a": 1}', **header):
    """Well signed, whatever the header says."""
    members = {"typ": "at+jwt", "alg": key.algorithm, "kid": key.kid, **header}
    return signed(key, encoded({name: value for name, value in members.items() if value is not ...}), encoded(payload))


@pytest.fixture
def text(es256):
    return sign(header_of(es256, "at+jwt"), MEMBERS, es256)


def refused(text, *keys):
    with pytest.raises(Refused):
        reader(*keys).open(text)
    return True


def test_what_was_signed_is_read_again(key):
    text = sign(header_of(key, "at+jwt"), MEMBERS, key)

    assert reader(from_jwk(json.dumps(key.jwk()))).open(text) == MEMBERS


def test_a_header_that_was_read_before_opens_no_other_payload(es256, text):  # J-05
    here = reader(es256)
    here.open(text)
    header, _, signature = text.split(".")

    with pytest.raises(Refused, match="signature"):
        here.open(f"{header}.{encoded({'a': 1})}.{signature}")


@pytest.mark.parametrize("kind", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/at+JWT"])
def test_the_type_is_spelled_in_any_case_with_or_without_application(es256, kind):  # J-07
    assert reader(es256).open(forged(es256, typ=kind)) == {"a": 1}


@pytest.mark.parametrize("kind", ["JWT", "jwt", "dpop+jwt", "at+jwt ", "", None, 1, ["at+jwt"], ...])
def test_another_type_is_refused(es256, kind):  # J-07
    assert refused(forged(es256, typ=kind), es256)


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "HS256", "RS256", "ES384", "EdDSA", "", None, 7, ...])
def test_another_algorithm_than_the_keys_is_refused(es256, algorithm):  # J-05
    assert refused(forged(es256, alg=algorithm), es256)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
@pytest.mark.parametrize("signature", ["", "AA", "A" * 86])
def test_what_is_not_signed_is_refused(es256, algorithm, signature):  # J-05
    start = forged(es256, alg=algorithm).rpartition(".")[0]

    assert refused(f"{start}.{signature}", es256)


DEEP = json.loads("[" * 50 + "]" * 50)


@pytest.mark.parametrize(
    "kid", ["other", "../../dev/null", "x' OR 1=1 --", "", None, 1, ["a"], {"a": 1}, True, DEEP, ...]
)
def test_another_key_id_is_refused(es256, kid):  # J-05, J-07
    assert refused(forged(es256, kid=kid), es256)


def test_the_key_of_another_is_refused(es256):  # J-05
    other = make("ES256")

    assert refused(forged(other, kid=es256.kid), es256)


@pytest.mark.parametrize(
    "member",
    [
        {"jku": "http://127.0.0.1:9/keys"},
        {"x5u": "http://127.0.0.1:9/cert"},
        {"x5c": ["MIIB"]},
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"zip": "DEF"},
        {"zip": "none"},
        {"cty": "JWT"},
        {"enc": "A256GCM"},
    ],
    ids=str,
)
def test_a_header_that_says_more_is_refused(es256, member):  # J-05
    assert refused(forged(es256, **member), es256)


def test_a_key_in_the_header_is_not_taken(es256):  # J-05
    other = make("ES256")

    assert refused(forged(other, jwk=other.jwk()), es256)
    assert refused(forged(other, jwk=other.jwk(), kid=es256.kid), es256)


@pytest.mark.parametrize("secret", ["pem", "der", "jwk", "kid", "empty"])
def test_a_mac_with_what_is_public_is_refused(es256, secret):  # J-05
    public = ECKey.import_key(es256.jwk())
    keys = {
        "pem": public.as_pem(),
        "der": public.as_der(),
        "jwk": json.dumps(es256.jwk()).encode(),
        "kid": es256.kid.encode(),
        "empty": b"",
    }
    start = f"{encoded({'typ': 'at+jwt', 'alg': 'HS256', 'kid': es256.kid})}.{encoded({'a': 1})}"

    assert refused(f"{start}.{encoded(hmac.digest(keys[secret], start.encode(), hashlib.sha256))}", es256)


@pytest.mark.parametrize("length", [0, 1, 32, 63, 64, 65, 128, 256, 257])
def test_a_signature_that_is_none_is_refused(key, length):  # J-05
    start = forged(key).rpartition(".")[0]

    assert refused(f"{start}.{encoded(b'x' * length)}", key)


def test_a_signature_that_was_cut_is_refused(key):  # J-05
    start, _, signature = forged(key).rpartition(".")
    lengths = [1, 2, 4, len(signature) // 2, len(signature) - 4, len(signature) - 1]

    assert all(refused(f"{start}.{signature[:length]}", key) for length in lengths)


@pytest.mark.parametrize("value", [b"\0" * 64, b"\xff" * 64, b"\0" * 63 + b"\x01"], ids=["zeros", "ones", "one"])
def test_a_signature_of_degenerate_numbers_is_refused(es256, text, value):  # J-05
    assert refused(f"{text.rpartition('.')[0]}.{encoded(value)}", es256)


def test_every_changed_character_is_refused(es256, text):  # J-05
    changed = [f"{text[:at]}{'A' if text[at] != 'A' else 'B'}{text[at + 1 :]}" for at in range(len(text))]

    assert all(refused(each, es256) for each in changed)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "=",
        lambda text: text + ".",
        lambda text: "." + text,
        lambda text: text.replace(".", "..", 1),
        lambda text: text.rpartition(".")[0],
        lambda text: text.rpartition(".")[0] + ".",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text.replace("-", "+").replace("_", "/") + "+",
        lambda text: text[:-1] + chr(ord(text[-1]) + 1),  # bits that no byte has
        lambda text: text + "é",
        lambda text: "\0" + text,
        lambda text: "",
        lambda text: "..",
    ],
)
def test_another_form_is_refused(es256, text, change):  # J-05
    assert refused(change(text), es256)


@pytest.mark.parametrize("segment", [0, 1])
@pytest.mark.parametrize("end", [lambda last: chr(ord(last) + 1), lambda last: last + "="], ids=["bits", "padded"])
def test_what_is_signed_must_be_written_in_the_one_way(es256, segment, end):  # J-05
    segments = [encoded(header_with(es256, b"} ")), encoded({"a": 1})]
    assert reader(es256).open(signed(es256, *segments)) == {"a": 1}

    segments[segment] = segments[segment][:-1] + end(segments[segment][-1])
    assert refused(signed(es256, *segments), es256)


@pytest.mark.parametrize(("algorithm", "alg"), [("ES256", "ECDH-ES"), ("RS256", "RSA-OAEP")])
def test_an_encrypted_text_is_refused(algorithm, alg):  # J-05
    key = make(algorithm)
    header = {"alg": alg, "enc": "A128GCM", "kid": key.kid, "typ": "at+jwt"}
    public = import_key({name: value for name, value in key.jwk().items() if name not in ("use", "alg")})
    text = jwe.encrypt_compact(header, forged(key).encode(), public)

    assert text.count(".") == 4 and refused(text, key)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"1",
        b"null",
        b'"text"',
        b"[1]",
        b'[{"a": 1}]',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": 1} ,',
        b'{"a": 1}{"b": 2}',
        b"{'a': 1}",
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\xff"}',
        b'{"\xed\xa0\x80": 1}',
        rb'{"a": "\ud800"}',
        rb'{"a": ["\udc00\ud800"]}',
        rb'{"\ud83d": 1}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": ' + b"[" * 2500 + b"]" * 2500 + b"}",
        b'{"a": [[[[1]]]]}',
    ],
    ids=lambda payload: repr(payload[:20]),
)
def test_a_payload_that_is_no_plain_object_is_refused(es256, payload):  # J-05
    assert refused(forged(es256, payload), es256)


@pytest.mark.parametrize(
    "header", [b"", b"null", b"[]", b'"at+jwt"', b"{", b"\xff", b'{"alg": "ES256", "alg": "none"}']
)
def test_a_header_that_is_no_plain_object_is_refused(es256, header):  # J-05
    assert refused(signed(es256, encoded(header), encoded({"a": 1})), es256)


@pytest.mark.parametrize(
    "end",
    [b', "alg": "ES256"}', b', "kid": "\xff"}', b', "typ": NaN}', b', "typ": ' + b"9" * 5000 + b"}", b"} {}", b"}\xff"],
    ids=lambda text: repr(text[:20]),
)
def test_a_header_that_goes_on_is_refused(es256, end):  # J-05
    assert refused(signed(es256, encoded(header_with(es256, end)), encoded({"a": 1})), es256)


def test_what_is_too_long_is_not_decoded(es256):  # J-08
    assert refused(forged(es256, json.dumps({"a": "b" * MAX_JWS_LENGTH}).encode()), es256)
    assert refused("A" * 300_000 + ".AA.AA", es256)


def test_a_header_that_is_too_long_is_not_decoded(es256):
    assert refused(forged(es256, kid="k" * 600), es256)
