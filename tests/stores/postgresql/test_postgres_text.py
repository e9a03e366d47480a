"""Text that PostgreSQL cannot hold: what is asked for by it is unknown, what would hold it is refused."""

from __future__ import annotations

from contextlib import closing

import pytest

from helpers.builders import registered
from helpers.changes import end_client
from helpers.support import SECRET, basic, echo
from helpers.wsgi_client import CheckedApp
from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.errors import AdminError, NotFound, StoreUnavailable
from oauth_mw.stores.sql.store import SQLStore

ODD = {"NUL": "a\0b", "half a character": "a\ud800", "too long": "a" * 300, "nothing": ""}
every_odd = pytest.mark.parametrize("odd", ODD.values(), ids=ODD)


@pytest.fixture
def store(postgres_url):
    with closing(open_store(postgres_url, create=True)) as store:
        store.add_client(registered())
        yield store


ASKS = {
    "get": lambda store, odd: admin.get_client(store, odd),
    "update": lambda store, odd: admin.update_client(store, odd, name="x"),
    "delete": lambda store, odd: admin.delete_client(store, odd),
    "add a secret to": lambda store, odd: admin.add_secret(store, odd),
    "revoke a secret of": lambda store, odd: admin.revoke_secret(store, odd, "0"),
    "revoke a secret by": lambda store, odd: admin.revoke_secret(store, "tester", odd),
    "inspect a token by": lambda store, odd: admin.inspect_token(store, admin.token_key(odd)),
}


@every_odd
@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_what_odd_text_asks_for_is_not_found(store, ask, odd):
    with pytest.raises(NotFound):
        ask(store, odd)


@pytest.mark.parametrize("ask", [SQLStore.find_verifiers, SQLStore.find_client, end_client])
def test_an_error_about_odd_text_does_not_hold_it(store, ask):
    with pytest.raises(StoreUnavailable, match="^PostgreSQL: DataError$"):
        ask(store, ODD["NUL"])

    assert end_client(store, "tester")


MAKES = {
    "an id": lambda store, odd: admin.add_client(store, "x", client_id=odd),
    "a name": lambda store, odd: admin.add_client(store, odd),
    "a new name": lambda store, odd: admin.update_client(store, "tester", name=odd),
    "a scope": lambda store, odd: admin.add_client(store, "x", scope=f"read {odd}"),
    "a label": lambda store, odd: admin.add_secret(store, "tester", label=odd),
    "a secret": lambda store, odd: admin.add_secret(store, "tester", secret=SECRET + odd),
}
ALLOWED = {("a name", ""), ("a new name", ""), ("a scope", ""), ("a label", ""), ("a secret", "")}
ALLOWED |= {("a scope", ODD["too long"]), ("a secret", ODD["too long"])}


@pytest.mark.parametrize(
    ("what", "odd"), [(what, odd) for what in MAKES for odd in ODD.values() if (what, odd) not in ALLOWED], ids=ascii
)
def test_what_would_hold_odd_text_is_refused_and_changes_nothing(store, what, odd):
    before = list(store.clients())

    with pytest.raises(AdminError):
        MAKES[what](store, odd)

    assert list(store.clients()) == before


@every_odd
def test_an_odd_client_id_is_one_that_is_unknown(store, odd):
    app = CheckedApp(OAuthMiddleware(echo, store=store))

    answer = app.post(
        "/oauth/token",
        {"grant_type": "client_credentials"},
        headers=basic(odd.replace("\ud800", "%ED%A0%80"), SECRET, raw=True),
        status=401,
    )

    assert answer.json["error"] == "invalid_client"


ATTRIBUTES = {"text": "Größe 本 🂡 \x7f", "line": "a\nb", "NUL": "a\0b", "quote": "'\"\\%s%(x)s"}


@pytest.mark.parametrize("value", ATTRIBUTES.values(), ids=ATTRIBUTES)
def test_what_may_be_stored_comes_back_as_it_was(store, value):
    admin.add_client(store, "Größe 本 🂡 '\"\\%s%(x)s", client_id="other%s", attributes={"a": value})

    found = admin.get_client(store, "other%s")

    assert (found.name, found.attributes["a"]) == ("Größe 本 🂡 '\"\\%s%(x)s", value)
