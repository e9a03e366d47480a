"""Custom attributes of a client, on its tokens and in the answers."""

from __future__ import annotations

import json

import pytest

from helpers.support import CC, SECRET, basic, bearer, one_store
from oauth_mw import admin, current_token

pytestmark = one_store

INSIDE = {"tenant": "north", "tier": 3, "trial": False, "rate": 1.5}
PUBLIC = {"display-name": "Nightly ☾", "quota": 10, "beta": True, "x.y_z": 0.25}


def show_attributes(environ, start_response):
    """An app that answers with the attributes of the token."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(dict(current_token(environ).attributes)).encode()]


@pytest.fixture
def answer(wrap, store, clock):
    """The token endpoint's answer to a client with attributes."""
    attributes = {"attributes": INSIDE, "public_attributes": PUBLIC}
    admin.add_client(store, "a", scope="read", client_id="a", secret=SECRET, clock=clock, **attributes)
    return wrap().post("/oauth/token", CC, headers=basic("a", SECRET)).json


def test_public_attributes_are_members_of_the_answer(answer):
    assert answer.keys() == {"access_token", "token_type", "expires_in", "scope", *PUBLIC}
    assert {name: answer[name] for name in PUBLIC} == PUBLIC


def test_the_app_sees_all_attributes_and_introspection_the_public_ones(wrap, answer):  # B-17
    seen = wrap(show_attributes).get("/any", headers=bearer(answer["access_token"])).json
    told = wrap().post("/oauth/introspect", {"token": answer["access_token"]}, headers=basic("a", SECRET)).json

    assert seen == INSIDE | PUBLIC
    assert {name: type(value) for name, value in seen.items()} == {k: type(v) for k, v in (INSIDE | PUBLIC).items()}
    assert {name: told[name] for name in PUBLIC} == PUBLIC and not INSIDE.keys() & told.keys()


def test_attributes_are_those_of_the_time_of_issue(wrap, store, answer):
    admin.update_client(store, "a", attributes={"tenant": "south"})
    app = wrap(show_attributes)
    later = app.post("/oauth/token", CC, headers=basic("a", SECRET)).json

    assert app.get("/any", headers=bearer(answer["access_token"])).json["tenant"] == "north"
    assert app.get("/any", headers=bearer(later["access_token"])).json["tenant"] == "south"


def test_attributes_cannot_be_changed_by_the_app(wrap, answer):  # B-20
    def tamper(environ, start_response):
        current_token(environ).attributes["tenant"] = "mine"

    with pytest.raises(TypeError, match="item assignment"):
        wrap(tamper).get("/any", headers=bearer(answer["access_token"]))
