"""The whole life of a token on every server."""

from __future__ import annotations

from contextlib import closing

import pytest
from hosting import PARSERS
from wire import GRANT, Wire, ask, basic, bearer, issue, raw, revoke

from helpers.engines_base import wait_until
from oauth_mw import admin, open_store

# hypercorn, an ASGI server that serves WSGI apps too, begins to answer with the first piece of a body.
SERVERS = [*PARSERS, pytest.param("hypercorn", marks=pytest.mark.slow)]
pytestmark = pytest.mark.parametrize("server", SERVERS, indirect=True, scope="session")


def test_request_without_token_gets_a_bearer_challenge(server):  # B-01
    answer = ask(server, "GET", "/whoami")
    assert (answer.status, answer.challenge) == (401, 'Bearer realm="api"')


def test_token_names_its_client_to_the_app(server):  # T-01, B-02, B-17
    answer = ask(server, "GET", "/whoami", bearer(issue(server, "beta")))
    assert (answer.status, answer.json["client_id"], answer.json["scope"]) == (200, "beta", "read write")


def test_the_use_of_a_secret_is_noted(server):
    issue(server, "beta")

    with closing(open_store(server.store_url)) as store:
        wait_until(lambda: admin.last_use(store, "beta").secrets, "the use of a secret")


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
        connection.send(raw("HEAD", path, "Connection: close"), finish=True)
        assert connection.rest().endswith(b"\r\n\r\n")
