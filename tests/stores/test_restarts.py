"""Which process takes the place of another one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from helpers.store_urls import why_no_wheel

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="only Linux shows it")

# The server waits for each worker, as servers do.
FORK = """
import os, sys
from oauth_mw.stores.restarts import is_replacement
def worker():
    child = os.fork()
    if child == 0:
        print(is_replacement(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""
EXEC = """
import subprocess, sys
script = "from oauth_mw.stores.restarts import is_replacement; print(is_replacement(), flush=True)"
for _ in range(2):
    subprocess.run([sys.executable, "-c", script], check=True)
"""
LONG = "from oauth_mw.stores import restarts\nrestarts.START_SECONDS = -1\n"


START = """
import logging
from oauth_mw import ConfigError, OAuthMiddleware
logging.disable()
def is_replacement():
    try:
        OAuthMiddleware(lambda environ, start_response: [], store=sys.argv[1])
    except ConfigError:
        return "refused"
    return "serves"
"""


def said(code: str, *arguments: str) -> list[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_a_first_worker_takes_nobodys_place_and_the_next_one_does():
    assert said(FORK + "worker()\nworker()\n") == ["False", "True"]


def test_a_worker_of_a_server_that_has_run_for_long_takes_anothers_place():
    assert said(LONG + FORK + "worker()\n") == ["True"]


def test_a_program_that_another_program_started_takes_nobodys_place():
    assert said(LONG + EXEC) == ["False", "False"]


def in_no_folder(request, tmp_path):
    return f"sqlite:///{tmp_path}/away/oauth.db"


def in_no_schema(request, tmp_path):
    url = request.getfixturevalue("postgres").url
    return f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3Dnowhere"


needs_postgres = pytest.mark.skipif(bool(why_no_wheel("postgresql")), reason=why_no_wheel("postgresql"))


@pytest.mark.parametrize(
    "place",
    [in_no_folder, pytest.param(in_no_schema, marks=[needs_postgres, pytest.mark.slow])],
    ids=["folder", "schema"],
)
def test_a_store_that_is_away_ends_a_first_start_and_no_later_one(request, tmp_path, place):
    assert said(FORK + START + "worker()\nworker()\n", place(request, tmp_path)) == ["refused", "serves"]


def test_a_url_that_cannot_work_ends_every_start():
    assert said(FORK + START + "worker()\nworker()\n", "sqlite:///:memory:") == ["refused", "refused"]
