"""A platform that lacks ``fcntl`` and the rest that only Unix has, as Windows does: same promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.processes import WITHOUT_FCNTL, Processes

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[2]

HIDE = f"""
import logging, os, random, threading
{WITHOUT_FCNTL}
for name in ("register_at_fork", "fork", "fchown", "fchmod", "geteuid"):
    if hasattr(os, name):
        delattr(os, name)
"""


@pytest.fixture
def start(tmp_path):
    with Processes(f"sqlite:///{tmp_path}/oauth.db") as start:
        yield start


SUITES = [
    *(f"stores/contract/test_store_{name}.py" for name in ("log", "clients", "threads")),
    "tokens/test_cache_races.py",
]


def test_the_suites_of_stores_and_cache_pass_there_too():
    run = HIDE + "import pytest\nsys.exit(pytest.main(sys.argv[1:]))"
    arguments = ["-q", "-k", "sqlite", "-p", "no:cacheprovider", *(str(TESTS / suite) for suite in SUITES)]

    answer = subprocess.run([sys.executable, "-c", run, *arguments], capture_output=True, text=True)

    assert answer.returncode == 0, answer.stdout


LOST = """
from oauth_mw import StoreUnavailable
store.find_client("x")
print(store.generation() == store.generation(), flush=True)
os.rename(store.url.removeprefix("sqlite:///"), store.url.removeprefix("sqlite:///") + ".aside")
for call in (lambda: end_client(store, "x"), store.verify, lambda: store.find_client("x")):
    try:
        print(call(), flush=True)
    except StoreUnavailable:
        print("unavailable", flush=True)
"""


def test_no_counter_file_is_made_and_nothing_is_acknowledged_into_a_lost_database(start, tmp_path):
    store = start(LOST, HIDE)

    assert [store.says() for _ in range(4)] == ["True", *["unavailable"] * 3]
    assert not (tmp_path / "oauth.db-oauth_mw").exists()


MIDDLEWARE = """
from oauth_mw import OAuthMiddleware, admin
from webtest import TestApp

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["oauth_mw.client_id"].encode()]

client = admin.add_client(store, "", client_id="tester", scope="read")
guarded = TestApp(OAuthMiddleware(app, store=store.url))
guarded.authorization = "Basic", ("tester", client.secret)
token = guarded.post("/oauth/token", {"grant_type": "client_credentials"}).json["access_token"]
guarded.authorization = "Bearer", token
print(guarded.get("/").text, flush=True)
admin.revoke_all_tokens(store, "tester")
print(guarded.get("/", status="*").status_int, flush=True)
"""


def test_the_middleware_works_from_end_to_end(start):
    process = start(MIDDLEWARE, HIDE)

    assert [process.says(), process.says()] == ["tester", "401"]
