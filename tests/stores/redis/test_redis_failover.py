"""The primary that has the revocation log is killed under load, a replica takes over, the killed one comes back."""

from __future__ import annotations

import gc
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
from helpers.failover import LAG, crowd
from helpers.jwts import FORMS
from helpers.store_urls import why_no_wheel
from helpers.support import SECRET, basic, echo
from helpers.support import issue as issued_by
from helpers.wsgi_client import CheckedApp
from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.stores.redis.network.topology import LOOKUP_SECONDS
from oauth_mw.tokens.opaque import storage_key

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_no_wheel("redis")), reason=why_no_wheel("redis"))]

TIMEOUT = 1.0
SLACK = 0.5  # for a machine that is busy
RECOVERY = 15.0  # after which all is well again, at the latest
NOTICED = 1.0  # after which workers have noticed that there is a primary
LOST = 1.0  # what was issued so shortly before the primary was killed may be gone with it
LOG = "{oauth_mw}:log"
PLACES = [
    (Cluster, "opaque"),
    (Cluster, "jwt"),
    (Sentinels, "opaque"),
    pytest.param((Sentinels, "jwt"), marks=pytest.mark.long),
]


@pytest.fixture(scope="module", params=PLACES, ids=lambda place: f"{place[0].__name__.lower()}-{place[1]}")
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def form(kind):
    return FORMS[kind[1]]


@pytest.fixture(scope="module")
def engine(kind):
    with kind[0]() as engine:
        with closing(open_store(engine.url, create=True)) as store:
            admin.add_client(store, "tester", client_id="tester", secret=SECRET)
        yield engine


@pytest.fixture(scope="module")
def workers(engine, form):
    """At work before, while and after the primary is lost."""
    with crowd(engine.url, 3, TIMEOUT, basic("tester", SECRET)["Authorization"], form) as workers:
        yield workers


@pytest.fixture(scope="module")
def idle(engine):
    """A worker that has connections, and asks nothing until all is over."""
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
        time.sleep(LOOKUP_SECONDS)
        assert idle.find_client("tester")
        primary = engine.primary_of(LOG)
        killed = time.monotonic()
        primary.kill()
        wait_until(lambda: is_replaced(engine, primary), "another primary", RECOVERY)
        replaced = time.monotonic()
        time.sleep(NOTICED + 3.5 * TIMEOUT)  # a revocation and a change last as long as they may
        joins = time.monotonic()
        engine.rejoin(primary)
        again = workers.well("revoke", "change", seconds=RECOVERY)
        time.sleep(TIMEOUT / 2)
    return Times(start, killed, replaced, joins, again, time.monotonic())


def is_replaced(engine, primary):
    return engine.primary_of(LOG) not in (primary, None)


def accepted_anywhere(workers, tokens):
    return {token for token in tokens for worker in workers.workers if workers.ask(worker, "check", token)[0] == 200}


def test_before_all_is_well(workers, times):
    assert workers.seen(times.start, times.killed) == [{200}] * 4


def test_without_a_primary_nothing_goes(workers, times):
    # There may be no token left to check.
    assert set().union(*workers.seen(times.killed + LAG + SLACK, times.replaced - SLACK)) == {503}


def test_with_a_new_primary_but_no_replica_all_is_well_but_what_must_be_on_one(workers, times):
    assert workers.seen(times.replaced + NOTICED, times.joins) == [{200}, {200}, {503}, {503}]


def test_with_a_replica_all_is_well_again(workers, times):
    assert workers.seen(times.again, times.end) == [{200}] * 4


def test_while_the_replica_joins_checks_and_issuing_go_on(workers, times):
    assert workers.seen(times.joins, times.again)[:2] == [{200}, {200}]


def test_who_was_idle_meanwhile_asks_the_new_primary_at_once(idle, times):
    assert idle.find_client("tester")


def test_no_token_is_accepted_once_its_revocation_was_acknowledged(workers, times):
    assert len(workers.revoked) > 20
    assert workers.stale == []
    time.sleep(LAG)  # a worker may accept what another one revoked just now
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


def test_every_answer_comes_in_time_and_every_503_says_when_to_come_back(workers, times):
    assert {each.status for each in workers.done} == {200, 401, 503}
    assert all(each.retry is (each.status == 503) for each in workers.done)
    assert max(each.ended - each.began for each in workers.done) < TIMEOUT + SLACK


@pytest.fixture
def tail(engine):
    """A store whose changes wait for no replica."""
    url = f"{engine.url}?replicas=0&prefix=tail"
    with closing(open_store(url, create=True)) as store:
        admin.add_client(store, "tester", client_id="tester", secret=SECRET)
        admin.add_client(store, "other", client_id="other", secret=SECRET)
        yield store


@pytest.fixture
def app(tail):
    """A worker that has a token in its cache, which it follows the log for."""
    app = CheckedApp(OAuthMiddleware(echo, store=tail, revocation_lag_seconds=LAG, store_timeout_seconds=TIMEOUT))
    token = issued_by(app)
    app.authorization = ("Bearer", token)
    app.get("/", status=200)
    yield app
    app.app = None
    gc.collect()  # now nobody follows the log any more


def row_of(app):
    return f"tail:t:{storage_key(app.authorization[1]).hex()}"


def lose_tail(engine, end):
    """Let a replica that does not know what is ended take over."""
    wait_until(engine.is_well, "a replica of each primary")
    primary = engine.primary_of("{tail}:log")
    with redis.Redis(port=primary.port) as client:
        (replica,) = [node for node in engine.nodes if node.port == client.info("replication")["slave0"]["port"]]
        replica.pause()
        # Else what follows would wait for it on its side of the connection.
        client.execute_command("CLIENT", "KILL", "TYPE", "replica")
        end()
    primary.kill()
    replica.resume()
    wait_until(lambda: engine.primary_of("{tail}:log") is replica, "the other primary", RECOVERY)


def test_a_log_whose_tail_was_lost_empties_every_cache(engine, tail, app):
    seen = []
    lose_tail(engine, lambda: (end_client(tail, "other"), time.sleep(LAG), seen.append(log_of(tail))))
    # Who still has the token in his cache would accept it.
    with redis.Redis(port=engine.primary_of(row_of(app)).port) as client:
        assert client.delete(row_of(app)) == 1

    wait_until(lambda: app.get("/", status="*").status_int != 503, "the end of the outage", RECOVERY)

    now = log_of(tail)
    assert now.position < seen[0].position and not tail.read_log(now.store_id, seen[0].position).complete
    app.get("/", status=401)
