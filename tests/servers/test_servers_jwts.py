"""JWTs on real servers: all workers share one key from the first request on, and all see what ended."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from hosting import Server, running, store_in
from load import check_ended_within, wait_until
from wire import ask, bearer, issue

from helpers.jwts import JWT
from oauth_mw import open_store

pytestmark = pytest.mark.slow

LAG = 0.5
THREADS = 12
PAIRS = [
    ("gunicorn-preload", "sqlite"),
    ("gunicorn-gthread", "postgresql"),
    ("gunicorn-gevent", "postgresql"),
    ("uwsgi-threads", "postgresql"),
    ("waitress", "redis"),
]
BY_HAND = [
    ("gunicorn-preload", "postgresql"),
    ("gunicorn-preload", "redis"),
    ("gunicorn-gevent", "sqlite"),
    ("gunicorn-gevent", "redis"),
    ("uwsgi", "sqlite"),
    ("uwsgi", "redis"),
]


@pytest.fixture(
    scope="module", params=[*PAIRS, *(pytest.param(each, marks=pytest.mark.long) for each in BY_HAND)], ids="-".join
)
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


@pytest.fixture(scope="module")
def server(
    pair: tuple[str, str], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    name, engine = pair
    folder = tmp_path_factory.mktemp(name)
    if engine == "sqlite":
        place = nullcontext(store_in(folder))
    else:
        place = request.getfixturevalue({"postgresql": "postgres"}.get(engine, engine)).fresh()
    with place as url, running(name, folder, **{**JWT, "store": url, "revocation_lag_seconds": LAG}) as started:
        yield started


def test_of_parallel_first_requests_one_makes_the_key_and_every_worker_has_it(server: Server) -> None:
    with ThreadPoolExecutor(THREADS) as threads:
        tokens = list(threads.map(lambda number: issue(server), range(4 * THREADS)))
        answers = []

        def asked_everywhere() -> bool:
            # Who gets a request is the kernel's to say.
            answers.extend(threads.map(lambda token: ask(server, "GET", "/whoami", bearer(token)), tokens))
            return len({answer.process for answer in answers}) == server.kind.processes

        wait_until(asked_everywhere)
    store = open_store(server.store_url)
    kids = {record.kid for record in store.read_keys().keys}
    store.close()

    assert {token.partition(".")[0] for token in tokens} == {tokens[0].partition(".")[0]}
    assert {answer.status for answer in answers} == {200}
    assert len(kids) == 1


@pytest.mark.parametrize("event", ["revoke", "revoke-all", "disable", "retire"])
def test_an_ended_token_is_refused_by_every_worker_within_the_lag(
    server: Server, pair: tuple[str, str], event: str
) -> None:
    check_ended_within(server, event, 0 if pair[1] == "sqlite" else LAG)
