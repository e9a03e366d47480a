"""A crash may lose tokens that were issued just before. No worker accepts a token that the store has lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial

import pytest

from helpers.builders import issued, key_of, log_of
from helpers.changes import end_client, works
from helpers.engines import Postgres, wait_until
from helpers.engines_postgres_pair import Pair
from helpers.postgres_raw import Raw
from helpers.store_urls import needs_postgres
from helpers.support import SECRET, checked, echo, issue, revoked
from helpers.wsgi_client import CheckedApp
from oauth_mw import AdminError, OAuthMiddleware, admin, open_store

pytestmark = [pytest.mark.slow, needs_postgres]

# Asynchronous commits stay in the server's memory for so long.
LAZY = {"wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"}
TIMEOUT = 2.0


@pytest.fixture(scope="module")
def engine():
    with Postgres(**LAZY) as engine:
        yield engine


@pytest.fixture
def store(engine):
    with Raw(engine.url) as raw:
        raw("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    with closing(open_store(engine.url, create=True, timeout=TIMEOUT)) as store:
        admin.add_client(store, "x", client_id="tester", secret=SECRET)
        yield store


@pytest.fixture
def worker(store):
    return Worker(store)


class Worker:
    """It reads the log at every request, without a lag."""

    def __init__(self, store):
        self.store = store
        app = CheckedApp(OAuthMiddleware(echo, store=store, revocation_lag_seconds=0))
        self.issue, self.check, self.revoke = (partial(each, app) for each in (issue, checked, revoked))

    def issue_for_good(self):
        """A later durable commit makes the token durable, too."""
        token = self.issue()
        assert not self.store.revoke_token(key_of())
        return token


def test_a_token_that_a_crash_lost_is_refused_where_it_was_cached_and_can_be_revoked(engine, worker):
    token = worker.issue()
    before = worker.check(token)

    engine.kill()
    engine.start()

    assert [before, worker.check(token), worker.revoke(token), worker.check(token)] == [200, 401, 200, 401]


def test_an_orderly_restart_takes_nothing_along(engine, store):
    key, page = issued(store), log_of(store)

    engine.stop()
    engine.start()

    assert store.read_log(page.store_id, page.position).complete
    assert store.find_token(key)


@pytest.mark.parametrize("victim", ["server", "one of its processes"])
def test_after_a_crash_it_is_another_store_for_all_workers(engine, store, victim):
    page = log_of(store)

    if victim == "server":
        engine.kill()
        engine.start()
    else:
        with Raw(engine.url) as raw:
            os.kill(raw("SELECT pg_backend_pid()")[0], signal.SIGKILL)
        wait_until(lambda: "reinitializing" in engine.log() and works(store), "recovery")
    with ThreadPoolExecutor(4) as threads:
        after = list(threads.map(lambda _: store.read_log(page.store_id, page.position), range(4)))

    assert [each.complete for each in after] == [False] * 4
    assert {each.store_id for each in after} == {log_of(store).store_id} != {page.store_id}
    assert store.read_log(after[0].store_id, after[0].position).complete


def test_where_nothing_can_be_written_after_a_crash_every_poll_is_a_first_one(engine, store, worker):
    token = worker.issue_for_good()
    engine.kill()
    engine.settings["default_transaction_read_only"] = "on"
    engine.start()

    page = log_of(store)
    assert [worker.check(token), worker.check(token)] == [200, 200]
    assert not store.read_log(page.store_id, page.position).complete
    del engine.settings["default_transaction_read_only"]
    engine.stop()
    engine.start()


# A restored state


def test_an_older_state_that_is_restored_is_another_store(engine, store, worker):
    token = worker.issue()
    engine.stop()
    subprocess.run(["cp", "-a", engine.data, engine.folder / "backup"], check=True)
    engine.start()
    late = worker.issue()
    worker.revoke(token)
    before = [worker.check(token), worker.check(late)]
    page = log_of(store)

    engine.stop()
    shutil.rmtree(engine.data)
    subprocess.run(["cp", "-a", engine.folder / "backup", engine.data], check=True)
    engine.start()

    assert before == [401, 200]
    assert [worker.check(token), worker.check(late)] == [200, 401]
    end_client(store, "tester")
    assert log_of(store).position > page.position


# Two servers


@pytest.fixture(scope="module")
def servers():
    with Pair(**LAZY) as pair:
        yield pair


@pytest.fixture
def pair(servers):
    if not servers.standby.pids():  # after the test before
        servers.join()
    return servers


@pytest.fixture
def of_pair(pair):
    with closing(open_store(pair.url, create=True, timeout=TIMEOUT)) as store:
        with suppress(AdminError):  # of a test before
            admin.add_client(store, "x", client_id="tester", secret=SECRET)
        yield Worker(store)


def test_the_new_primary_is_used_after_the_old_one_hung(pair, of_pair):
    assert of_pair.issue()

    pair.primary.pause()
    pair.promote()

    wait_until(lambda: works(of_pair.store), "the other server")
    assert of_pair.issue()
    pair.standby.kill()


def test_a_token_that_the_standby_never_had_is_refused_where_it_was_cached(pair, of_pair):
    pair.standby.kill()
    token = of_pair.issue()
    before = of_pair.check(token)

    pair.primary.kill()
    pair.standby.start()
    pair.promote()

    assert (before, of_pair.check(token)) == (200, 401)


def test_a_revocation_that_the_standby_never_had_is_repeated_after_a_crash(pair, of_pair):
    token = of_pair.issue_for_good()
    pair.standby.kill()
    answers = [of_pair.revoke(token)]
    pair.primary.kill()
    pair.primary.start()  # now what it had written counts as confirmed

    answers += [of_pair.check(token), of_pair.revoke(token)]
    pair.join()

    assert [*answers, of_pair.revoke(token)] == [503, 401, 503, 200]


def test_after_an_unconfirmed_revocation_was_lost_it_is_another_store_and_its_position_is_not_reused(pair, of_pair):
    token = of_pair.issue_for_good()
    pair.standby.kill()
    with Raw(pair.primary.url) as raw, ThreadPoolExecutor(1) as threads:
        answer = threads.submit(of_pair.revoke, token)
        wait_until(raw.syncing, "a commit that waits")
        raw("SELECT pg_cancel_backend(pid) FROM unnest(%s::int[]) AS pid", list(raw.syncing()))
        answers = [answer.result(), of_pair.check(token)]
        (lost,) = raw("SELECT position FROM oauth_mw_store")

    pair.primary.kill()
    pair.standby.start()
    pair.promote()
    answers.append(of_pair.check(token))
    pair.join()
    answers += [of_pair.revoke(token), of_pair.check(token)]

    assert answers == [503, 401, 200, 200, 401]
    with Raw(pair.primary.url) as raw:
        assert raw("SELECT position FROM oauth_mw_store")[0] > lost
