"""Every server over PostgreSQL and over Redis, with requests in parallel."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from hosting import KINDS, Server, running
from links import family, holders
from load import check_ended_within
from wire import ask, bearer, issue, revoke

from oauth_mw import open_store

pytestmark = pytest.mark.slow

LAG = 0.5
THREADS = 8
LIVES = 96
ENGINES = ["postgresql", "redis"]
# Each server on one of the engines, and by hand on the other: how it makes its workers is the same for both.
PAIRS = [
    pytest.param((name, engine), marks=[pytest.mark.long] * (number % 2 != turn))
    for number, name in enumerate(KINDS)
    if name != "wsgiref"
    for turn, engine in enumerate(ENGINES)
]


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over a place of its own on the engine that all tests share."""
    name, engine = request.param
    place = request.getfixturevalue({"postgresql": "postgres"}.get(engine, engine))
    options = {"revocation_lag_seconds": LAG}
    with place.fresh() as url, running(name, tmp_path_factory.mktemp(name), store=url, **options) as started:
        yield started


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool


def client_of(number: int) -> str:
    return ("alpha", "beta")[number % 2]


def ends(number: int) -> bool:
    return number % 3 == 0


def live(server: Server, number: int) -> tuple[str, list[str | None]]:
    """A token's life: its text, and as whom it was accepted."""
    token = issue(server, client_of(number))
    accepted = [ask(server, "GET", "/whoami", bearer(token)).json.get("client_id") for _ in range(3)]
    if ends(number):
        assert revoke(server, token, client_of(number)).status == 200
    return token, accepted


def test_in_parallel_no_token_is_lost_or_doubled_and_no_identity_mixed_up(
    server: Server, threads: ThreadPoolExecutor
) -> None:  # B-20, B-21
    store = open_store(server.store_url)
    before = store.count_tokens()
    lives = list(threads.map(lambda number: live(server, number), range(LIVES)))
    time.sleep(LAG)
    statuses = list(threads.map(lambda life: ask(server, "GET", "/whoami", bearer(life[0])).status, lives))
    issued = store.count_tokens() - before
    store.close()

    assert [accepted for _, accepted in lives] == [[client_of(number)] * 3 for number in range(LIVES)]
    assert statuses == [401 if ends(number) else 200 for number in range(LIVES)]
    assert len({token for token, _ in lives}) == issued == LIVES


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="shows nobody what is open")
def test_no_two_processes_share_a_connection(server: Server, threads: ThreadPoolExecutor) -> None:
    used = set(threads.map(lambda number: ask(server, "GET", "/whoami", bearer(f"{number}")).process, range(64)))
    list(threads.map(lambda number: issue(server), range(32)))
    held = holders(urlsplit(server.store_url).port or 0, family(server.process.pid)).values()

    assert all(len(processes) == 1 for processes in held)
    assert set().union(*held) >= used


@pytest.mark.parametrize("event", ["revoke", "disable"])
def test_an_ended_token_is_refused_by_every_worker_within_the_lag(server: Server, event: str) -> None:
    check_ended_within(server, event, LAG)
