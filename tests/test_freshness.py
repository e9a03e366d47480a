"""What ended is refused by every worker within the bound: they use tokens all the time, and none is accepted late."""

from __future__ import annotations

import pytest
from freshness import team
from stored import STORE_SUITE

LAG = 1.0  # the default; who looks ahead has half of it to be late
# Processes do not share what lies in memory. A distant store shows others' events within the lag, SQLite at once.
DISTANT = [kind for kind in STORE_SUITE if kind not in ("memory", "sqlite")]
distant = pytest.mark.parametrize("store_kind", DISTANT)


@distant
def test_what_ended_is_refused_within_the_lag_and_no_request_waited_for_the_store(store_kind, store_url):
    with team(store_url, revocation_lag_seconds=LAG) as workers:
        workers.end_all()
        workers.wait(2 * LAG)  # after the last event too, somebody must have looked ahead
        verdict = workers.judge(LAG)

    assert verdict.is_fresh() and verdict.asked == 0
    assert verdict.within > 0  # the caches were used meanwhile: else nothing was tried


@pytest.mark.parametrize("store_kind", ["sqlite"])
def test_what_ended_is_refused_at_once(store_kind, store_url):
    with team(store_url) as workers:
        workers.end_all()
        workers.wait(0)

        assert workers.judge(0).is_fresh()


@pytest.mark.slow
@distant
def test_without_a_lag_what_ended_is_refused_at_once(store_kind, store_url):
    with team(store_url, revocation_lag_seconds=0) as workers:
        workers.end_all()
        workers.wait(0)

        assert workers.judge(0).is_fresh()


@pytest.mark.slow
@distant
@pytest.mark.parametrize("lag", [0.05, 0.2])
def test_a_short_lag_holds_too(store_kind, store_url, lag):
    with team(store_url, revocation_lag_seconds=lag) as workers:
        workers.end_all()
        workers.wait(lag)

        assert workers.judge(lag).is_fresh()
