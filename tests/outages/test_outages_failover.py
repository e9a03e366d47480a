"""The primary is killed under load, another one takes over, and the killed one returns as its standby or replica."""

from __future__ import annotations

import time
from contextlib import closing
from typing import NamedTuple

import pytest

from helpers.engines_base import wait_until
from helpers.engines_postgres_pair import Pair
from helpers.engines_redis_cluster import Cluster
from helpers.engines_redis_sentinels import Sentinels
from helpers.failover import ASKED, LAG, crowd
from helpers.jwts import FORMS
from helpers.store_urls import why_no_wheel
from helpers.support import SECRET
from oauth_mw import admin, open_store

pytestmark = pytest.mark.slow

TIMEOUT = 1.0
SLACK = {Pair: 0.9, Cluster: 0.5, Sentinels: 0.5}  # for a busy machine; less than the timeout, so that two waits show
NOTICED = 0.5  # seconds in which workers notice that the primary changed
# Seconds until all is well. Sentinels try again 4 seconds after an election without a winner, or without a replica
# whose state they have read lately; one that was not scheduled for 2 seconds takes part in no election for the next 30.
RECOVERY = 90.0
LOST = 1.0  # seconds; what was issued so shortly before a Redis was killed may be lost with it
LOG = "{oauth_mw}:log"
PLACES = [
    pytest.param((Pair, "opaque"), marks=pytest.mark.long),
    (Pair, "jwt"),
    (Cluster, "opaque"),
    (Sentinels, "jwt"),
]


@pytest.fixture(scope="module", params=PLACES, ids=lambda place: f"{place[0].__name__.lower()}-{place[1]}")
def place(request):
    return request.param


@pytest.fixture(scope="module")
def engine(place):
    if reason := why_no_wheel("postgresql"):
        pytest.skip(reason)
    with place[0]() as engine:
        with closing(open_store(engine.url, create=True)) as store:
            admin.add_client(store, "tester", client_id="tester", secret=SECRET)
        yield engine


@pytest.fixture(scope="module")
def workers(engine, place):
    """At work before, while and after the primary is lost."""
    with crowd(engine.url, TIMEOUT, FORMS[place[1]]) as workers:
        yield workers


@pytest.fixture(scope="module")
def idle(engine):
    """A worker that has connections, and sends nothing while the primary is lost."""
    with closing(open_store(engine.url)) as store:
        yield store


class Times(NamedTuple):
    """``start``: all workers are warm; ``killing``: the primary is about to be killed; ``killed``: it is;
    ``replaced``: another one is about to take over; ``serves``: all works that needs no standby; ``joins``: a standby
    is about to join; ``again``: all works.
    """

    start: float
    killing: float
    killed: float
    replaced: float
    serves: float
    joins: float
    again: float
    end: float


@pytest.fixture(scope="module")
def times(engine, workers, idle):
    with workers.at_work():
        start = workers.well(*ASKED, seconds=RECOVERY)
        wait_until(lambda: len(workers.revoked) >= 20, "revocations")
        assert idle.find_client("tester")
        primary = engine.primary_of(LOG)
        killing = workers.answered(*ASKED, since=start, seconds=RECOVERY)
        primary.kill()
        killed = time.monotonic()
        if isinstance(engine, Pair):
            # There may be no token left to check or revoke.
            replaced = workers.answered("issue", "change", since=killed + LAG + NOTICED, seconds=RECOVERY)
            engine.promote()
        else:
            wait_until(lambda: engine.primary_of(LOG) not in (primary, None), "another primary", RECOVERY)
            replaced = time.monotonic() - NOTICED
        serves = workers.well("issue", "check", seconds=RECOVERY)
        joins = workers.answered(*ASKED, since=serves, seconds=RECOVERY)
        engine.rejoin(primary)
        again = workers.well(*ASKED, seconds=RECOVERY)
        end = workers.answered(*ASKED, since=again, seconds=RECOVERY)
    return Times(start, killing, killed, replaced, serves, joins, again, end)


def accepted_anywhere(workers, tokens):
    time.sleep(LAG)  # a worker may accept what another one revoked just now
    return {token for token in tokens for worker in workers.workers if workers.ask(worker, "check", token)[0] == 200}


def test_before_the_loss_all_requests_succeed(workers, times):
    assert workers.seen(times.start, times.killing) == [{200}] * 4


def test_without_a_primary_all_requests_are_503(workers, times):
    assert set().union(*workers.seen(times.killed + LAG + NOTICED, times.replaced)) == {503}


def test_without_a_standby_only_what_must_have_one_is_503(workers, times):
    assert workers.seen(times.serves, times.joins) == [{200}, {200}, {503}, {503}]


def test_while_the_standby_joins_checks_and_issuing_work(workers, times):
    assert workers.seen(times.joins, times.again)[:2] == [{200}, {200}]


def test_with_a_standby_all_requests_succeed_again(workers, times):
    assert workers.seen(times.again, times.end) == [{200}] * 4


def test_a_worker_that_was_idle_meanwhile_finds_the_new_primary_at_once(idle, times):
    assert idle.find_client("tester")


def test_no_token_is_accepted_once_its_revocation_was_acknowledged(workers, times):
    assert len(workers.revoked) > 20
    assert workers.stale == []
    assert accepted_anywhere(workers, workers.revoked) == set()


def test_a_revocation_that_was_answered_503_may_be_repeated(workers, times):
    doubtful = workers.unsure - workers.revoked.keys()

    assert doubtful
    assert {workers.ask(workers.workers[0], "revoke", token)[0] for token in doubtful} == {200}
    assert accepted_anywhere(workers, doubtful) == set()


def test_no_token_is_lost_but_the_last_ones(engine, workers, times):
    confirmed = [each for each in workers.done if (each.what, each.status) == ("revoke", 200)]
    last = max(each.began for each in confirmed if each.ended <= times.killing)
    since, until = (last, times.replaced) if isinstance(engine, Pair) else (times.killed - LOST, times.killed)
    lost = [workers.issued[token] for token in workers.refused]

    assert [at for at in lost if not since < at < until] == []


def test_every_answer_is_in_time_and_every_503_has_retry_after(engine, workers, times):
    assert {each.status for each in workers.done} == {200, 401, 503}
    assert all(each.retry is (each.status == 503) for each in workers.done)
    assert max(each.ended - each.began for each in workers.done) < TIMEOUT + SLACK[type(engine)]
