"""The bound holds when connections are cut, workers fork or pause, engines restart and commits overtake others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from helpers.builders import MULTI_PROCESS, SPANNING
from helpers.engines import Engine, Postgres, Redis
from helpers.jwts import JWT, mostly
from helpers.postgres_raw import Raw
from helpers.revocation_lag import team

LAG = 0.5
# Cached tokens are accepted for so long after the last successful poll: without a grace, none is after a failed one.
OPTIONS = {"revocation_lag_seconds": LAG, "outage_grace_seconds": 60}
every_kind = pytest.mark.parametrize(
    "store_kind", [*MULTI_PROCESS, *(pytest.param(kind, marks=pytest.mark.long) for kind in SPANNING)]
)
# The log evicts cached tokens of both forms; only of a JWT nothing else shows the revocation.
every_form = pytest.mark.parametrize("form", mostly("jwt", "opaque", "jwt, uncached"))
pytestmark = pytest.mark.slow


def is_fresh(workers, kind=""):
    """True if no worker accepted anything later than it may."""
    bound = 0 if kind == "sqlite" else LAG
    workers.wait(bound)
    return workers.judge(bound).is_fresh()


# Connections


@pytest.fixture(params=["postgresql", "redis"])
def cuttable(request) -> Iterator[tuple[str, Callable[[], int]]]:
    """The URL of a store, and a function that cuts all connections to it and returns their number."""
    if request.param == "redis":
        from redis import Redis as Driver

        url = request.getfixturevalue("redis_url")
        with Driver.from_url(request.getfixturevalue("redis").url) as driver:
            yield url, lambda: driver.client_kill_filter(_type="normal", skipme=True)
    else:
        url = request.getfixturevalue("postgres_url")
        with Raw(url) as raw:
            yield url, raw.cut


@contextmanager
def again_and_again(do: Callable[[], int], seconds: float) -> Iterator[list[int]]:
    """What it returned each time: up to fifty times, so that a busy machine is not kept from all work."""
    over, done = Event(), []

    def run() -> None:
        while len(done) < 50 and not over.wait(seconds):
            done.append(do())

    thread = Thread(target=run)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()


@every_form
def test_when_connections_are_cut(cuttable, form):
    url, cut = cuttable
    with team(url, **OPTIONS, **form) as workers:
        with again_and_again(cut, 0.1) as cuts:
            workers.end_all()
            workers.wait(LAG)

        assert workers.judge(LAG).is_fresh() and sum(cuts) >= 5


# Workers


@every_kind
@every_form
def test_when_workers_fork(store_kind, store_url, form):
    with team(store_url, **OPTIONS, **form) as workers:
        first, second, third = workers.hands
        workers.fork(first)
        workers.wait_for_uses()
        workers.end_all([second, third], between=lambda: (workers.fork(second), workers.wait_for_uses()))

        assert is_fresh(workers, store_kind)


@every_kind
@every_form
def test_when_a_worker_is_paused(store_kind, store_url, form):
    with team(store_url, **OPTIONS, **form) as workers:
        paused, *others = workers.hands
        with paused.paused():
            workers.end_all(others)
            time.sleep(LAG + 0.2)

        assert is_fresh(workers, store_kind)


def retire_while_paused(workers):
    """Remove the signing key while one worker stands still."""
    with workers.hands[0].paused():
        workers.retire()
        time.sleep(LAG + 0.2)


def retire_between_forks(workers):
    for hand in workers.hands[:2]:
        workers.fork(hand)
    workers.wait_for_uses()
    workers.retire()
    workers.fork(workers.hands[2])


@pytest.mark.parametrize(
    ("store_kind", "retire"),
    [*((kind, retire_while_paused) for kind in MULTI_PROCESS), ("redis", retire_between_forks)],
)
def test_when_a_key_is_removed_meanwhile(store_kind, store_url, retire):
    with team(store_url, **OPTIONS, **JWT) as workers:
        retire(workers)

        assert is_fresh(workers, store_kind)


# Engines


@pytest.fixture(params=[Postgres, lambda: Redis(appendonly="yes", appendfsync="always")], ids=["postgresql", "redis"])
def engine(request) -> Iterator[Engine]:
    with request.param() as engine:
        yield engine


@every_form
def test_when_a_worker_is_paused_in_the_middle_of_a_poll(engine, form):
    with team(engine.url, **OPTIONS, **form) as workers:
        paused, *others = workers.hands
        engine.pause()
        time.sleep(LAG)  # by now every worker polls
        with paused.paused():
            engine.resume()
            workers.end_all(others)
            time.sleep(LAG + 0.2)

        assert is_fresh(workers)


@pytest.mark.parametrize("end", ["stop", "kill"])
@every_form
def test_when_the_engine_restarts(engine, end, form):
    def restart() -> None:
        getattr(engine, end)()
        time.sleep(LAG)
        engine.start()

    # With a grace, a worker may miss in the outage what was revoked within the lag before it.
    options = {**OPTIONS, "outage_grace_seconds": 0}
    with team(engine.url, **options, **form) as workers:
        workers.end_all(between=restart)

        assert is_fresh(workers)


@every_form
def test_when_transactions_would_commit_out_of_order(postgres_url, form):
    with team(postgres_url, slow_commits=True, **OPTIONS, **form) as workers:
        workers.end_together()

        assert is_fresh(workers)
