"""A store behind PgBouncer in transaction mode, where many clients use one session in turn."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from click.testing import CliRunner

from helpers.builders import HOUR, NOW, is_dead, issued, key_of, opened, token_of
from helpers.changes import attempt, end_client, works
from helpers.engines import Postgres, wait_until
from helpers.engines_pgbouncer import WHY_NONE, PgBouncer
from helpers.engines_postgres_pair import Pair
from helpers.life import live
from helpers.postgres_raw import Raw
from helpers.store_urls import needs_postgres
from helpers.support import SECRET, bearer, echo, issue
from helpers.upgrading import FACTS, fill
from helpers.wsgi_client import CheckedApp
from oauth_mw import ConfigError, OAuthMiddleware, admin, open_store
from oauth_mw.cli import main
from oauth_mw.model import Count

pytestmark = [pytest.mark.servers, needs_postgres, pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)]

TIMEOUT = 1.0


@pytest.fixture(scope="module")
def pair():
    with Pair(synchronous_commit="on") as pair:
        yield pair


@pytest.fixture(scope="module")
def bouncer(pair):
    # One session, so that the store meets whatever another client leaves in it.
    with PgBouncer(pair.primary, default_pool_size=1) as bouncer:
        yield bouncer


@pytest.fixture
def raw(pair):
    with Raw(pair.primary.url) as raw:
        yield raw


@pytest.fixture
def url(bouncer, raw):
    """Where nothing is yet."""
    yield bouncer.url()
    raw("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


@pytest.fixture
def store(url):
    with opened(url, timeout=TIMEOUT) as store:
        issued(store)
        yield store


# All is well


def test_many_threads_share_one_session(url, store):
    with closing(open_store(url)) as crowded, ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda number: crowded.find_token(issued(crowded, number=number)), range(1, 100)))

    assert None not in found


def test_counts_are_exact_over_many_threads_of_one_session(url, store):
    counts = [Count(b"hour", 20, NOW + HOUR), Count(b"day", None, NOW + HOUR)]
    with closing(open_store(url)) as crowded, ThreadPoolExecutor(16) as threads:
        token = token_of(crowded.find_client("tester"))
        counted = list(threads.map(lambda number: crowded.add_token(key_of(number), token, counts), range(1, 50)))

        assert sum(not each.full for each in counted) == 20
        assert crowded.count(counts[1:]).values == (21,)
        assert len(crowded.tokens_of("tester")) == 21  # and the one of the fixture
        crowded.note_uses({("tester", "a"): NOW})
        assert crowded.last_uses(["tester"]) == {("tester", "a"): NOW}


def test_what_another_worker_revokes_is_seen_within_the_lag(bouncer, store):
    admin.add_client(store, "service", client_id="service", secret=SECRET)
    app = CheckedApp(OAuthMiddleware(echo, store=bouncer.url(), revocation_lag_seconds=0.3))
    token = issue(app, "service")
    app.get("/", headers=bearer(token), status=200)
    end_client(store, "service")
    time.sleep(0.3)

    app.get("/", headers=bearer(token), status=401)


def test_a_store_of_an_earlier_schema_is_upgraded(pair, bouncer, url):
    fill(pair.primary.url)
    with Raw(bouncer.url()) as other:
        before = settings_of(other)
        done = CliRunner().invoke(main, ["--store", url, "store", "upgrade", "--yes"])
        assert (done.exit_code, settings_of(other)) == (0, before), done.output

    with closing(open_store(url)) as store:
        clients = [client["client_id"] for client in FACTS["postgresql"]["clients"]]
        assert [client.client_id for client in store.clients()] == clients


# Others use the session, too


def settings_of(client):
    names = ("search_path", "statement_timeout", "synchronous_commit", "client_min_messages", "lock_timeout", "role")
    return [client(f"SHOW {name}") for name in names]


def test_others_find_the_session_as_it_was(bouncer, store):
    with Raw(bouncer.url()) as other:
        before = settings_of(other)
        live(store)

        assert settings_of(other) == before
        assert other("SELECT count(*) FROM pg_prepared_statements") == [0]
        assert other("SELECT count(*) FROM pg_listening_channels()") == [0]


LEFT_BEHIND = (
    "SET search_path TO nowhere; SET synchronous_commit TO off; SET client_min_messages TO error; "
    "SET statement_timeout TO 0; SET lock_timeout TO 0; SET default_transaction_isolation TO serializable; "
    "SET idle_in_transaction_session_timeout TO 0"
)


@pytest.fixture
def spoilt(bouncer):
    """Another client has left its settings in the session."""
    with Raw(bouncer.url()) as other:
        other(LEFT_BEHIND)
        assert other("SHOW search_path") == ["nowhere"]
        yield
        other("DISCARD ALL")


def test_what_another_client_has_set_changes_nothing(store, bouncer, spoilt):
    assert store.find_token(key_of()) and store.revoke_token(key_of())
    with closing(open_store(bouncer.url(), create=True)) as late:
        assert late.find_client("tester")


def test_a_revocation_waits_for_its_standby_whatever_another_client_has_set(pair, store, spoilt):
    with pair.alone():
        reason = attempt(lambda: store.revoke_token(key_of()))

    assert reason == "PostgreSQL: wait timeout expired"
    wait_until(lambda: works(store) and is_dead(store, key_of()), "the standby")


def test_a_commit_that_only_warns_is_not_taken_for_done_whatever_another_client_has_set(pair, raw, store, spoilt):
    with ThreadPoolExecutor(1) as threads, pair.alone():
        revoking = threads.submit(attempt, lambda: store.revoke_token(key_of()))
        wait_until(raw.syncing, "the wait for the standby")
        raw("SELECT pg_cancel_backend(%s)", *raw.syncing())

        reason = "PostgreSQL did not confirm the commit: a standby does not answer, or the transaction failed"
        assert revoking.result() == reason


# Timeouts and outages


def test_a_wait_for_a_lock_ends_in_time_and_the_next_operation_works(store, raw):
    raw("BEGIN")
    raw("SELECT 1 FROM oauth_mw_store FOR UPDATE")
    reason = attempt(lambda: store.revoke_token(key_of()))
    raw("ROLLBACK")

    assert "lock timeout" in reason
    assert store.revoke_token(key_of())


def test_a_statement_that_takes_too_long_ends_in_the_server_too(store, raw):
    raw("BEGIN")
    raw("LOCK TABLE oauth_mw_tokens")
    reason = attempt(lambda: store.find_token(key_of()))
    wait_until(lambda: not raw("SELECT 1 FROM pg_locks WHERE NOT granted"), "the end of the statement")
    raw("ROLLBACK")

    assert reason.startswith("PostgreSQL: ")
    wait_until(lambda: works(store), "a session")


def test_a_pooler_that_is_down_is_503_until_it_is_up(pair, store):
    with PgBouncer(pair.primary) as bouncer, closing(open_store(bouncer.url(), timeout=TIMEOUT)) as through:
        assert works(through)
        bouncer.kill()
        while_down = attempt(lambda: through.find_client("tester"))
        bouncer.start()

        assert while_down.startswith("PostgreSQL: ")
        wait_until(lambda: works(through), "the pooler")


def test_a_server_that_is_down_behind_the_pooler_is_503_until_it_is_up():
    with Postgres() as engine, PgBouncer(engine) as bouncer:
        with opened(bouncer.url(), timeout=TIMEOUT) as store:
            engine.kill()
            while_down = [attempt(lambda: store.find_client("tester")) for _ in range(3)]
            engine.start()

            assert all(isinstance(each, str) for each in while_down)
            wait_until(lambda: works(store), "the server")


def test_a_pooler_that_is_led_to_a_standby_under_a_live_connection_is_503_until_it_is_led_back(pair, store):
    with PgBouncer(pair.primary) as bouncer, closing(open_store(bouncer.url(), timeout=TIMEOUT)) as through:
        assert works(through)
        bouncer.lead_to(pair.standby)
        wait_until(lambda: not works(through), "the standby")
        found = [
            attempt(lambda: through.find_token(key_of())),
            attempt(lambda: through.clients()),
            attempt(lambda: through.revoke_token(key_of())),
        ]
        bouncer.lead_to(pair.primary)

        assert ["PostgreSQL: " in reason for reason in found] == [True] * 3
        assert "leads to a standby" in found[0] and "leads to a standby" in found[1]
        wait_until(lambda: works(through), "the primary")


# What cannot work


@pytest.mark.parametrize("settings", [{}, {"ignore_startup_parameters": "options"}], ids=["refused", "ignored"])
def test_options_in_the_url_are_refused_with_the_way_out(pair, settings):
    with PgBouncer(pair.primary, **settings) as bouncer:
        with pytest.raises(ConfigError, match="ALTER ROLE … SET search_path"):
            open_store(f"{bouncer.url()}?options=-csearch_path%3Dpublic")


@pytest.mark.parametrize("mode", ["session", "statement"])
def test_a_pooler_that_parts_transactions_is_503_for_each_change_and_any_other_will_do(pair, store, mode):
    with PgBouncer(pair.primary, pool_mode=mode, default_pool_size=20) as bouncer:
        with closing(open_store(bouncer.url(), timeout=TIMEOUT)) as through:
            revoked = attempt(lambda: through.revoke_token(key_of()))

    assert revoked is True if mode == "session" else "transaction" in revoked
    assert is_dead(store, key_of()) == (mode == "session")
