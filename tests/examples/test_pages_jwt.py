"""The service of ``examples/jwt/`` checks our tokens by itself."""

from __future__ import annotations

import time

import jwt
import pytest

from helpers.pages import fence, program, read
from helpers.serving import serving
from helpers.support import bearer, issue, one_store
from oauth_mw.keys.keypair import from_pem
from oauth_mw.tokens.jws import header_of, sign

PROGRAM = "examples/jwt/billing.py"
AUDIENCE = "https://billing.example.com"


@pytest.fixture
def billing(wrap, client, clock, monkeypatch):
    """The service, and how a token is got from a real server that issues them."""
    clock.now = time.time()
    with serving() as (issuer, set_app):
        monkeypatch.setenv("ISSUER", issuer)
        app = wrap(issuer=issuer, audience=[issuer, AUDIENCE], token_format="jwt")
        set_app(app.app)
        yield program(PROGRAM), lambda resource=AUDIENCE: issue(app, resource=resource or issuer)


def test_the_page_shows_the_check_of_the_program():
    shown = fence("examples/jwt/README.md", "python")

    assert shown[shown.index("def check") :] in read(PROGRAM)


@one_store
def test_a_token_for_it_is_accepted_and_one_for_another_is_not(billing):
    service, token_for = billing
    app = service["app"].test_client()

    accepted = app.get("/invoices", headers=bearer(token_for()))
    refused = [app.get("/invoices", headers=headers) for headers in ({}, bearer(token_for(None)))]

    assert accepted.json == {"client": "tester", "scope": "read write"}
    assert [answer.status_code for answer in refused] == [401, 401]


@one_store
def test_a_changed_token_is_refused(billing):
    service, token_for = billing

    with pytest.raises(jwt.InvalidTokenError):
        service["check"](token_for()[:-10] + "A" * 10)


@one_store
@pytest.mark.parametrize("seconds", [2, -2], ids=["slow", "fast"])
def test_a_service_whose_clock_differs_accepts_fresh_tokens(billing, clock, seconds):
    service, token_for = billing
    clock.move(seconds)

    assert service["check"](token_for())["client_id"] == "tester"


@one_store
def test_an_expired_token_is_refused_there(billing, clock):
    service, token_for = billing
    clock.move(-3600 - 60)

    with pytest.raises(jwt.ExpiredSignatureError):
        service["check"](token_for())


@one_store
def test_what_a_key_of_ours_signed_for_something_else_is_no_access_token(billing, store):  # J-07
    service, token_for = billing
    claims = jwt.decode(token_for(), options={"verify_signature": False})
    key = from_pem(store.read_keys().keys[0].private)

    with pytest.raises(jwt.InvalidTokenError, match="no access token"):
        service["check"](sign(header_of(key, "JWT"), claims, key))
