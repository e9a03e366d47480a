"""The client example: it asks anew when its token has expired, and says in one line what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from subprocess import CompletedProcess
from typing import Any

import pytest
from running_example import EXAMPLES, environment, run, server

from oauth_mw import admin, open_store

CALL_TWICE = """
import os, client
api = client.Api(client.BASE_URL, os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
first, token = api.get("/reports"), api.session.token
api.session.token = {**token, "expires_at": 1}
second = api.get("/reports")
print(first.status_code, second.status_code, api.session.token["access_token"] != token["access_token"])
"""

Call = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
    """Run the client, or other code beside it, against a running example; variables of ``None`` are unset."""
    folder = tmp_path_factory.mktemp("client")
    store = open_store(f"sqlite:///{folder}/oauth.db", create=True)
    new = admin.add_client(store, "reader", scope="reports:read")
    store.close()

    def call(*arguments: str, **variables: Any) -> CompletedProcess[str]:
        given = {"BASE_URL": url, "CLIENT_ID": new.client.client_id, "CLIENT_SECRET": new.secret, **variables}
        env = environment(folder, **{name: value for name, value in given.items() if value is not None})
        return run([sys.executable, *(arguments or ["client.py"])], env, EXAMPLES)

    with server(EXAMPLES / "plain_wsgi.py", environment(folder, STORE=store.url)) as url:
        yield call


def test_the_client_asks_anew_when_its_token_has_expired(call):
    ended = call("-c", CALL_TWICE)

    assert ended.stdout == "200 200 True\n", ended.stderr


FAULTS = {
    "wrong secret": ({"CLIENT_SECRET": "wrong"}, "invalid_client"),
    "no credentials": ({"CLIENT_ID": None}, "CLIENT_ID is not set"),
    "no server": ({"BASE_URL": "http://127.0.0.1:1"}, "Connection refused"),
    "plain http to another machine": ({"BASE_URL": "http://api.example"}, "insecure_transport"),
}


@pytest.mark.parametrize(("variables", "words"), FAULTS.values(), ids=FAULTS)
def test_what_went_wrong_is_one_line(call, variables, words):
    ended = call(**variables)

    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert words in ended.stderr
