"""Text that PostgreSQL cannot store: nothing is found by it, and no error contains it."""

from __future__ import annotations

import pytest

from helpers.changes import end_client
from helpers.support import SECRET, basic, echo
from helpers.wsgi_client import CheckedApp
from oauth_mw import OAuthMiddleware, StoreUnavailable, admin
from oauth_mw.errors import NotFound
from oauth_mw.stores.sql.store import SQLStore

NUL, TOO_LONG = "a\0b", "a" * 300
ASKS = {
    "get": lambda store: admin.get_client(store, NUL),
    "get by a long id": lambda store: admin.get_client(store, TOO_LONG),
    "update": lambda store: admin.update_client(store, NUL, name="x"),
    "delete": lambda store: admin.delete_client(store, NUL),
    "add a secret to": lambda store: admin.add_secret(store, NUL),
    "revoke a secret of": lambda store: admin.revoke_secret(store, NUL, "0"),
    "revoke a secret by": lambda store: admin.revoke_secret(store, "tester", NUL),
    "inspect a token by": lambda store: admin.inspect_token(store, admin.token_key(NUL)),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_odd_text_finds_nothing(elsewhere, ask):
    with pytest.raises(NotFound):
        ask(elsewhere)


@pytest.mark.parametrize("ask", [SQLStore.find_verifiers, SQLStore.find_client, end_client])
def test_an_error_about_odd_text_does_not_hold_it(elsewhere, ask):
    with pytest.raises(StoreUnavailable, match="^PostgreSQL: DataError$"):
        ask(elsewhere, NUL)

    assert end_client(elsewhere, "tester")


@pytest.mark.parametrize("odd", [NUL, "a%ED%A0%80", TOO_LONG, ""], ids=["NUL", "half a character", "long", "nothing"])
def test_an_odd_client_id_is_one_that_is_unknown(elsewhere, odd):
    app = CheckedApp(OAuthMiddleware(echo, store=elsewhere))
    login = basic(odd, SECRET, raw=True)

    answer = app.post("/oauth/token", {"grant_type": "client_credentials"}, headers=login, status=401)

    assert answer.json["error"] == "invalid_client"


def test_what_may_be_stored_is_read_as_it_was(elsewhere):
    name, attributes = "Größe 本 🂡 '\"\\%s%(x)s", {"text": "\x7f\0", "lines": "a\nb", "quotes": "'\"\\%s%(x)s"}
    admin.add_client(elsewhere, name, client_id="other%s", attributes=attributes)

    found = admin.get_client(elsewhere, "other%s")

    assert (found.name, dict(found.attributes)) == (name, attributes)
