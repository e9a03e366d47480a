"""The primary is lost, its standby takes over, and what was acknowledged stays so."""

from __future__ import annotations

import time
from contextlib import closing
from typing import NamedTuple

import pytest

from helpers.engines_base import wait_until
from helpers.engines_postgres_pair import Pair
from helpers.failover import ASKED, LAG, crowd
from helpers.jwts import forms
from helpers.store_urls import why_no_wheel
from helpers.support import SECRET, basic
from oauth_mw import admin, open_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_no_wheel("postgresql")), reason=why_no_wheel("postgresql")),
]

TIMEOUT = 1.0
SLACK = 0.9  # for a machine that is busy; less than the timeout, so that two waits in a row show
RECOVERY = 30.0  # seconds in which each worker has answered each kind of request again


@pytest.fixture(scope="module", params=forms("opaque", "jwt"))
def form(request):
    return request.param


@pytest.fixture(scope="module")
def pair():
    with Pair() as pair:
        with closing(open_store(pair.url, create=True)) as store:
            admin.add_client(store, "tester", client_id="tester", secret=SECRET)
        yield pair


@pytest.fixture(scope="module")
def workers(pair, form):
    """At work before, while and after the primary is lost."""
    with crowd(pair.url, 3, TIMEOUT, basic("tester", SECRET)["Authorization"], form) as workers:
        yield workers


class Times(NamedTuple):
    """``start``: all workers are warm; ``killing``: the primary is about to be killed; ``killed``: it is;
    ``promoted``: its standby is about to be; ``serves``: all is well again but for what needs a standby;
    ``joins``: there is one; ``again``: all is well.
    """

    start: float
    killing: float
    killed: float
    promoted: float
    serves: float
    joins: float
    again: float
    end: float


@pytest.fixture(scope="module")
def times(pair, workers):
    with workers.at_work():
        start = workers.well(*ASKED, seconds=RECOVERY)
        wait_until(lambda: len(workers.revoked) >= 20, "revocations")
        killing = workers.answered(*ASKED, since=start, seconds=RECOVERY)
        pair.primary.kill()
        killed = time.monotonic()
        # There may be no token left to check or revoke.
        promoted = workers.answered("issue", "change", since=killed + LAG, seconds=RECOVERY)
        pair.promote()
        serves = workers.well("issue", "check", seconds=RECOVERY)
        joins = workers.answered(*ASKED, since=serves, seconds=RECOVERY)
        pair.join()
        again = workers.well("revoke", "change", seconds=RECOVERY)
        end = workers.answered(*ASKED, since=again, seconds=RECOVERY)
    return Times(start, killing, killed, promoted, serves, joins, again, end)


def accepted_anywhere(workers, tokens):
    time.sleep(LAG)  # a worker may accept what another one revoked just now
    return {token for token in tokens for worker in workers.workers if workers.ask(worker, "check", token)[0] == 200}


def test_before_all_is_well(workers, times):
    assert workers.seen(times.start, times.killing) == [{200}] * 4


def test_without_a_primary_nothing_goes(workers, times):
    assert set().union(*workers.seen(times.killed + LAG, times.promoted)) == {503}


def test_with_a_primary_but_no_standby_all_is_well_but_what_must_have_one(workers, times):
    assert workers.seen(times.serves, times.joins) == [{200}, {200}, {503}, {503}]


def test_with_a_standby_all_is_well_again(workers, times):
    assert workers.seen(times.again, times.end) == [{200}] * 4


def test_no_token_is_accepted_once_its_revocation_was_acknowledged(workers, times):
    assert len(workers.revoked) > 20
    assert workers.stale == []
    assert accepted_anywhere(workers, workers.revoked) == set()


def test_a_revocation_that_was_answered_503_may_be_repeated(workers, times):
    doubtful = workers.unsure - workers.revoked.keys()

    assert {workers.ask(workers.workers[0], "revoke", token)[0] for token in doubtful} == {200}
    assert accepted_anywhere(workers, doubtful) == set()


def test_no_token_is_lost_but_those_that_no_confirmed_commit_followed(workers, times):
    confirmed = [each for each in workers.done if (each.what, each.status) == ("revoke", 200)]
    last = max(each.began for each in confirmed if each.ended <= times.killing)
    lost = [workers.issued[token] for token in workers.refused]

    assert [at for at in lost if not last < at < times.promoted] == []


def test_every_answer_comes_in_time_and_every_503_says_when_to_come_back(workers, times):
    assert {each.status for each in workers.done} == {200, 401, 503}
    assert all(each.retry is (each.status == 503) for each in workers.done)
    assert max(each.ended - each.began for each in workers.done) < TIMEOUT + SLACK
