"""Which process takes the place of another one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from helpers.processes import exit_code_of, forked
from helpers.store_urls import why_no_wheel
from oauth_mw import ConfigError, OAuthMiddleware
from oauth_mw.stores.restarts import is_replacement

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="only Linux shows it")

SCRIPT = "from oauth_mw.stores.restarts import is_replacement; print(is_replacement())"


@pytest.fixture
def answers(tmp_path):
    """Call it to fork a server that forks two workers and waits for each; it returns what the workers answered."""

    def serve(ask):
        def work():
            with open(tmp_path / "answers", "a") as file:
                print(ask(), file=file)
            return True

        def server():
            return [exit_code_of(forked(work)) for _ in range(2)] == [0, 0]

        assert exit_code_of(forked(server)) == 0
        return (tmp_path / "answers").read_text().split()

    return serve


def test_a_first_worker_replaces_none_and_the_next_one_does(answers):
    assert answers(is_replacement) == ["False", "True"]


def test_a_worker_of_a_server_that_has_run_for_long_replaces_another(answers):
    assert answers(lambda: is_replacement(start_seconds=-1)) == ["True", "True"]


def test_a_program_that_another_program_started_replaces_none():
    exit_code_of(forked(lambda: True))  # the other program has seen a child end

    assert subprocess.check_output([sys.executable, "-c", SCRIPT], text=True) == "False\n"


def start(url):
    try:
        OAuthMiddleware(lambda environ, start_response: [], store=url)
    except ConfigError:
        return "refused"
    return "serves"


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
def test_a_store_that_is_away_ends_a_first_start_and_no_later_one(request, tmp_path, answers, place):
    url = place(request, tmp_path)

    assert answers(lambda: start(url)) == ["refused", "serves"]


def test_a_url_that_cannot_work_ends_every_start(answers):
    assert answers(lambda: start("sqlite:///:memory:")) == ["refused", "refused"]
