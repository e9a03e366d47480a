"""How a Basic header is read (RFC 7617, RFC 6749 §2.3.1)."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from helpers.support import SECRET, basic, one_store
from helpers.wsgi_client import challenge_of, post_form
from oauth_mw import admin

pytestmark = one_store

CC = b"grant_type=client_credentials"
PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


@pytest.fixture
def register(store):
    """Register a client with this id and secret, of any quality."""
    return lambda client_id, secret: admin.add_client(
        store, "odd", scope="read", client_id=client_id, secret=secret, allow_weak_secret=True
    )


@pytest.fixture
def ask(wrap):
    """The answer to a token request with this Authorization value; a ``bytes`` pair is put into Basic."""
    app = wrap()

    def send(value):
        if isinstance(value, bytes):
            value = "Basic " + base64.b64encode(value).decode()
        return post_form(app.app, CC, HTTP_AUTHORIZATION=value)

    return send


IDS_AND_SECRETS = {
    "colon and space": ("a:b+c d", "p+s %2F:w-and-more-of-it"),
    "looks encoded": ("a%2Bb", "s%20e%20c%20r%20e%20t"),
    "all of %x20-7E": (PRINTABLE[::-1], PRINTABLE),
    "spaces around": (" a ", " the secret of a "),
    "only colons": ("a", "::::::::::::::::::"),
}


@pytest.mark.parametrize(("client_id", "secret"), IDS_AND_SECRETS.values(), ids=IDS_AND_SECRETS)
def test_id_and_secret_come_form_encoded_escaped_or_raw(register, ask, client_id, secret):
    register(client_id, secret)
    escaped = ":".join("".join(f"%{ord(c):02X}" for c in text) for text in (client_id, secret))

    assert ask(basic(client_id, secret)["Authorization"]).status == 200
    assert ask(escaped.encode()).status == ask(escaped.lower().encode()).status == 200
    assert ":" in client_id or ask(f"{client_id}:{secret}".encode()).status == 200


def test_one_decoded_and_one_raw_are_never_combined(register, ask):
    register("a+b", "se+cr+et+of+this+one")

    assert ask(b"a%2Bb:se+cr+et+of+this+one").status == 401
    assert ask(b"a+b:se%2Bcr%2Bet%2Bof%2Bthis%2Bone").status == 401


def test_the_decoded_reading_comes_first_and_the_raw_one_counts_if_it_fails(register, ask, store):
    register("a b", "one secret for both")
    register("a+b", "one+secret+for+both")
    admin.update_client(store, "a b", scope="decoded")
    assert b'"scope": "decoded"' in ask(b"a+b:one+secret+for+both").body

    admin.add_secret(store, "a+b", secret="the-secret+of-the-second")
    assert b'"scope": "read"' in ask(b"a+b:the-secret+of-the-second").body


def test_the_encoded_form_of_a_secret_is_not_the_secret(register, wrap, ask):  # A-02d
    secret = "p+s %2F:w-and-more-of-it"
    register("a", secret)
    twice = quote(quote(secret, safe=""), safe="")

    assert ask(f"a:{twice}".encode()).status == 401
    assert post_form(wrap().app, CC + b"&client_id=a&client_secret=" + twice.encode()).status == 401


GOOD = base64.b64encode(f"tester:{SECRET}".encode()).decode()


def test_the_scheme_has_any_case_and_spaces(client, ask):
    for value in ("basic {}", "BASIC {}", "bAsIc {}", "Basic  {}", "Basic     {}", "Basic {} "):
        assert ask(value.format(GOOD)).status == 200


BAD = base64.b64encode(b"tester:nonsense-nonsense").decode()
RIGHT = b"tester:" + SECRET.encode()
MALFORMED = {
    "no credentials": ["Basic", "Basic ", b":", b":::::", b"tester"],
    "no base64": ["Basic !!!!", f"Basic {GOOD} x y", f'Basic "{GOOD}"', f"Basic {GOOD}\xe9", f"Basic {GOOD}\0"],
    "base64 with more in it": [f"Basic {GOOD[:8]}{mark}{GOOD[8:]}" for mark in "! \n"],
    "url-safe base64": ["Basic " + base64.urlsafe_b64encode(b"tester:\xfb\xff\xfe").decode()],
    "cut or wrongly padded": [f"Basic {GOOD[:-1]}", f"Basic {GOOD}=", f"Basic {GOOD.rstrip('=')}x", f"Basic ={GOOD}"],
    "twice": [f"Basic {GOOD}{GOOD}"],
    "a parameter": [f'Basic {GOOD}, realm="x"'],
    "no space behind the scheme": [f"Basic{GOOD}", f"Basic\t{GOOD}", f"Basic: {GOOD}"],
    "not UTF-8": [b"tester:\xff\xfe"],
    "control characters": [RIGHT + end for end in (b"\0", b"\r\n", b"%0D%0A", b"%00")],
    "a bad escape": [RIGHT + b"%zz"],
    "several lines": [f"Basic {GOOD},Basic {BAD}", f"Basic {BAD}, Basic {GOOD}", f"Basic {GOOD}, Basic {GOOD}"],
    "Basic and Bearer": [f"Basic {GOOD}, Bearer x"],
}


@pytest.mark.parametrize("values", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_header_is_refused(client, ask, values):
    for value in values:
        answer = ask(value)
        assert (answer.status, challenge_of(answer).scheme) == (401, "Basic"), value


def test_non_canonical_base64_is_refused(register, ask):
    register("a", "0123-secret-of-88")
    pair = base64.b64encode(b"a:0123-secret-of-88").decode()  # ends in "OA=="
    other = pair.replace("OA==", "OB==")
    assert base64.b64decode(other) == base64.b64decode(pair)

    assert [ask(f"Basic {value}").status for value in (pair, other)] == [200, 401]


HUGE = ["Basic " + "A" * 64_000, b"tester:" + b"x" * 64_000, b"tester:" + b"%41" * 60_000, "x" * 200_000]


@pytest.mark.parametrize("value", [*HUGE, b"x" * 64_000 + b":" + SECRET.encode()], ids=lambda value: value[:8])
def test_huge_credentials_are_refused(client, ask, value):
    assert ask(value).status == 401


def test_the_longest_id_and_secret_may_be_escaped_and_nothing_longer_is_decoded(register, ask):
    client_id, secret = "i" * 255, "".join(chr(0x21 + number % 90) for number in range(1024))
    register(client_id, secret)
    pair = ":".join("".join(f"%{ord(c):02X}" for c in text) for text in (client_id, secret))

    assert [ask(pair.encode() + more).status for more in (b"", b" ", b"%41" * 60_000)] == [200, 401, 401]


@pytest.mark.parametrize(("id_length", "secret_length"), [(256, 20), (20, 1025), (60_000, 20), (20, 60_000)])
def test_what_is_longer_than_an_id_or_secret_can_be_never_reaches_the_store(
    wrap, store, monkeypatch, id_length, secret_length
):
    asked = []
    monkeypatch.setattr(store, "find_verifiers", asked.append)
    monkeypatch.setattr(store, "find_client", asked.append)
    form = f"grant_type=client_credentials&client_id={'i' * id_length}&client_secret={'s' * secret_length}"

    answer = post_form(wrap().app, form.encode())

    assert (answer.status, asked) == (401, [])
