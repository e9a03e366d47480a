"""PostgreSQL and Redis are killed and paused under every kind of server, and workers are killed over both."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from hosting import Server
from load import Load, cached_everywhere, check_killed_workers, issuing, using, wait_until
from wire import GRANT, ask, basic, bearer, issue, revoke

from helpers.engines import Engine, Postgres, Redis

pytestmark = pytest.mark.slow

TIMEOUT = 1.0
OPTIONS = {"revocation_lag_seconds": 0.5, "store_timeout_seconds": TIMEOUT}
ENGINES = {"postgresql": Postgres, "redis": lambda: Redis(appendonly="yes")}
PAIRS = [
    ("gunicorn", "redis"),
    ("gunicorn-preload", "postgresql"),
    ("gunicorn-gthread", "redis"),
    ("gunicorn-gevent", "postgresql"),
    ("waitress", "redis"),
    ("uwsgi", "postgresql"),
    ("uwsgi", "redis"),
    ("uwsgi-threads", "postgresql"),
]


def losses() -> Iterator[object]:
    """Every engine is killed and paused under every server; half of that in runs by hand alone."""
    for number, pair in enumerate(PAIRS):
        for turn, loss in enumerate([("kill", "start"), ("pause", "resume")]):
            yield pytest.param(*pair, *loss, marks=[pytest.mark.long] * (number // 2 % 2 != turn))


@pytest.fixture
def engine(kind: str) -> Iterator[Engine]:
    with ENGINES[kind]() as engine:
        yield engine


@pytest.fixture
def server(name: str, engine: Engine, start: Callable[..., Server]) -> Server:
    return start(name, store=engine.url, **OPTIONS)


def check_refusals(server: Server, token: str) -> None:
    """Whoever asks for more than what is cached is told to come again."""
    answers = [
        ask(server, "POST", "/oauth/token", basic(), GRANT),
        revoke(server, token),
        ask(server, "POST", "/oauth/introspect", basic(), {"token": token}),
        ask(server, "GET", "/whoami", bearer(token[:-1] + "x")),
    ]
    assert [(answer.status, "Retry-After" in answer.headers) for answer in answers] == [(503, True)] * 4


def longest(load: Load) -> float:
    return max(record.ended - record.begun for record in load.records)


@pytest.mark.parametrize(("name", "kind", "end", "begin"), [*losses()])
def test_lost_engine_is_503_and_all_is_well_when_it_is_back(
    server: Server, engine: Engine, end: str, begin: str
) -> None:
    token = issue(server)
    revoke(server, issue(server))  # a crash may take an issued token along, but nothing older than a revocation
    with using(server, token) as load:
        workers = cached_everywhere(server, load)
        getattr(engine, end)()
        lost = time.monotonic()
        wait_until(lambda: load.processes(503, lost) >= workers)
        check_refusals(server, token)
        getattr(engine, begin)()
        back = time.monotonic()
        wait_until(lambda: load.processes(200, back) >= workers)
    assert load.statuses() == {200, 503}
    assert longest(load) < 2 * TIMEOUT  # this machine may be busy
    assert revoke(server, token).status == 200


@pytest.mark.parametrize(
    ("name", "kind"), [("gunicorn", "postgresql"), ("gunicorn-preload", "redis"), ("uwsgi", "postgresql")]
)
def test_service_goes_on_when_workers_are_killed(server: Server) -> None:
    check_killed_workers(server, OPTIONS["revocation_lag_seconds"])


@pytest.mark.parametrize(("name", "kind"), [("uwsgi", "redis"), ("uwsgi-threads", "redis")])
def test_each_worker_asks_once_or_twice_per_lag_however_many_requests_it_accepts(
    server: Server, engine: Engine
) -> None:
    from redis import Redis as Driver

    def looks() -> int:
        with Driver.from_url(engine.url) as driver:
            return int(driver.info("commandstats")["cmdstat_role"]["calls"])

    with using(server, issue(server)) as load:
        workers = cached_everywhere(server, load)
        begun, before = time.monotonic(), looks()
        time.sleep(8 * OPTIONS["revocation_lag_seconds"])
        asked = (looks() - before) / len(workers)
        lags = (time.monotonic() - begun) / OPTIONS["revocation_lag_seconds"]
    assert load.statuses() == {200}
    # A thread asks after half a lag, or a request after all of it. One more at either end.
    assert lags - 2 <= asked <= 2 * lags + 2 < len(load.since(begun)) / len(workers) / 4


@pytest.mark.parametrize(("name", "kind"), [("gunicorn-gevent", "postgresql"), ("gunicorn-gevent", "redis")])
def test_two_hundred_requests_at_once_wait_for_sixteen_connections(
    name: str, engine: Engine, start: Callable[..., Server]
) -> None:
    server = start(name, store=engine.url, store_timeout_seconds=30)
    token = issue(server)
    with using(server, token, threads=2) as load:
        cached_everywhere(server, load)
        with issuing(server, "alpha", threads=200) as issues:
            wait_until(lambda: len(issues.records) > 400)
    tokens = [record.token for record in issues.records]
    assert issues.statuses() == load.statuses() == {200}
    assert len(set(tokens)) == len(tokens)
    assert {ask(server, "GET", "/whoami", bearer(each)).json["client_id"] for each in tokens[::20]} == {"alpha"}
