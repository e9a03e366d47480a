"""Every example on a real server, called over HTTP."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx
import pytest
from running_example import EXAMPLES, FRAMEWORKS, environment, run, server

from oauth_mw import admin, open_store

IN_EVERY_RUN = ["flask_app", "paste_serve"]
SLOW = ["pyramid_app", "pyramid_traversal", "bottle_app", "falcon_app", "fastapi_app", "plain_wsgi"]


@dataclass(frozen=True)
class Example:
    """A running example, and two clients that its store knows."""

    url: str
    folder: Path
    reader: tuple[str, str]
    writer: tuple[str, str]

    def call(self, method: str, path: str, client: tuple[str, str] | None = None, **form: str) -> httpx.Response:
        """The answer; with a client, to a request under a token of that client."""
        headers = {"Authorization": f"Bearer {self.token(client)}"} if client else {}
        return httpx.request(method, self.url + path, data=form or None, headers=headers, trust_env=False, timeout=60)

    def token(self, client: tuple[str, str]) -> str:
        form = {"grant_type": "client_credentials"}
        answer = httpx.post(f"{self.url}/oauth/token", data=form, auth=client, trust_env=False, timeout=60)
        token: str = answer.json()["access_token"]
        return token


@pytest.fixture(scope="module", params=[*IN_EVERY_RUN, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def example(request, tmp_path_factory):
    # A copy, because the ini names a store beside itself.
    folder = tmp_path_factory.mktemp(request.param) / "examples"
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("*.db*"))
    programs = folder / FRAMEWORKS.name
    store = open_store(f"sqlite:///{programs}/oauth.db", create=True)
    reader = admin.add_client(store, "reader", scope="reports:read")
    writer = admin.add_client(store, "writer", scope="reports:read reports:write")
    env = environment(folder, STORE=store.url)
    with server(programs / f"{request.param}.py", env) as url:
        yield Example(url, folder, (reader.client.client_id, reader.secret), (writer.client.client_id, writer.secret))
    store.close()


def test_without_a_token_the_public_path_alone_is_open(example):  # B-01
    closed, public = example.call("GET", "/"), example.call("GET", "/health")

    assert (closed.status_code, closed.headers["WWW-Authenticate"]) == (401, 'Bearer realm="api"')
    assert (public.status_code, public.text) == (200, "ok\n")


def test_a_token_opens_the_example_which_names_the_client(example):  # B-02, B-17
    answer = example.call("GET", "/", example.reader)

    assert (answer.status_code, answer.text) == (200, f"hello {example.reader[0]}, you may reports:read\n")


def test_the_scope_of_a_rule_opens_its_path_and_a_missing_one_is_refused_by_name(example):  # S-11
    filed = example.call("POST", "/reports", example.writer, title="a body that is read by the app alone")
    refused = example.call("POST", "/reports", example.reader, title="a body")

    assert (filed.status_code, filed.text) == (201, f"report filed by {example.writer[0]}\n")
    assert refused.status_code == 403
    assert 'scope="reports:write"' in refused.headers["WWW-Authenticate"]


def test_a_path_that_is_not_utf8_reaches_no_view(example):  # P-07
    for path in ("/reports%FF", "/rep%80orts", "/health%C0%AF", "/%ED%A0%80"):
        for method in ("GET", "POST"):
            answer = example.call(method, path, example.reader)
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


# The client example

with_flask = pytest.mark.parametrize("example", ["flask_app"], indirect=True)
CALL_TWICE = """
import os, client
api = client.Api(client.BASE_URL, os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
first, token = api.get("/reports"), api.session.token
api.session.token = {**token, "expires_at": 1}
second = api.get("/reports")
print(first.status_code, second.status_code, api.session.token["access_token"] != token["access_token"])
"""


@pytest.fixture
def run_client(example):
    """Run the client, or other code beside it, against a running example; variables of ``None`` are unset."""

    def call(*arguments: str, **variables: Any) -> CompletedProcess[str]:
        client_id, secret = example.reader
        given = {"BASE_URL": example.url, "CLIENT_ID": client_id, "CLIENT_SECRET": secret, **variables}
        env = environment(example.folder, **{name: value for name, value in given.items() if value is not None})
        return run([sys.executable, *(arguments or ["client.py"])], env, example.folder)

    return call


@with_flask
def test_the_client_example_calls_it(example, run_client):
    ended = run_client()

    assert ended.stdout == f"reports for {example.reader[0]}\n", ended.stderr


@with_flask
def test_the_client_requests_a_new_token_when_its_own_has_expired(run_client):
    ended = run_client("-c", CALL_TWICE)

    assert ended.stdout == "200 200 True\n", ended.stderr


FAULTS = {
    "wrong secret": ({"CLIENT_SECRET": "wrong"}, "invalid_client"),
    "no credentials": ({"CLIENT_ID": None}, "CLIENT_ID is not set"),
    "no server": ({"BASE_URL": "http://127.0.0.1:1"}, "Connection refused"),
    "plain http to another machine": ({"BASE_URL": "http://api.example"}, "insecure_transport"),
}


@with_flask
@pytest.mark.parametrize(("variables", "words"), FAULTS.values(), ids=FAULTS)
def test_what_went_wrong_is_one_line_of_the_client(run_client, variables, words):
    ended = run_client(**variables)

    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert words in ended.stderr


FROM_A_PROGRAM = re.compile(r"<!-- From (?P<file>[\w/.]+)[,;].*? -->\n```python shown\n(?P<text>.*?)```", re.DOTALL)


def test_what_the_page_shows_of_a_program_stands_in_it():
    shown = FROM_A_PROGRAM.findall((FRAMEWORKS / "README.md").read_text("utf-8"))

    assert len(shown) == 5
    assert [file for file, text in shown if text not in (FRAMEWORKS / file).read_text("utf-8")] == []


def test_every_program_of_a_framework_is_tested_and_fits_a_screen_or_two():
    programs = {path.stem: path for path in FRAMEWORKS.glob("*.py") if not path.name.startswith(("test_", "conftest"))}

    assert programs.keys() == {*IN_EVERY_RUN, *SLOW}
    assert [name for name in programs if not (FRAMEWORKS / f"test_{name}.py").exists()] == []
    assert [name for name, path in programs.items() if len(path.read_text(encoding="utf-8").splitlines()) >= 70] == []
