"""Many requests at once: no identity is mixed up, and no token is lost or given twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from itertools import cycle, islice

import pytest
from wire import ask, bearer, issue

from oauth_mw import open_store

THREADS = 8
CLIENTS = ("alpha", "beta")


@pytest.fixture
def threads():
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool


@pytest.mark.parametrize("kept", [False, True], ids=["new connections", "open connections"])
def test_parallel_requests_keep_their_identities(server, threads, kept):  # B-20
    tokens = {"nobody": "x", **{client_id: issue(server, client_id) for client_id in CLIENTS}}

    def call(number):
        """The client of each request, as whom it was answered, and by which process."""
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
            for client_id in islice(cycle(tokens), number, number + 30):
                header = bearer(tokens[client_id])
                answer = ask(server, "GET", "/whoami", header, connection=connection if kept else None)
                yield client_id, answer.json.get("client_id", "nobody"), answer.process

    answers = [each for one in threads.map(lambda number: list(call(number)), range(THREADS)) for each in one]
    assert [expected for expected, *_ in answers] == [client_id for _, client_id, _ in answers]
    assert kept or len({process for *_, process in answers}) >= min(server.kind.processes, 2)


def test_parallel_issues_give_distinct_working_tokens_each_once_in_the_store(server, threads):  # B-21
    calls = list(islice(cycle(CLIENTS), 120))
    with closing(open_store(server.store_url)) as store:
        before = store.count_tokens()
        tokens = list(threads.map(lambda client_id: issue(server, client_id), calls))
        stored = store.count_tokens() - before
    assert len(set(tokens)) == stored == len(calls)
    answers = threads.map(lambda token: ask(server, "GET", "/whoami", bearer(token)), tokens)
    assert [answer.json["client_id"] for answer in answers] == calls
