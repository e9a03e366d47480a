"""What a refusal of an endpoint tells the developer of a client: constant texts, and nothing about credentials."""

from __future__ import annotations

import json

import pytest

from helpers.support import SECRET, basic, bearer, one_store
from helpers.wsgi_client import call, make_environ, post_form

CC = b"grant_type=client_credentials"
FORM = "application/x-www-form-urlencoded"
PATHS = ["/oauth/token", "/oauth/revoke", "/oauth/introspect"]

pytestmark = one_store


def text_of(answer):
    return answer.status, json.loads(answer.body)["error"], json.loads(answer.body)["error_description"]


@pytest.fixture
def refused(wrap, client):
    """POST a body to an endpoint as the client; the status, error and text of the answer."""

    def refused(body=CC + b"&token=x", path="/oauth/token", grant_type_in="body", **keys):
        keys = {"HTTP_AUTHORIZATION": basic("tester", SECRET)["Authorization"], **keys}
        return text_of(post_form(wrap(grant_type_in=grant_type_in).app, body, path, **keys))

    return refused


REFUSED = {
    "no Content-Type": ({"CONTENT_TYPE": None}, f"The Content-Type is missing: send {FORM}"),
    "another Content-Type": ({"CONTENT_TYPE": "application/json"}, f"The Content-Type is wrong: send {FORM}"),
    "another charset": (
        {"CONTENT_TYPE": f"{FORM}; charset=iso-8859-1", "body": b"token=%e4"},
        "The charset in the Content-Type is not UTF-8: send the parameters in UTF-8",
    ),
    "broken encoding": ({"body": b"x=%zz"}, "A parameter is not form-encoded UTF-8: write special characters as %XX"),
    "no equals sign": ({"body": b"token"}, "A parameter has no '=': send name=value pairs joined by &"),
    "repeated": ({"body": b"token=x&token=x"}, "The parameter token was sent more than once: send it once"),
    "another client's id": (
        {"body": CC + b"&token=x&client_id=other"},
        "The parameter client_id names another client than the one that authenticates",
    ),
    "two methods": (
        {"body": CC + b"&token=x&client_secret=x"},
        "The client authenticates by more than one method: use one",
    ),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("request_", "text"), REFUSED.values(), ids=REFUSED)
def test_an_endpoint_says_what_is_wrong_and_what_it_expects(refused, path, request_, text):
    assert refused(path=path, **request_) == (400, "invalid_request", text)


@pytest.mark.parametrize(("path", "name"), [(PATHS[0], "grant_type"), (PATHS[1], "token"), (PATHS[2], "token")])
def test_a_parameter_that_is_missing_is_named(refused, path, name):
    assert refused(b"x=y", path) == refused(b"", path) == (400, "invalid_request", f"The parameter {name} is missing")


@pytest.mark.parametrize(("places", "named"), [("body", "body"), (["body", "header"], "body or header")], ids=str)
@pytest.mark.parametrize(("body", "media_type"), [(b"", None), (b"x=y", FORM)], ids=["no body", "a body"])
def test_a_grant_type_in_the_query_is_named_where_it_is_not_read(refused, places, named, body, media_type):
    text = f"The parameter grant_type is not read from the query here: send it in the {named}"
    answer = refused(body, grant_type_in=places, QUERY_STRING=f"a=b&{CC.decode()}", CONTENT_TYPE=media_type)

    assert answer == (400, "invalid_request", text)


@pytest.mark.parametrize(
    ("place", "keys"), [("body", {"body": CC}), ("header", {"HTTP_GRANT_TYPE": "client_credentials"})]
)
def test_a_grant_type_in_another_place_is_named_where_it_is_not_read(refused, place, keys):
    text = f"The parameter grant_type is not read from the {place} here: send it in the query"

    assert refused(grant_type_in="query", **{"body": b"", **keys}) == (400, "invalid_request", text)


@pytest.mark.parametrize("path", PATHS[1:])
def test_a_token_in_the_query_is_named(refused, path):
    text = "The parameter token is not read from the query here: send it in the body"

    assert refused(b"", path, QUERY_STRING="token=x") == (400, "invalid_request", text)


def test_the_log_names_the_client_of_each_refusal(app, caplog):
    caplog.set_level("INFO", "oauth_mw")
    for form in ({}, {"grant_type": "password"}, {"grant_type": "client_credentials", "scope": "no"}):
        app.post("/oauth/token", form, headers=basic("tester", SECRET), status=400)

    assert ["client: tester (tester);" in message for message in caplog.messages] == [True] * 3


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "value", [None, "Bearer x", "Basic x", basic("tester", "no" + SECRET)["Authorization"]], ids=str
)
@pytest.mark.parametrize("body", [b"", CC], ids=["empty", "a form"])
def test_bad_credentials_have_one_text(refused, path, value, body):
    answer = refused(body, path, HTTP_AUTHORIZATION=value)

    assert answer == (401, "invalid_client", "Client authentication failed")


# A slash too much

HINT = (404, "invalid_request", "No endpoint is at this path: leave out the slash at its end")
BELOW = {
    "no rule": ({}, True),
    "a rule for all paths": ({"required_scopes": ["* /* read"]}, True),
    "rules elsewhere": ({"required_scopes": ["* /oauth/tokens/* read", "* /oauth/{name} read"]}, True),
    "a rule below": ({"required_scopes": ["GET /oauth/token/help read"]}, False),
    "a rule above": ({"required_scopes": ["* /oauth/* read"]}, False),
    "a public path below": ({"public_paths": ["/oauth/token/help"]}, False),
    "a name in the rule": ({"required_scopes": ["* /oauth/{name}/keys read"]}, False),
}


@pytest.mark.parametrize("path", [f"{path}/" for path in PATHS])
@pytest.mark.parametrize("value", [None, "Bearer bad", basic("tester", SECRET)["Authorization"]], ids=str)
def test_a_slash_after_the_path_of_an_endpoint_is_named(app, path, value):
    assert text_of(post_form(app.app, CC, path, HTTP_AUTHORIZATION=value)) == HINT


def test_the_log_names_the_slash(app, caplog):
    caplog.set_level("INFO", "oauth_mw")

    post_form(app.app, CC, "/oauth/token/")

    assert [record.oauth_mw_reason for record in caplog.records] == ["a slash after the path of an endpoint"]


@pytest.mark.parametrize(("options", "hinted"), BELOW.values(), ids=BELOW)
def test_the_guard_answers_there_if_rules_or_public_paths_name_paths_below(wrap, client, options, hinted):
    answer = post_form(wrap(**options).app, CC, "/oauth/token/")

    assert (answer.status == 404, "WWW-Authenticate" in answer.headers) == (hinted, not hinted)


def test_with_a_token_the_app_answers_there(app, token):
    app.get("/oauth/token/", headers=bearer(token), status=200)


def test_a_path_that_only_begins_like_one_is_guarded(app):
    for path in ("/oauth/token/x", "/oauth/tokens/", "/oauth/", "/any/"):
        assert call(app.app, make_environ("POST", path)).status == 401
