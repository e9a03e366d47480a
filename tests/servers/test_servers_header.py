"""``authorization_header`` behind real servers: several values of it arrive as one that is refused."""

from __future__ import annotations

import pytest
from hosting import running
from wire import FORM, GRANT_BODY, basic, exchange, get, raw

pytestmark = pytest.mark.slow

NAME = "X-Api-Token"
PROXY = "Authorization: Basic cHJveHk6cGFzc3dvcmQ="
# These drop names with an underscore. To others X_Api_Token is the same name.
DROPPING = ("gunicorn", "waitress")


@pytest.fixture(scope="module", params=["gunicorn", "waitress", "uwsgi", "hypercorn", "wsgiref"])
def server(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    with running(request.param, folder, authorization_header=NAME) as started:
        yield started


def status(server, data):
    """The status of the answer; 400 where the server hangs up instead."""
    answer = exchange(server, data)
    return answer.status if answer else 400


@pytest.fixture(scope="module")
def token(server):
    answer = exchange(server, token_request(NAME, PROXY))
    assert answer and answer.status == 200
    return answer.json["access_token"]


def token_request(name, *lines):
    length = f"Content-Length: {len(GRANT_BODY)}"
    return raw(
        "POST",
        "/oauth/token",
        f"{name}: {basic()['Authorization']}",
        f"Content-Type: {FORM}",
        length,
        *lines,
        body=GRANT_BODY,
    )


@pytest.mark.parametrize("name", [NAME, NAME.lower(), NAME.upper()])
def test_a_token_in_that_header_is_accepted_beside_what_is_for_the_proxy(server, token, name):
    assert status(server, get("/whoami", PROXY, f"{name}: Bearer {token}")) == 200


LINES = {
    "none": [],
    "in Authorization": ["Authorization: Bearer {}"],
    "empty": [f"{NAME}:", "Authorization: Bearer {}"],
    "twice": [f"{NAME}: Bearer {{}}"] * 2,
    "twice in other cases": [f"{NAME}: Bearer {{}}", f"{NAME.lower()}: Bearer {{}}"],
    "bad before": [f"{NAME}: Bearer x", f"{NAME}: Bearer {{}}"],
    "bad behind": [f"{NAME}: Bearer {{}}", f"{NAME}: Bearer x"],
    "empty before": [f"{NAME}:", f"{NAME}: Bearer {{}}"],
    "empty behind": [f"{NAME}: Bearer {{}}", f"{NAME}:"],
    "in one line": [f"{NAME}: Bearer {{}}, Bearer {{}}"],
    "latin-1": [f"{NAME}: Bearer {{}}\xe4"],
    "longer than 8 kB": [f"{NAME}: Bearer {{}}{'A' * 8300}"],
}


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
def test_anything_else_is_refused(server, token, lines):  # B-09
    assert 400 <= status(server, get("/whoami", *(line.format(token, token) for line in lines))) < 500


def test_client_credentials_are_refused_twice_and_in_authorization(server):
    twice = token_request(NAME, f"{NAME}: {basic()['Authorization']}")

    assert [status(server, each) for each in (twice, token_request("Authorization"))] == [401, 401]


@pytest.mark.parametrize("order", [1, -1], ids=["behind", "before"])
def test_a_name_with_underscores_is_dropped_or_counts_as_a_second_value(server, token, order):
    lines = [f"{NAME}: Bearer {token}", "X_Api_Token: Bearer x"][::order]

    assert status(server, get("/whoami", *lines)) == (200 if server.name in DROPPING else 401)


def test_cheroot_keeps_the_last_of_several_values(tmp_path):
    """As the page about proxies says. It does so with Authorization, too."""
    with running("cheroot", tmp_path) as server:
        token = exchange(server, token_request("Authorization")).json["access_token"]
        values = [f"Authorization: Bearer {each}" for each in (token, "x")]

        assert [status(server, get("/whoami", *each)) for each in (values, values[::-1])] == [401, 200]

    with running("cheroot", tmp_path, authorization_header=NAME) as server:
        lines = [f"{NAME}: Bearer x", f"X_Api_Token: Bearer {token}"]

        assert [status(server, get("/whoami", *each)) for each in (lines, lines[::-1])] == [200, 401]
