"""Many requests at once: no identity is mixed up, and no token is lost or given twice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from itertools import cycle, islice

import pytest
from hosting import Server
from wire import ask, bearer, issue

from oauth_mw import open_store

THREADS = 8
CLIENTS = ("alpha", "beta")


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool


def test_parallel_requests_keep_their_identities(server: Server, threads: ThreadPoolExecutor) -> None:  # B-20
    tokens = {client_id: issue(server, client_id) for client_id in CLIENTS}
    calls = list(islice(cycle(CLIENTS), 240))
    answers = list(threads.map(lambda client_id: ask(server, "GET", "/whoami", bearer(tokens[client_id])), calls))
    assert [(answer.status, answer.json["client_id"]) for answer in answers] == [(200, call) for call in calls]
    assert len({answer.process for answer in answers}) >= min(server.kind.processes, 2)


def test_parallel_requests_over_open_connections_keep_their_identities(
    server: Server, threads: ThreadPoolExecutor
) -> None:  # B-20
    tokens = {client_id: issue(server, client_id) for client_id in CLIENTS}

    def call(number: int) -> list[str | None]:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
        order = islice(cycle((*CLIENTS, "nobody")), number, number + 30)
        answers = [
            ask(server, "GET", "/whoami", bearer(tokens.get(name, "x")), connection=connection) for name in order
        ]
        connection.close()
        return [answer.json.get("client_id", "nobody") for answer in answers]

    expected = [list(islice(cycle((*CLIENTS, "nobody")), number, number + 30)) for number in range(THREADS)]
    assert list(threads.map(call, range(THREADS))) == expected


def test_parallel_issues_give_distinct_working_tokens_each_once_in_the_store(
    server: Server, threads: ThreadPoolExecutor
) -> None:  # B-21
    calls = list(islice(cycle(CLIENTS), 120))
    with closing(open_store(server.store_url)) as store:
        before = store.count_tokens()
        tokens = list(threads.map(lambda client_id: issue(server, client_id), calls))
        stored = store.count_tokens() - before
    assert len(set(tokens)) == stored == len(calls)
    answers = threads.map(lambda token: ask(server, "GET", "/whoami", bearer(token)), tokens)
    assert [answer.json["client_id"] for answer in answers] == calls
