"""Custom attributes of a client, on its tokens and in the answers."""

from __future__ import annotations

import json

import pytest

from helpers.support import SECRET, basic, bearer
from oauth_mw import AdminError, admin, current_token

CC = {"grant_type": "client_credentials"}
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


def test_the_app_sees_all_attributes(wrap, answer):  # B-17
    seen = wrap(show_attributes).get("/any", headers=bearer(answer["access_token"])).json

    assert seen == INSIDE | PUBLIC
    assert {name: type(value) for name, value in seen.items()} == {k: type(v) for k, v in (INSIDE | PUBLIC).items()}


def test_introspection_shows_public_attributes_alone(wrap, answer):
    form = {"token": answer["access_token"]}
    seen = wrap().post("/oauth/introspect", form, headers=basic("a", SECRET)).json

    assert {name: seen[name] for name in PUBLIC} == PUBLIC
    assert not INSIDE.keys() & seen.keys()


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


@pytest.mark.parametrize(
    "name", "access_token scope state Error active exp sub iss cnf client_id organization_name status issued_at".split()
)
def test_names_with_a_meaning_of_their_own_are_refused(store, name):
    with pytest.raises(AdminError, match="meaning"):
        admin.add_client(store, "a", public_attributes={name: "x"})


@pytest.mark.parametrize(
    "attributes",
    [
        {f"a{n}": n for n in range(19)},
        {"a": "x" * 2048},
        {"a b": "x"},
        {"ä": "x"},
        {"": "x"},
        {"a": None},
        {"a": ["x"]},
        {"a": float("nan")},
        {"a": "\ud800"},
    ],
    ids=["19", "2 kB", "space", "umlaut", "no name", "null", "list", "NaN", "no Unicode"],
)
def test_attributes_have_bounds(store, attributes):
    with pytest.raises(AdminError, match="attribute"):
        admin.add_client(store, "a", attributes=attributes)


def test_18_attributes_are_taken(store):
    admin.add_client(store, "a", attributes={f"a{n}": n for n in range(18)})
