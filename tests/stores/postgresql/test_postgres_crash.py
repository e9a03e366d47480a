"""A crash takes along what was issued just before. No worker accepts what the store has lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest

from helpers.builders import issued, key_of, log_of
from helpers.changes import end_client, works
from helpers.engines import Postgres, wait_until
from helpers.engines_postgres_pair import Pair
from helpers.postgres_raw import Raw
from helpers.store_urls import why_no_wheel
from helpers.support import SECRET, basic, bearer, echo
from helpers.wsgi_client import CheckedApp
from oauth_mw import AdminError, OAuthMiddleware, admin, open_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_no_wheel("postgresql")), reason=why_no_wheel("postgresql")),
]

# What no commit waits for stays in the server's memory meanwhile.
LAZY = {"wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"}
TIMEOUT = 2.0
LOGIN = basic("tester", SECRET)


@pytest.fixture(scope="module")
def engine():
    with Postgres(**LAZY) as engine:
        yield engine


@pytest.fixture
def store(engine):
    with Raw(engine.url) as raw:
        raw("DROP SCHEMA public CASCADE")
        raw("CREATE SCHEMA public")
    with closing(open_store(engine.url, create=True, timeout=TIMEOUT)) as store:
        admin.add_client(store, "x", client_id="tester", secret=SECRET)
        yield store


@pytest.fixture
def worker(store):
    return Worker(store)


class Worker:
    """It looks at the log with every request, so that no lag is in the way."""

    def __init__(self, store):
        self.store = store
        self._app = CheckedApp(OAuthMiddleware(echo, store=store, revocation_lag_seconds=0))

    def issue(self):
        form = {"grant_type": "client_credentials"}
        return self._app.post("/oauth/token", form, headers=LOGIN).json["access_token"]

    def issue_for_good(self):
        """What a later commit has waited for is kept with it."""
        token = self.issue()
        assert not self.store.revoke_token(key_of())
        return token

    def check(self, token):
        return self._app.get("/", headers=bearer(token), status="*").status_int

    def revoke(self, token):
        return self._app.post("/oauth/revoke", {"token": token}, headers=LOGIN, status="*").status_int


def test_a_token_that_a_crash_took_along_is_refused_where_it_was_known_and_may_be_revoked(engine, worker):
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


# Another state


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
    if not servers.standby.pids():  # since the test before
        servers.join()
    return servers


@pytest.fixture
def of_pair(pair):
    with closing(open_store(pair.url, create=True, timeout=TIMEOUT)) as store:
        with suppress(AdminError):  # of a test before
            admin.add_client(store, "x", client_id="tester", secret=SECRET)
        yield Worker(store)


def test_a_primary_that_hangs_is_left_for_the_one_that_took_over(pair, of_pair):
    assert of_pair.issue()

    pair.primary.pause()
    pair.promote()

    wait_until(lambda: works(of_pair.store), "the other server")
    assert of_pair.issue()
    pair.standby.kill()


def test_a_token_that_the_standby_never_had_is_refused_where_it_was_known(pair, of_pair):
    pair.standby.kill()
    token = of_pair.issue()
    before = of_pair.check(token)

    pair.primary.kill()
    pair.standby.start()
    pair.promote()

    assert (before, of_pair.check(token)) == (200, 401)


def test_an_end_that_the_standby_never_had_is_asked_for_again_after_a_crash(pair, of_pair):
    token = of_pair.issue_for_good()
    pair.standby.kill()
    answers = [of_pair.revoke(token)]
    pair.primary.kill()
    pair.primary.start()  # what it had written down counts now, as if it had been confirmed

    answers += [of_pair.check(token), of_pair.revoke(token)]
    pair.join()

    assert [*answers, of_pair.revoke(token)] == [503, 401, 503, 200]


def test_an_end_that_was_lost_unconfirmed_is_another_store_and_its_position_is_not_given_again(pair, of_pair):
    token = of_pair.issue_for_good()
    pair.standby.kill()
    with Raw(pair.primary.url) as raw, ThreadPoolExecutor(1) as threads:
        answer = threads.submit(of_pair.revoke, token)
        waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        wait_until(lambda: raw(f"SELECT 1 {waiting}"), "a commit that waits")
        raw(f"SELECT pg_cancel_backend(pid) {waiting}")
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
