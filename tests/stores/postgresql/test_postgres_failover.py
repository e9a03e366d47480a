"""The primary is lost, its standby takes over, and what was acknowledged stays so."""

from __future__ import annotations

import time
from contextlib import closing
from typing import NamedTuple

import pytest

from helpers.engines_base import wait_until
from helpers.engines_postgres_pair import Pair
from helpers.failover import LAG, crowd
from helpers.jwts import forms
from helpers.store_urls import why_no_wheel
from helpers.support import SECRET, basic
from oauth_mw import admin, open_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_no_wheel("postgresql")), reason=why_no_wheel("postgresql")),
]

TIMEOUT = 1.0
SLACK = 0.5  # for a machine that is busy
RECOVERY = 20.0  # after which all is well again and every worker has had a turn to show it, at the latest
LOST = 1.0  # what was issued so shortly before the primary was killed may be gone with it


@pytest.fixture(scope="module", params=forms("opaque", "jwt"))
def form(request):
    return request.param


@pytest.fixture(scope="module")
def pair(form):
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
    """``promoted``: about to be; ``serves``: all was well again but for what needs a standby; ``joins``: one came;
    ``again``: all was well.
    """

    start: float
    killed: float
    promoted: float
    serves: float
    joins: float
    again: float
    end: float


@pytest.fixture(scope="module")
def times(pair, workers):
    start = time.monotonic()
    with workers.at_work():
        wait_until(lambda: len(workers.revoked) >= 20, "revocations")
        killed = time.monotonic()
        pair.primary.kill()
        time.sleep(LAG + SLACK + TIMEOUT)
        promoted = time.monotonic()
        pair.promote()
        serves = workers.well("issue", "check", seconds=RECOVERY)
        time.sleep(3.5 * TIMEOUT)  # a revocation and a change last as long as they may
        joins = time.monotonic()
        pair.join()
        again = workers.well("revoke", "change", seconds=RECOVERY)
        time.sleep(TIMEOUT)
    return Times(start, killed, promoted, serves, joins, again, time.monotonic())


def accepted_anywhere(workers, tokens):
    return {token for token in tokens for worker in workers.workers if workers.ask(worker, "check", token)[0] == 200}


def test_before_all_is_well(workers, times):
    assert workers.seen(times.start, times.killed) == [{200}] * 4


def test_without_a_primary_nothing_goes(workers, times):
    # There may be no token left to check.
    assert set().union(*workers.seen(times.killed + LAG + SLACK, times.promoted)) == {503}


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
    time.sleep(LAG)
    assert accepted_anywhere(workers, doubtful) == set()


def test_no_token_is_lost_but_those_that_were_issued_just_before(workers, times):
    lost = [workers.issued[token] for token in workers.refused]

    assert [at for at in lost if not times.killed - LOST < at <= times.killed] == []


def test_every_answer_comes_in_time_and_every_503_says_when_to_come_back(workers, times):
    assert {each.status for each in workers.done} == {200, 401, 503}
    assert all(each.retry is (each.status == 503) for each in workers.done)
    assert max(each.ended - each.began for each in workers.done) < TIMEOUT + SLACK
