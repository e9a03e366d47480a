"""Moving from Apigee: the page's table of answers is true, and its rehearsal sees what differs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from click.testing import CliRunner
from running_example import EXAMPLES
from webtest import TestApp, TestResponse

from helpers.serving import serving
from helpers.support import CC, SECRET, basic, bearer, echo, middleware
from oauth_mw import admin, open_store
from oauth_mw.admin.fields import ClientFields
from oauth_mw.cli import main
from oauth_mw.config import Settings

FOLDER = EXAMPLES / "from_apigee"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
HOUR = 3600
FIELDS: dict[str, dict[str, Any]] = {
    "reader": {"scope": "weather.read", "allowed_requests": ["GET,POST /weather"]},
    "revoked": {},
    "expired": {"not_after": 1_800_000_000 + HOUR},
    "busy": {"rate_limit": "1/day", "scope": "weather.read"},
    "second": {"scope": "weather.read"},
    "jwt": {"token_format": "jwt", "scope": "weather.read"},
}


class Site:
    """An app with clients, a clock and what is sent to it."""

    def __init__(self, clock: Any, **options: Any) -> None:
        self.clock = clock
        self.store = open_store("memory://")
        for name, own in FIELDS.items():
            admin.add_client(self.store, name, client_id=name, secret=SECRET, **own)
        admin.disable_client(self.store, "revoked")
        paths = {"token_path": ["/oauth/token", "/oauth/accesstoken"]}
        options = {"grant_type_in": ["body", "query"], "scope_policy": "narrow", **paths, **options}
        rules = [("GET", "/weather/*", "weather.read"), ("POST", "/weather/*", "weather.write")]
        signed = {"issuer": "https://api.example.com", "key_encryption_secret": SECRET}
        self.app = TestApp(middleware(echo, clock, store=self.store, required_scopes=rules, **signed, **options))

    def token(self, name: str = "reader", secret: str = SECRET, **form: str) -> TestResponse:
        return self.app.post("/oauth/token", {**CC, **form}, headers=basic(name, secret), status="*")

    def call(self, token: str | None = None, path: str = "/weather", method: str = "GET") -> TestResponse:
        token = self.token().json["access_token"] if token is None else token
        return self.app.request(path, method=method, headers=bearer(token), status="*")

    def after(self, seconds: float, name: str = "reader") -> TestResponse:
        token = self.token(name).json["access_token"]
        self.clock.move(seconds)
        return self.call(token)

    def revoked(self) -> TestResponse:
        token = self.token().json["access_token"]
        self.app.post("/oauth/revoke", {"token": token}, headers=basic("reader", SECRET))
        return self.call(token)

    def late(self) -> TestResponse:
        self.clock.move(2 * HOUR)
        return self.token("expired")

    def twice(self) -> TestResponse:
        token = self.token("busy").json["access_token"]
        self.call(token)
        return self.call(token)


@pytest.fixture
def site(clock):
    return Site(clock)


ANSWERS: dict[str, Callable[[Site], TestResponse]] = {
    "the token endpoint, without `grant_type`": lambda site: site.token(grant_type=""),
    "another grant type": lambda site: site.token(grant_type="password"),
    "a wrong secret, or an unknown key": lambda site: site.token(secret="wrong"),
    "a key that is revoked": lambda site: site.token("revoked"),
    "a key that has expired": Site.late,
    "a revoked app, or an inactive developer": lambda site: site.token("revoked"),
    "a scope of which the client has nothing": lambda site: site.token(scope="other"),
    "GET at the token endpoint": lambda site: site.app.get("/oauth/token", CC, status="*"),
    "no token": lambda site: site.app.get("/weather", status="*"),
    "an empty token": lambda site: site.call(""),
    "a token that does not exist": lambda site: site.call("UAj2y"),
    "a token that has expired": lambda site: site.after(2 * HOUR),
    "a token that was revoked": Site.revoked,
    "a request that no product of the client has": lambda site: site.call(path="/weather/other"),
    "a token with too little scope": lambda site: site.call(method="POST"),
    "a malformed JWT": lambda site: site.call(site.token("jwt").json["access_token"][:-9]),
    "too many requests": Site.twice,
}


@pytest.mark.parametrize("what", ANSWERS)
def test_the_page_says_what_is_answered(site, what):
    answer = ANSWERS[what](site)
    error = f"`{answer.json['error']}`" if "error" in answer.json else "without a code"

    assert [line.rsplit("|", 2)[1].strip() for line in PAGE.splitlines() if line.startswith(f"| {what} |")] == [
        f"{answer.status_int} {error}"
    ]


def test_all_answers_of_the_page_are_tried():
    table = PAGE.partition("| --- | --- | --- |\n")[2].partition("\n\n")[0]

    assert [line.split("|")[1].strip() for line in table.splitlines()] == [*ANSWERS]


CELLS = [line.split("|")[2] for line in PAGE.splitlines() if line.startswith("| ") and line.count("|") == 3]
COMMANDS = sorted({found for cell in CELLS for found in re.findall(r"`((?:client|token|key) [^`]+)`", cell)})


@pytest.mark.parametrize("text", COMMANDS)
def test_a_command_of_the_page_is_there(text):
    words = text.split()
    said = CliRunner().invoke(main, [*words[:2], "--help"]).output

    assert "Usage: " in said
    assert [word for word in words if word.startswith("--") and f"{word} " not in said] == []


def test_an_option_of_the_page_is_there():
    named = {name for cell in CELLS for name in re.findall(r"`(\w+)(?: = [^`]*)?`", cell) if "_" in name}

    assert named - {each.name for each in fields(Settings)} - ClientFields.__annotations__.keys() == NO_OPTIONS


NO_OPTIONS = {"client_id", "client_secret", "client_credentials", "developer_email", "application_id", "api_products"}


@pytest.fixture
def rehearse(tmp_path):
    """Run the program against a server, and return how it ends and what it prints."""
    keys = [{"consumerKey": "reader", "consumerSecret": SECRET}, {"consumerKey": "second", "consumerSecret": SECRET}]
    (tmp_path / "export.json").write_text(json.dumps([{"app": [{"credentials": keys}]}]))

    def rehearse(url: str, *words: str) -> tuple[int, str]:
        command = [sys.executable, str(FOLDER / "rehearsal.py"), url, "export.json", "--call", "GET /weather", *words]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert SECRET not in ended.stdout + ended.stderr
        return ended.returncode, ended.stdout

    return rehearse


@pytest.mark.slow
def test_the_rehearsal_shows_a_client_that_is_refused_afterwards(site, rehearse):
    with serving() as (url, set_app):
        set_app(site.app.app)
        rehearse(url, "--save", "before.json")
        admin.disable_client(site.store, "second")
        ended, said = rehearse(url, "--compare", "before.json")

    assert (ended, said.count("status: ")) == (1, 1)
    assert "status: 200 before, 401 now: second token; second accesstoken; second token, in the query" in said


@pytest.mark.slow
def test_the_rehearsal_says_what_it_did_not_send_before(site, rehearse):
    with serving() as (url, set_app):
        set_app(site.app.app)
        rehearse(url, "--save", "before.json")
        ended, said = rehearse(url, "--compare", "before.json", "--call", "GET /other")

    assert (ended, said) == (
        1, "not sent before: reader GET /other; second GET /other\n12 answers, 1 difference\n",
    )  # fmt: skip


@pytest.mark.slow
def test_the_rehearsal_keeps_neither_secrets_nor_tokens(site, rehearse, tmp_path):
    with serving() as (url, set_app):
        set_app(site.app.app)
        rehearse(url, "--save", "before.json")
        saved = (tmp_path / "before.json").read_text()

    assert SECRET not in saved
    assert json.loads(saved)["reader token"]["member access_token"] == "str"
