"""A client with a ``not_after`` is issued tokens until then, and none that lives longer."""

from __future__ import annotations

import jwt
import pytest

from helpers.builders import NOW
from helpers.jwts import ISSUER
from helpers.support import CC, TESTER
from oauth_mw import admin

STORE_KINDS = ["memory"]
FORMATS = ["opaque", "jwt"]


@pytest.fixture
def app(wrap, store, clock, client):
    """An app whose client expires in ten seconds, before its tokens would."""
    admin.update_client(store, "tester", not_after=NOW + 10, clock=clock)
    return wrap(access_token_lifetime=60, issuer=ISSUER)


@pytest.fixture(params=FORMATS)
def answer(request, app, store):
    """What the token endpoint answers, with a token in one of the formats."""
    admin.update_client(store, "tester", token_format=request.param)
    return lambda **options: app.post("/oauth/token", CC, headers=TESTER, **options)


def expiry_of(token):
    if "." in token:
        return jwt.decode(token, options={"verify_signature": False})["exp"]
    return int.from_bytes(admin.token_key(token)[:4])


@pytest.mark.parametrize(("passed", "left"), [(0, 10), (0.5, 9), (9, 1), (9.5, 1)])
def test_a_token_expires_with_its_client(answer, clock, passed, left):
    clock.move(passed)

    found = answer().json

    assert (found["expires_in"], expiry_of(found["access_token"])) == (left, NOW + 10)


def test_an_earlier_expiry_of_a_token_is_kept(answer, store):
    admin.update_client(store, "tester", lifetime=5)

    found = answer().json

    assert (found["expires_in"], expiry_of(found["access_token"])) == (5, NOW + 5)


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/introspect", "/oauth/revoke"])
def test_a_client_that_has_expired_is_refused_as_for_a_wrong_secret(app, clock, path):
    form = {**CC, "token": "x"}
    wrong = app.post(path, {**form, "client_id": "tester", "client_secret": "no"}, status=401)
    app.post(path, form, headers=TESTER, status=200)

    clock.move(10)

    assert app.post(path, form, headers=TESTER, status=401).json == wrong.json


def test_a_later_end_counts_at_once_for_the_tokens_after_it(answer, store, clock):
    assert answer().json["expires_in"] == 10

    admin.update_client(store, "tester", not_after=NOW + 20, clock=clock)
    later = answer().json["expires_in"]
    admin.update_client(store, "tester", clear=["not_after"])

    assert (later, answer().json["expires_in"]) == (20, 60)
