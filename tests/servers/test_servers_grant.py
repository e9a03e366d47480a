"""The whole life of a token on every server."""

from __future__ import annotations

import pytest
from hosting import each_parser
from wire import GRANT, Wire, ask, basic, bearer, issue, raw, revoke

pytestmark = each_parser


def test_request_without_token_gets_a_bearer_challenge(server):  # B-01
    answer = ask(server, "GET", "/whoami")
    assert (answer.status, answer.challenge) == (401, 'Bearer realm="api"')


def test_token_names_its_client_to_the_app(server):  # T-01, B-02, B-17
    answer = ask(server, "GET", "/whoami", bearer(issue(server, "beta")))
    assert (answer.status, answer.json["client_id"], answer.json["scope"]) == (200, "beta", "read write")


def test_wrong_secret_gets_a_basic_challenge(server):
    answer = ask(server, "POST", "/oauth/token", basic("alpha", "not its secret"), GRANT)
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")
    assert answer.challenge.startswith("Basic ")


def test_revoked_token_is_refused(server):
    token = issue(server)
    assert ask(server, "GET", "/whoami", bearer(token)).status == 200
    assert revoke(server, token).status == 200
    assert [ask(server, "GET", "/whoami", bearer(token)).status for _ in range(8)] == [401] * 8


def test_scope_rule_refuses_with_403(server):  # S-11
    answer = ask(server, "GET", "/admin/users", bearer(issue(server)))
    assert (answer.status, 'error="insufficient_scope"' in answer.challenge) == (403, True)


@pytest.mark.parametrize("path", ["/whoami", "/oauth/token", "/oauth/revoke", "/public", "/admin//x"])
def test_answer_to_head_has_no_body(server, path):  # H-16
    with Wire(server) as connection:
        connection.send(raw("HEAD", path), finish=True)
        assert connection.rest().endswith(b"\r\n\r\n")
