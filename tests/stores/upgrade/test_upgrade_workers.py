"""Workers of the code that made schema 2, and processes that are killed, while the schema changes under them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from helpers.engines_base import wait_until
from helpers.processes import Processes
from helpers.upgrading import run_old, start_old_worker
from oauth_mw import ConfigError, admin, open_store
from oauth_mw.stores import upgrade_store

slow = pytest.mark.slow

# Blocks when the first rows are about to change.
UPGRADE = """
import signal, sys
signal.alarm(60)
from oauth_mw.stores import upgrade_store
upgrade_store(sys.argv[1], progress=lambda done, total: (print("changing", flush=True), sys.stdin.readline()))
"""


@pytest.fixture
def processes(old_url):
    with Processes(old_url) as processes:
        yield processes


@pytest.fixture
def tokens(facts):
    """Two live tokens of one client."""
    return [token for token, owner in facts["live"].items() if owner == "five"]


@pytest.fixture
def login(known):
    return f"five {known['secrets']['five'][0]}"


ENGINES = ["sqlite", pytest.param("postgresql", marks=slow), pytest.param("redis", marks=slow)]


@pytest.mark.parametrize("store_kind", ENGINES)
def test_a_warm_worker_accepts_and_issues_nothing_more(processes, old_url, tokens, login):
    worker = start_old_worker(processes)
    assert worker.says() == "ready"
    assert [worker.answers(tokens[0]), worker.answers(login)] == ["200", "200"]
    upgrade_store(old_url)
    with closing(open_store(old_url)) as store:
        admin.disable_client(store, "five")

    assert worker.answers(login) == "503"
    assert worker.answers(tokens[1]) == "503"
    # SQLite's workers see it at each request, others poll once in revocation_lag_seconds.
    wait_until(lambda: worker.answers(tokens[0]) == "503", "the end of the cached token")
    assert [worker.answers(words) for words in (tokens[0], tokens[1], login)] == ["503"] * 3


@slow
def test_a_warm_worker_in_its_grace_accepts_cached_tokens_and_no_others(processes, old_url, tokens, login):
    worker = start_old_worker(processes, outage_grace_seconds=60)
    assert worker.says() == "ready"
    assert worker.answers(tokens[0]) == "200"

    upgrade_store(old_url)

    assert [worker.answers(words) for words in (tokens[0], tokens[1], login)] == ["200", "503", "503"]


@slow
def test_a_restarted_worker_refuses_to_start(old_url):
    upgrade_store(old_url)

    done = run_old("--store", old_url, "client", "list")

    assert done.returncode == 2
    assert "has schema version 4, this oauth_mw knows 2: upgrade oauth_mw" in done.stderr


@slow
@pytest.mark.parametrize("store_kind", ["sqlite", "postgresql"])
def test_an_upgrade_that_is_killed_has_changed_nothing(processes, old_url, facts, kept):
    upgrade = processes.start(UPGRADE)
    assert upgrade.says() == "changing"

    upgrade.kill()

    clients = json.loads(run_old("--store", old_url, "client", "list", "--json").stdout)
    assert [client["client_id"] for client in clients] == [client["client_id"] for client in facts["clients"]]
    with pytest.raises(ConfigError, match="schema version 2"):
        open_store(old_url)
    for copy in kept():
        copy.unlink()  # another one within the same second would have its name
    upgrade_store(old_url)
    with closing(open_store(old_url)) as store:
        assert len(store.clients()) == len(facts["clients"])


@slow
@pytest.mark.parametrize("store_kind", ["postgresql"])
def test_of_two_upgrades_one_finds_nothing_to_do(processes, old_url, facts):
    first = processes.start(UPGRADE)
    assert first.says() == "changing"

    with ThreadPoolExecutor() as threads:
        second = threads.submit(upgrade_store, old_url, timeout=30)
        assert first.ends() == 0

    assert second.result() == ""
    with closing(open_store(old_url)) as store:
        assert len(store.clients()) == len(facts["clients"])
