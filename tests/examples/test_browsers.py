"""The dashboard of ``examples/browsers``: its API over HTTP with what a browser does, and its page in Node."""

from __future__ import annotations

import json
import runpy
import subprocess

import pytest
from running_example import EXAMPLES, environment, free_port, listens, server

from helpers.browser import Blocked, Page, to_url
from helpers.engines_base import wait_until
from helpers.serving import serving
from helpers.support import SECRET, basic, bearer
from oauth_mw import admin, open_store

FOLDER = EXAMPLES / "browsers"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def store(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/oauth.db", create=True)
    admin.add_client(store, "Dashboard", client_id="dashboard", secret=SECRET, scope="reports:read")
    yield store
    store.close()


@pytest.fixture
def program(store, monkeypatch):
    monkeypatch.setenv("STORE", store.url)
    return runpy.run_path(str(FOLDER / "dashboard.py"))


@pytest.fixture
def url(program):
    with serving() as (url, set_app):
        set_app(program["api"])
        yield url


@pytest.fixture
def page(program, url):
    return Page(program["PAGE"], to_url(url))


def issued(page):
    body = b"grant_type=client_credentials"
    return json.loads(page.fetch("/oauth/token", "POST", {**FORM, **basic("dashboard", SECRET)}, body).body)


def test_a_page_reads_with_a_token(page):
    shown = page.fetch("/reports", headers=bearer(issued(page)["access_token"]))

    assert (shown.status, json.loads(shown.body)) == (200, {"reports": ["January", "February"]})


def test_a_page_sees_why_it_is_refused(page):
    headers = {**bearer(issued(page)["access_token"]), "Content-Type": "application/json"}

    shown = page.fetch("/reports", "POST", headers, b"{}")

    assert (shown.status, json.loads(shown.body)["instance"]) == (403, "/reports")
    assert 'scope="reports:write"' in shown.headers["www-authenticate"]
    assert shown.headers["content-type"] == "application/problem+json"


def test_a_browser_blocks_other_methods_and_other_origins(page, url):
    for path, method, origin in (("/reports", "DELETE", page.origin), ("/reports", "GET", "https://evil.example")):
        with pytest.raises(Blocked):
            Page(origin, to_url(url)).fetch(path, method, bearer("x"))


SCRIPT = """
import { call, token } from %s;
const access = await token(process.argv[1]);
console.log(JSON.stringify([await call(access, "GET"), await call(access, "POST")]));
"""


@pytest.mark.node
def test_the_script_of_the_page_shows_both(store, tmp_path):
    page_port = free_port()
    env = environment(tmp_path, STORE=store.url, PAGE_PORT=str(page_port), CLIENT_SECRET=SECRET)
    module = json.dumps((FOLDER / "page" / "reports.mjs").as_uri())
    with server(FOLDER / "dashboard.py", env):
        wait_until(lambda: listens(page_port), "the page", 10)
        command = ["node", "--input-type=module", "-e", SCRIPT % module, f"http://127.0.0.1:{page_port}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=env)

    read, refused = json.loads(done.stdout)
    assert (read["reports"], refused["status"]) == (["January", "February"], 403)
    assert "insufficient_scope" in refused["challenge"]
