"""Options about the issuer, the audience of tokens, and the signing keys."""

from __future__ import annotations

import sys
from itertools import product

import pytest

from oauth_mw import ConfigError
from oauth_mw.config import configure

ISSUER = "https://auth.example"


def settings(**options):
    return configure({"store": "memory://", **options})


def refusal(**options):
    with pytest.raises(ConfigError) as found:
        settings(**options)
    return found.value.option, str(found.value)


GOOD = """
    https://auth.example https://auth.example/ https://AUTH.example:8443/Tenant/1 https://auth.example/~x/(a),b
    https://[2001:db8::1]:443/a/ https://192.0.2.1 http://localhost:8080/a http://127.1.2.3 http://[::1]:8080
""".split()


@pytest.mark.parametrize("url", GOOD)
def test_an_issuer_is_taken_as_it_is_written(url):  # M-02
    assert settings(issuer=url).issuer == url


BAD = {
    "plain HTTP elsewhere": [f"http://{host}" for host in ("a.example", "localhost.b", "127.0.0.1.c", "[2001:db8::1]")],
    "a query or fragment": ["https://auth.example?", "https://auth.example/?a=b", "https://auth.example#"],
    "a user": ["https://user@auth.example", "https://user:hunter2@auth.example"],
    "no host": ["https://", "https:///a", "https:auth.example"],
    "another scheme": ["HTTPS://auth.example", "ftp://auth.example", "urn:example:issuer"],
    "a broken port": [f"https://auth.example:{port}" for port in ("", "99999", "x")],
    "a broken address": ["https://[:::]", "https://[127.0.0.1]"],
    "an ambiguous path": [f"https://a.example/{path}" for path in ("a//b", "/", "a/../b", ".", "a%20b", "a;b", "a\\b")],
    "a pattern": ["https://auth.example/*", "https://auth.example/{a}"],
    "not ASCII": ["https://auth.example/ä", "https://äuth.example"],
    "quotes or white space": ['https://auth.example/"', "https://auth.example/a b", " https://auth.example"],
    "a line feed": ["https://auth.example\n", "https://auth.example/a\n"],
}


@pytest.mark.parametrize("urls", BAD.values(), ids=BAD)
def test_what_could_be_compared_or_routed_in_two_ways_is_refused(urls):  # M-02
    for option, url in product(["issuer", "public_url"], urls):
        name, message = refusal(**{option: url})
        assert (name, "hunter2" in message) == (option, False), url


@pytest.mark.parametrize(
    ("options", "public_url", "audience"),
    [
        ({}, "", ()),
        ({"issuer": ISSUER}, ISSUER, (ISSUER,)),
        ({"issuer": ISSUER, "public_url": "https://b.example"}, "https://b.example", ("https://b.example",)),
        ({"public_url": "https://b.example"}, "https://b.example", ("https://b.example",)),
        ({"issuer": ISSUER, "audience": "urn:a"}, ISSUER, ("urn:a",)),
    ],
)
def test_public_url_and_audience_follow_from_the_issuer(options, public_url, audience):  # J-04
    found = settings(**options)

    assert (found.public_url, found.names) == (public_url, audience)


def test_a_resource_server_has_at_most_20_names():
    assert len(settings(audience=[f"urn:a:{n}" for n in range(20)]).audience) == 20
    assert refusal(audience=[f"urn:a:{n}" for n in range(21)])[0] == "audience"


@pytest.mark.parametrize(
    ("option", "value"), [("token_format", "jwt"), ("signing_key_lifetime", 3600), ("signing_key_files", "a.pem")]
)
def test_what_signs_needs_an_issuer(option, value):
    culprit, message = refusal(**{option: value})

    assert culprit == "issuer" and option in message
    assert settings(issuer=ISSUER, **{option: value})


def test_an_issuer_needs_joserfc(monkeypatch):
    monkeypatch.setitem(sys.modules, "joserfc", None)  # as if it was not installed

    culprit, message = refusal(issuer=ISSUER)
    assert culprit == "issuer" and "pip install 'oauth_mw[jwt]'" in message


def test_keys_in_files_have_no_lifetime():
    culprit, message = refusal(issuer=ISSUER, signing_key_files="a.pem", signing_key_lifetime=3600)

    assert culprit == "signing_key_lifetime" and "signing_key_files" in message


def test_the_key_encryption_secret_is_never_shown():  # L-02
    assert "horse" not in repr(settings(key_encryption_secret="correct horse battery"))
    assert "short-5ecret" not in refusal(key_encryption_secret="short-5ecret")[1]


@pytest.mark.parametrize("kind", ["authorization-server", "protected-resource"])
def test_an_own_path_in_place_of_a_document_is_refused(kind):
    for option in ("token_path", "jwks_path"):
        culprit, message = refusal(issuer=ISSUER, **{option: f"/.well-known/oauth-{kind}"})
        assert culprit == "metadata" and option in message
