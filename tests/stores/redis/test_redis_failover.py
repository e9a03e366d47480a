"""The primary that has the revocation log is killed under load, a replica takes over, the killed one comes back."""

from __future__ import annotations

import math
import time
from contextlib import closing
from typing import NamedTuple

import pytest
import redis

from helpers.builders import log_of
from helpers.changes import end_client
from helpers.engines_base import wait_until
from helpers.engines_redis_cluster import Cluster
from helpers.engines_redis_sentinels import Sentinels
from helpers.failover import ASKED, LAG, crowd
from helpers.jwts import FORMS
from helpers.support import SECRET, basic, echo
from helpers.support import issue as issued_by
from helpers.wsgi_client import CheckedApp
from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.tokens.opaque import storage_key

pytestmark = pytest.mark.slow

TIMEOUT = 1.0
SLACK = 0.5  # for a machine that is busy
# Seconds for the engines to agree on a primary. Sentinels try again 4 seconds after an election without a winner, or
# without a replica whose state they have read lately; one that was not scheduled for 2 seconds takes part in no
# election for the next 30.
ELECTION = 90.0
NOTICED = 1.0  # after which workers have noticed that there is a primary
LOST = 1.0  # what was issued so shortly before the primary was killed may be gone with it
LOG = "{oauth_mw}:log"
PLACES = [(Cluster, "opaque"), (Sentinels, "jwt")]


@pytest.fixture(scope="module", params=PLACES, ids=lambda place: f"{place[0].__name__.lower()}-{place[1]}")
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def engine(kind):
    with kind[0]() as engine:
        with closing(open_store(engine.url, create=True)) as store:
            admin.add_client(store, "tester", client_id="tester", secret=SECRET)
        yield engine


@pytest.fixture(scope="module")
def workers(engine, kind):
    """At work before, while and after the primary is lost."""
    with crowd(engine.url, 3, TIMEOUT, basic("tester", SECRET)["Authorization"], FORMS[kind[1]]) as workers:
        yield workers


@pytest.fixture(scope="module")
def idle(engine):
    """A worker that has connections, and sends nothing while the primary is lost."""
    with closing(open_store(engine.url)) as store:
        yield store


class Times(NamedTuple):
    """``replaced``: there was a primary again; ``joins``: the killed one came back; ``again``: all was well."""

    start: float
    killed: float
    replaced: float
    joins: float
    again: float
    end: float


@pytest.fixture(scope="module")
def times(engine, workers, idle):
    start = time.monotonic()
    with workers.at_work():
        wait_until(lambda: len(workers.revoked) >= 20, "revocations")
        assert idle.find_client("tester")
        primary = engine.primary_of(LOG)
        killed = time.monotonic()
        primary.kill()
        wait_until(lambda: engine.primary_of(LOG) not in (primary, None), "another primary", ELECTION)
        replaced = time.monotonic()
        # A revocation and a change take the whole timeout.
        wait_until(lambda: all(workers.statuses(what, replaced + NOTICED, math.inf) for what in ASKED), "requests")
        joins = time.monotonic()
        engine.rejoin(primary)
        again = workers.well(*ASKED, seconds=ELECTION)
    return Times(start, killed, replaced, joins, again, time.monotonic())


def accepted_anywhere(workers, tokens):
    return {token for token in tokens for worker in workers.workers if workers.ask(worker, "check", token)[0] == 200}


def test_before_all_is_well(workers, times):
    assert workers.seen(times.start, times.killed) == [{200}] * 4


def test_without_a_primary_all_requests_are_refused(workers, times):
    # There may be no token left to check.
    assert set().union(*workers.seen(times.killed + LAG + SLACK, times.replaced - SLACK)) == {503}


def test_with_a_new_primary_but_no_replica_only_what_must_be_on_a_replica_is_refused(workers, times):
    assert workers.seen(times.replaced + NOTICED, times.joins) == [{200}, {200}, {503}, {503}]


def test_while_the_replica_joins_checks_and_issuing_go_on(workers, times):
    assert workers.seen(times.joins, times.again)[:2] == [{200}, {200}]


def test_a_worker_that_was_idle_meanwhile_finds_the_new_primary_at_once(idle, times):
    assert idle.find_client("tester")


def test_no_token_is_accepted_once_its_revocation_was_acknowledged(workers, times):
    assert len(workers.revoked) > 20
    assert workers.stale == []
    time.sleep(LAG)  # until then a worker may accept what another one has just revoked
    assert accepted_anywhere(workers, workers.revoked) == set()


def test_a_revocation_that_was_answered_503_may_be_repeated(workers, times):
    doubtful = workers.unsure - workers.revoked.keys()

    assert doubtful
    assert {workers.ask(workers.workers[0], "revoke", token)[0] for token in doubtful} == {200}
    time.sleep(LAG)
    assert accepted_anywhere(workers, doubtful) == set()


def test_no_token_is_lost_but_those_that_were_issued_just_before(workers, times):
    lost = [workers.issued[token] for token in workers.refused]

    assert [at for at in lost if not times.killed - LOST < at <= times.killed] == []


def test_every_answer_is_in_time_and_every_503_says_when_to_come_back(workers, times):
    assert {each.status for each in workers.done} == {200, 401, 503}
    assert all(each.retry is (each.status == 503) for each in workers.done)
    assert max(each.ended - each.began for each in workers.done) < TIMEOUT + SLACK


@pytest.fixture
def tail(engine):
    """A store whose changes wait for no replica."""
    with closing(open_store(f"{engine.url}?replicas=0&prefix=tail", create=True)) as store:
        for client_id in ("tester", "other"):
            admin.add_client(store, client_id, client_id=client_id, secret=SECRET)
        yield store


@pytest.fixture
def app(tail):
    """A worker with a token in its cache. It reads the log at each request."""
    app = CheckedApp(OAuthMiddleware(echo, store=tail, revocation_lag_seconds=0))
    app.authorization = ("Bearer", issued_by(app))
    app.get("/", status=200)
    return app


def row_of(app):
    return f"tail:t:{storage_key(app.authorization[1]).hex()}"


def client_of(node):
    return redis.Redis(port=node.port)


def lose_tail(engine, write):
    """Replace a primary by its replica, which lacks only what ``write`` wrote."""
    wait_until(engine.is_well, "a replica of each primary", ELECTION)
    primary = engine.primary_of("{tail}:log")
    with client_of(primary) as client:
        written = client.info("replication")["master_repl_offset"]
        wait_until(lambda: client.info("replication")["slave0"]["offset"] >= written, "the replica to have all")
        (replica,) = [node for node in engine.nodes if node.port == client.info("replication")["slave0"]["port"]]
        replica.pause()
        # Else the replica would find what follows on its side of the connection.
        client.execute_command("CLIENT", "KILL", "TYPE", "replica")
        write()
    primary.kill()
    replica.resume()
    wait_until(lambda: engine.primary_of("{tail}:log") is replica, "the other primary", ELECTION)


def test_a_log_whose_tail_was_lost_empties_every_cache(engine, tail, app):
    seen, statuses = [], []
    lose_tail(engine, lambda: (end_client(tail, "other"), app.get("/", status=200), seen.append(log_of(tail))))
    # A worker that still had the token in its cache would accept it.
    with client_of(engine.primary_of(row_of(app))) as client:
        assert client.delete(row_of(app)) == 1

    wait_until(lambda: statuses.append(app.get("/", status="*").status_int) or statuses[-1] != 503, "an answer")

    assert statuses[-1] == 401
    now = log_of(tail)
    assert now.position < seen[0].position and not tail.read_log(now.store_id, seen[0].position).complete
