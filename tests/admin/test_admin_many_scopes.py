"""How many scopes a client is given."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.support import SECRET
from oauth_mw import AdminError, admin


@pytest.fixture(autouse=True)
def tester(store, clock):
    admin.add_client(store, "tester", scope="read", client_id="tester", secret=SECRET, clock=clock)


def test_a_client_that_has_more_scopes_than_are_allowed_now_keeps_them(store):
    many = tuple(f"s{number}" for number in range(201))
    store.update_client("tester", lambda client: replace(client, scopes=many))

    assert admin.update_client(store, "tester", name="another", lifetime=60).scopes == many


@pytest.mark.parametrize("name", ["scope", "default_scope"])
def test_two_hundred_scopes_are_allowed_and_not_one_more(store, name):
    scopes = [f"s{number}" for number in range(201)]
    admin.update_client(store, "tester", scope=" ".join(scopes[:200]), default_scope=" ".join(scopes[:200]))

    with pytest.raises(AdminError, match="at most 200 scopes, not 201"):
        admin.update_client(store, "tester", **{name: " ".join(scopes)})
