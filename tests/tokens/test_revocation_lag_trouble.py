"""The bound holds when connections are cut, workers fork or are paused, engines restart and commits overtake."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from helpers.builders import SPANNING, STORE_SUITE
from helpers.engines import Engine, Postgres, Redis
from helpers.jwts import mostly
from helpers.revocation_lag import team

LAG = 0.5
GRACE = 60
KINDS = [kind for kind in STORE_SUITE if kind != "memory"]
every_kind = pytest.mark.parametrize(
    "store_kind", [*KINDS, *(pytest.param(kind, marks=pytest.mark.long) for kind in SPANNING)]
)
# Of both forms a cached token goes when the log says so; only of a JWT nothing else says so.
every_form = pytest.mark.parametrize("form", mostly("jwt", "opaque", "jwt, uncached"))
every_jwt = pytest.mark.parametrize("form", mostly("jwt", "jwt, uncached"))


def bound_of(kind: str) -> float:
    return 0 if kind == "sqlite" else LAG


# Connections


@pytest.fixture
def cut_postgres(postgres) -> Iterator[Callable[[], object]]:
    import psycopg

    with psycopg.connect(postgres.url.replace("+psycopg", "", 1), autocommit=True) as link:
        ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hammered'"
        yield lambda: link.execute(ours).fetchall()


@pytest.fixture
def cut_redis(redis) -> Iterator[Callable[[], object]]:
    from redis import Redis as Driver

    with Driver.from_url(redis.url) as driver:
        yield lambda: driver.client_kill_filter(_type="normal", skipme=True)


@contextmanager
def again_and_again(do: Callable[[], object], seconds: float) -> Iterator[list[object]]:
    """What came of each time."""
    over, done = Event(), []

    def run() -> None:
        while not over.wait(seconds):
            done.append(do())

    thread = Thread(target=run)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("grace", [0, GRACE])
@every_form
def test_when_connections_are_cut_in_postgresql(postgres_url, cut_postgres, grace, form):
    url = f"{postgres_url}&application_name=hammered"
    with team(url, revocation_lag_seconds=LAG, outage_grace_seconds=grace, **form) as workers:
        with again_and_again(cut_postgres, 0.1) as cuts:
            workers.end_all()
            workers.wait(LAG)
        verdict = workers.judge(LAG)

    assert verdict.is_fresh() and sum(map(len, cuts)) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("grace", [0, GRACE])
@every_form
def test_when_connections_are_cut_in_redis(redis_url, cut_redis, grace, form):
    with team(redis_url, revocation_lag_seconds=LAG, outage_grace_seconds=grace, **form) as workers:
        with again_and_again(cut_redis, 0.1) as cuts:
            workers.end_all()
            workers.wait(LAG)
        verdict = workers.judge(LAG)

    assert verdict.is_fresh() and sum(cuts) >= 5


# Workers


@pytest.mark.slow
@every_kind
@every_form
def test_when_workers_fork(store_kind, store_url, form):
    bound = bound_of(store_kind)
    with team(store_url, revocation_lag_seconds=LAG, **form) as workers:
        first, second, third = workers.hands
        workers.fork(first)
        workers.wait_for_uses()
        workers.end_all([second, third], between=lambda: (workers.fork(second), workers.wait_for_uses()))
        workers.wait(bound)

        assert workers.judge(bound).is_fresh()


@pytest.mark.slow
@every_kind
@pytest.mark.parametrize("grace", [0, GRACE])
@every_form
def test_when_a_worker_is_paused(store_kind, store_url, grace, form):
    bound = bound_of(store_kind)
    with team(store_url, revocation_lag_seconds=LAG, outage_grace_seconds=grace, **form) as workers:
        paused, *others = workers.hands
        with paused.paused():
            workers.end_all(others)
            time.sleep(LAG + 0.2)
        workers.wait(bound)

        assert workers.judge(bound).is_fresh()


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


@pytest.mark.slow
@every_kind
@every_jwt
@pytest.mark.parametrize("retire", [retire_while_paused, retire_between_forks])
def test_when_a_key_is_removed_meanwhile(store_kind, store_url, retire, form):
    bound = bound_of(store_kind)
    with team(store_url, revocation_lag_seconds=LAG, **form) as workers:
        retire(workers)
        workers.wait(bound)

        assert workers.judge(bound).is_fresh()


# Engines


@pytest.fixture(params=[Postgres, lambda: Redis(appendonly="yes")], ids=["postgresql", "redis"])
def engine(request) -> Iterator[Engine]:
    with request.param() as engine:
        yield engine


@pytest.mark.slow
@pytest.mark.parametrize("grace", [0, GRACE])
@every_form
def test_when_a_worker_is_paused_in_the_middle_of_a_look(engine, grace, form):
    with team(engine.url, revocation_lag_seconds=LAG, outage_grace_seconds=grace, **form) as workers:
        paused, *others = workers.hands
        engine.pause()
        time.sleep(LAG)  # by now everybody has asked
        with paused.paused():
            engine.resume()
            workers.end_all(others)
            time.sleep(LAG + 0.2)
        workers.wait(LAG)

        assert workers.judge(LAG).is_fresh()


@pytest.mark.slow
@pytest.mark.parametrize("end", ["stop", "kill"])
@every_form
def test_when_the_engine_restarts(engine, end, form):
    def restart() -> None:
        getattr(engine, end)()
        time.sleep(LAG)
        engine.start()

    with team(engine.url, revocation_lag_seconds=LAG, **form) as workers:
        workers.end_all(between=restart)
        workers.wait(LAG)

        assert workers.judge(LAG).is_fresh()


@pytest.mark.slow
@every_form
def test_when_transactions_would_commit_out_of_order(postgres_url, form):
    with team(postgres_url, slow_commits=True, revocation_lag_seconds=LAG, **form) as workers:
        workers.end_together()
        workers.wait(LAG)

        assert workers.judge(LAG).is_fresh()
