"""Workers on a PostgreSQL see at once what others revoke, or else after their next poll."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from contextlib import closing

import pytest

from helpers.builders import opened
from helpers.changes import end_client
from helpers.engines_base import wait_until
from helpers.postgres_raw import Raw
from helpers.processes import exit_code_of, forked
from helpers.relay import relayed
from helpers.woken import Worker
from oauth_mw import open_store


@pytest.fixture(scope="module")
def postgres(own_postgres):
    return own_postgres


@pytest.fixture
def worker(postgres_url, elsewhere, listeners):
    with closing(Worker(postgres_url)) as worker:
        worker.issue()
        wait_until(listeners, "a listener")
        yield worker


def test_what_another_process_revokes_is_seen_long_before_the_next_poll(worker, elsewhere):
    for _ in range(3):
        text, key = worker.issue()
        elsewhere.revoke_token(key)

        wait_until(lambda: not worker.accepts(text), "the revocation")  # noqa: B023
    text, _ = worker.issue()
    end_client(elsewhere, "tester")

    wait_until(lambda: not worker.accepts(text), "the revocation of all tokens")


def test_a_worker_has_one_connection_more_and_a_store_that_is_not_followed_none(elsewhere, worker, listeners):
    end_client(elsewhere, "tester")
    worker.issue()

    assert len(listeners()) == 1


def test_stores_in_other_schemas_wake_no_worker(worker, postgres, listeners, raw):
    (listener,) = listeners()
    (before,) = raw("SELECT state_change FROM pg_stat_activity WHERE pid = %s", listener)
    with postgres.fresh() as url, opened(url) as other:
        end_client(other, "tester")

    assert raw("SELECT state_change FROM pg_stat_activity WHERE pid = %s", listener) == [before]


def deliver_nothing(data):
    """Like a pooler, which accepts LISTEN for a session that it then gives to others."""
    return b"" if data.startswith(b"A") and b"oauth_mw_" in data else data


@pytest.mark.slow
def test_where_nothing_is_delivered_there_is_no_listener_and_the_polls_go_on(postgres_url, elsewhere, listeners):
    with relayed(postgres_url, deliver_nothing) as relay, closing(Worker(relay.url, lag=0.4)) as worker:
        text, key = worker.issue()
        wait_until(lambda: any(b"LISTEN" in each for each in relay.asked), "a try")
        wait_until(lambda: not listeners(), "the end of the try")
        elsewhere.revoke_token(key)

        wait_until(lambda: not worker.accepts(text), "the next poll")
        assert sum(each.count(b"LISTEN") for each in relay.asked) == 1


@pytest.mark.slow
def test_a_burst_of_revocations_is_read_in_few_polls(worker, elsewhere, monkeypatch):
    looks = []
    read = worker.store.read_log
    monkeypatch.setattr(worker.store, "read_log", lambda *after: looks.append(after) or read(*after))
    text, _ = worker.issue()
    started = time.monotonic()
    for _ in range(100):
        end_client(elsewhere, "tester")
    took = time.monotonic() - started
    wait_until(lambda: not worker.accepts(text), "the revocation")

    assert 0 < len(looks) <= took / 0.02 + 2


# Forks, greenlets


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_listens_by_itself_and_leaves_its_parents_connection_alone(worker, elsewhere, postgres_url, listeners):
    before = listeners()
    text, key = worker.issue()

    def work():
        own, _ = worker.issue()
        end_client(worker.store, "unknown")  # makes it read the log, as the end of the lag would
        with Raw(postgres_url) as raw, closing(open_store(postgres_url)) as other:
            wait_until(lambda: raw.listeners() > before, "a listener of the child's own")
            end_client(other, "tester")
        wait_until(lambda: not worker.accepts(own), "the revocation")
        return True

    assert exit_code_of(forked(work)) == 0
    wait_until(lambda: not worker.accepts(text), "the revocation")
    assert listeners() >= before


GREENLETS = """
    import sys, time
    early = sys.argv[2] == "early"
    if early:
        from gevent import monkey; monkey.patch_all()
    sys.path.insert(0, sys.argv[3])
    from helpers.woken import Worker
    import oauth_mw.stores.sql.postgresql.engine
    from oauth_mw import open_store
    if not early:
        from gevent import monkey; monkey.patch_all()
    import gevent
    worker, elsewhere = Worker(sys.argv[1], lag=4.0), open_store(sys.argv[1])
    text, key = worker.issue()
    turns, until = 0, time.monotonic() + 1
    while time.monotonic() < until:  # the follower waits for two seconds
        gevent.sleep(0.01)
        turns += 1
    text, key = worker.issue()
    elsewhere.revoke_token(key)
    until = time.monotonic() + 30
    while worker.accepts(text) and time.monotonic() < until:
        gevent.sleep(0.01)
    print(turns > 5, not worker.accepts(text))
"""


@pytest.mark.slow
@pytest.mark.parametrize("patched", ["early", "late"])
def test_a_greenlet_that_waits_lets_the_others_run(elsewhere, postgres_url, patched):
    pytest.importorskip("gevent")
    command = [sys.executable, "-c", textwrap.dedent(GREENLETS), postgres_url, patched, os.path.dirname(__file__)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert (done.stdout, done.returncode) == ("True True\n", 0), done.stderr
