"""PostgreSQL and Redis are killed and paused under servers of each family, and workers are killed over both."""

from __future__ import annotations

import time

import pytest
from hosting import Server, running
from load import Load, cached_everywhere, check_killed_workers, using
from wire import GRANT, ask, basic, bearer, issue, revoke

from helpers.engines import Postgres, Redis, wait_until

pytestmark = pytest.mark.slow

TIMEOUT, LAG = 2.0, 0.5
ENGINES = {"postgresql": Postgres, "redis": lambda: Redis(appendonly="yes", appendfsync="always")}
FORKING = [("gunicorn-preload", "postgresql"), ("uwsgi", "redis")]
THREADED = [("gunicorn-gevent", "postgresql"), ("waitress", "redis")]
PAIRS = [
    *(pytest.param(each, id="-".join(each)) for each in FORKING),
    *(pytest.param(each, id="-".join(each), marks=pytest.mark.long) for each in THREADED),
]


@pytest.fixture(scope="module", params=PAIRS)
def pair(request, tmp_path_factory):
    name, kind = request.param
    options = {"revocation_lag_seconds": LAG, "store_timeout_seconds": TIMEOUT}
    with ENGINES[kind]() as engine, running(name, tmp_path_factory.mktemp(name), store=engine.url, **options) as server:
        yield server, engine


@pytest.fixture
def engine(pair):
    return pair[1]


@pytest.fixture
def server(pair):
    return pair[0]


def check_refusals(server: Server, token: str) -> None:
    """A client that asks for more than what is cached is answered to come again."""
    answers = [
        ask(server, "POST", "/oauth/token", basic(), GRANT),
        revoke(server, token),
        ask(server, "POST", "/oauth/introspect", basic(), {"token": token}),
        ask(server, "GET", "/whoami", bearer(token[:-1] + "x")),
    ]
    assert [(answer.status, "Retry-After" in answer.headers) for answer in answers] == [(503, True)] * 4


def longest(load: Load) -> float:
    return max(record.ended - record.begun for record in load.records)


@pytest.mark.parametrize(("end", "begin"), [("kill", "start"), ("pause", "resume")])
def test_lost_engine_is_503_and_all_is_well_when_it_is_back(server, engine, end, begin):
    token = issue(server)
    revoke(server, issue(server))  # a crash may take an issued token along, but nothing older than a revocation
    with using(server, token) as load:
        workers = cached_everywhere(server, load)
        getattr(engine, end)()
        lost = time.monotonic()
        wait_until(lambda: load.processes(503, lost) >= workers, "refusals")
        check_refusals(server, token)
        getattr(engine, begin)()
        back = time.monotonic()
        wait_until(lambda: load.processes(200, back) >= workers, "recovery")
    assert load.statuses() == {200, 503}
    assert longest(load) < 3 * TIMEOUT  # this machine may be busy
    assert revoke(server, token).status == 200


@pytest.mark.parametrize("pair", FORKING, indirect=True, ids="-".join)
def test_service_goes_on_when_workers_are_killed(server):
    check_killed_workers(server, LAG)


@pytest.mark.parametrize("pair", [("uwsgi", "redis")], indirect=True, ids="-".join)
def test_each_worker_polls_at_most_twice_per_lag_however_many_requests_it_accepts(server, engine):
    from redis import Redis as Driver

    def looks() -> int:
        with Driver.from_url(engine.url) as driver:
            return int(driver.info("commandstats")["cmdstat_role"]["calls"])

    with using(server, issue(server)) as load:
        workers = cached_everywhere(server, load)
        begun, before = time.monotonic(), looks()

        def most() -> float:
            # A thread asks after half a lag, or a request after all of it. One more at either end.
            return len(workers) * (2 * (time.monotonic() - begun) / LAG + 2)

        wait_until(lambda: time.monotonic() > begun + 4 * LAG and len(load.since(begun)) > 4 * most(), "requests")
        asked = looks() - before

        assert 0 < asked <= most()
    assert load.statuses() == {200}
