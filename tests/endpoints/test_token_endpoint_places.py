"""``grant_type_in``: where the grant type may stand, as Apigee deployments send it."""

from __future__ import annotations

import itertools

import pytest

from helpers.support import SECRET, TESTER, one_store
from helpers.wsgi_client import call, make_environ

CC = "client_credentials"
FORM = "application/x-www-form-urlencoded"

pytestmark = one_store

PLACES = ["body", "query", "header"]


@pytest.fixture
def ask(wrap, client):
    """Ask for a token with the grant type in the places that ``sent`` maps to a value."""

    def ask(grant_type_in, sent, query="", body="", credentials=True, **keys):
        fields = {place: f"grant_type={value}" for place, value in sent.items()}
        keys |= {"HTTP_GRANT_TYPE": sent["header"]} if "header" in sent else {}
        keys |= {"HTTP_AUTHORIZATION": TESTER["Authorization"]} if credentials else {}
        keys["QUERY_STRING"] = "&".join(filter(None, [fields.get("query"), query]))
        form = "&".join(filter(None, [fields.get("body"), body])).encode()
        environ = make_environ("POST", "/oauth/token", form, **{"CONTENT_TYPE": FORM, **keys})
        return call(wrap(grant_type_in=grant_type_in).app, environ)

    return ask


def invalid(answer, error=b"invalid_request"):
    return (answer.status, error in answer.body) == (400, True)


@pytest.mark.parametrize("on", PLACES)
def test_a_grant_type_counts_in_a_place_that_is_on_alone(ask, on):  # T-12
    for off in {*PLACES} - {on}:
        assert ask(on, {on: CC}).status == ask(on, {on: CC, off: "password"}).status == 200
        assert invalid(ask(on, {off: CC}))


@pytest.mark.parametrize("second", [CC, "password"], ids=["same", "other"])
@pytest.mark.parametrize("places", [*itertools.combinations(PLACES, 2), PLACES], ids="+".join)
def test_a_grant_type_in_several_places_that_are_on_is_invalid(ask, places, second):  # T-10
    assert invalid(ask(PLACES, {**dict.fromkeys(places, second), places[0]: CC}))


@pytest.mark.parametrize("place", PLACES)
def test_the_grant_type_is_compared_exactly_in_every_place_and_an_empty_one_left_out(ask, place):  # T-07, T-08, T-09
    assert invalid(ask(PLACES, {place: ""}))
    assert invalid(ask(place, {place: "Client_Credentials"}), b"unsupported_grant_type")


def test_a_grant_type_twice_in_one_place_is_invalid(ask):  # T-10
    assert ask("header", {"header": f"{CC},{CC}"}).status == 400
    assert ask("query", {"query": CC}, query=f"grant_type={CC}").status == 400


@pytest.mark.parametrize(("on", "place"), [("query", "query"), (["body", "query"], "body")], ids=["alone", "beside"])
def test_scope_and_state_may_come_from_the_query(ask, on, place):  # T-12
    assert b'"scope": "read", "state": "xyz"' in ask(on, {place: CC}, query="scope=read&state=xyz").body


@pytest.mark.parametrize("on", ["body", "header"])
def test_scope_and_state_do_not_come_from_a_query_that_is_off(ask, on):  # T-12
    answer = ask(on, {on: CC}, query="scope=read&state=xyz")

    assert b'"scope": "read write"' in answer.body
    assert b"xyz" not in answer.body


@pytest.mark.parametrize("name", ["scope", "state"])
@pytest.mark.parametrize("value", ["read", "write"], ids=["same", "other"])
def test_scope_or_state_in_two_places_is_invalid(ask, name, value):  # T-10
    assert invalid(ask("query", {"query": CC}, query=f"{name}=read", body=f"{name}={value}"))


@pytest.mark.parametrize("scope", ["nope", "read%09write"])
def test_scope_in_the_query_is_checked_as_in_the_body(ask, scope):  # S-03, S-06
    assert b"invalid_scope" in ask("query", {"query": CC}, query=f"scope={scope}").body


@pytest.mark.parametrize("on", PLACES)
def test_credentials_never_come_from_the_query(ask, on):  # T-12, A-11
    for query, body in (
        (f"client_id=tester&client_secret={SECRET}", ""),
        ("client_id=tester", f"client_secret={SECRET}"),
    ):
        answer = ask(on, {on: CC}, query=query, body=body, credentials=False)
        assert (answer.status, b"invalid_client" in answer.body) == (401, True)


def test_with_query_an_empty_body_needs_no_content_type_but_another_does(ask):  # T-14
    assert [ask("query", {"query": CC}, CONTENT_TYPE=each).status for each in (None, "")] == [200, 200]
    assert ask("query", {"query": CC}, body="x=y", CONTENT_TYPE=None).status == 400
    assert ask("query", {"query": CC}, body="x=y", CONTENT_TYPE="text/plain").status == 400


BROKEN = ["x=%zz", "x=%ff", "x=\xff", "x=%00", "&".join(f"a{n}=b" for n in range(300)), "x=" + "%41" * 30_000]


@pytest.mark.parametrize("query", BROKEN, ids=lambda query: query[:6])
def test_a_broken_or_long_query_is_invalid_where_it_counts(ask, query):  # T-20, T-21
    assert ask("query", {"query": CC}, query=query).status == 400
    assert ask("body", {"body": CC}, query=query).status == 200
