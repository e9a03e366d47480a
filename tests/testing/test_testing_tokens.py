"""Views that are tested without the middleware get a token as an accepted request has one."""

from __future__ import annotations

import pytest

from helpers.support import bearer
from helpers.wsgi_client import CheckedApp
from oauth_mw import current_token
from oauth_mw.testing import environ_keys, make_token, sandbox


def test_a_made_token_is_like_an_issued_one(production):
    seen = {}

    def keeps_keys(environ, start_response):
        seen.update({name: value for name, value in environ.items() if name.startswith("oauth_mw.")})
        start_response("204 No Content", [])
        return []

    with sandbox(production(keeps_keys)) as oauth:
        headers = bearer(oauth.token_for("reports:read a", client="nightly", tenant="acme"))
        CheckedApp(oauth.middleware).get("/reports", headers=headers)
    made = make_token("reports:read a", client="nightly", tenant="acme")
    keys = environ_keys(made)

    assert keys.keys() == seen.keys()
    assert (keys["oauth_mw.client_id"], keys["oauth_mw.scope"]) == ("nightly", "reports:read a")
    assert made.has_scope("a", "reports:read") and made.attributes == seen["oauth_mw.token"].attributes
    assert made.expires_at - made.issued_at == 3600 and len(made.token_id) == len(seen["oauth_mw.token"].token_id)


def test_a_view_finds_it():
    made = make_token()

    assert current_token(environ_keys(made)) is made
    assert (made.client_id, made.scope, made.scopes) == ("job", "", frozenset())


@pytest.mark.parametrize("refused", [{"scope": "a,b"}, {"scope": "ä"}, {"tenant": None}, {"a\nb": "x"}])
def test_what_no_token_can_have_is_refused(refused):
    with pytest.raises(ValueError):
        make_token(**refused)
