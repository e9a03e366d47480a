"""Half a character, which a Python text can hold and no encoding: it is refused, and nothing changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.builders import key_of, multi_process, registered
from helpers.changes import end_client, remove_secret
from helpers.support import SECRET
from oauth_mw import AdminError, admin
from oauth_mw.model import TokenRecord

pytestmark = pytest.mark.usefixtures("tester")

HALF = "a\ud800"


CALLS = {
    "add by id": lambda store: admin.add_client(store, "x", client_id=HALF),
    "add by name": lambda store: admin.add_client(store, HALF),
    "add with a scope": lambda store: admin.add_client(store, "x", scope=HALF),
    "add with a default scope": lambda store: admin.add_client(store, "x", scope="read", default_scope=HALF),
    "add with a token format": lambda store: admin.add_client(store, "x", token_format=HALF),
    "add with an audience": lambda store: admin.add_client(store, "x", audiences=[f"urn:x:{HALF}"]),
    "add with a default audience": lambda store: admin.add_client(store, "x", default_audience=[f"urn:x:{HALF}"]),
    "add with an attribute": lambda store: admin.add_client(store, "x", attributes={"a": HALF}),
    "add with an attribute's name": lambda store: admin.add_client(store, "x", attributes={HALF: "a"}),
    "add with a public attribute": lambda store: admin.add_client(store, "x", public_attributes={"a": HALF}),
    "add with a secret": lambda store: admin.add_client(store, "x", secret=SECRET + HALF, allow_weak_secret=True),
    "show": lambda store: admin.get_client(store, HALF),
    "update": lambda store: admin.update_client(store, HALF, name="x"),
    "update a name": lambda store: admin.update_client(store, "tester", name=HALF),
    "update a scope": lambda store: admin.update_client(store, "tester", scope=HALF),
    "update an attribute": lambda store: admin.update_client(store, "tester", attributes={"a": HALF}),
    "clear": lambda store: admin.update_client(store, "tester", clear=[HALF]),
    "enable": lambda store: admin.enable_client(store, HALF),
    "disable": lambda store: admin.disable_client(store, HALF),
    "delete": lambda store: admin.delete_client(store, HALF),
    "add a secret": lambda store: admin.add_secret(store, HALF),
    "add a secret with a label": lambda store: admin.add_secret(store, "tester", label=HALF),
    "add a secret from elsewhere": lambda store: admin.add_secret(store, "tester", secret=SECRET + HALF),
    "revoke a secret of": lambda store: admin.revoke_secret(store, HALF, "0"),
    "revoke a secret": lambda store: admin.revoke_secret(store, "tester", HALF),
    "revoke all tokens": lambda store: admin.revoke_all_tokens(store, HALF),
    "inspect a token": lambda store: admin.inspect_token(store, admin.token_key(HALF)),
    "inspect a JWT": lambda store: admin.inspect_jwt(store, HALF),
    "revoke a JWT": lambda store: admin.revoke_jwt(store, HALF),
    "retire a key": lambda store: admin.retire_key(store, HALF),
}


@pytest.mark.parametrize("store_kind", ["memory"])  # which itself would accept it
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_it_is_refused_and_changes_nothing(store, call):
    before = list(store.clients())

    with pytest.raises(AdminError):
        call(store)

    assert list(store.clients()) == before


OPERATIONS = [
    lambda store: store.find_verifiers(HALF),
    lambda store: store.find_client(HALF),
    lambda store: store.add_client(registered(HALF)),
    lambda store: store.update_client(HALF, lambda client: replace(client, name="x")),
    lambda store: end_client(store, HALF),
    lambda store: remove_secret(store, HALF, "0"),
    lambda store: store.revoke_log_only(HALF, key_of(), 0),
]


@multi_process
def test_a_store_itself_refuses_it_and_goes_on(store):
    for operate in OPERATIONS:
        with pytest.raises(AdminError, match="lone surrogate"):
            operate(store)

    assert store.find_client("tester") == store.update_client("tester", lambda client: client)
    store.add_token(key_of(), TokenRecord("tester", "", 1, 0))
    assert store.find_token(key_of())
