"""Many requests at once: no identity is mixed up, and no token is lost or given twice."""

from __future__ import annotations

from contextlib import closing
from http.client import HTTPConnection
from itertools import cycle, islice

import pytest
from load import check_parallel_lives
from wire import ask, bearer, issue

CLIENTS = ("alpha", "beta")


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

    answers = [each for one in threads.map(lambda number: list(call(number)), range(8)) for each in one]
    assert [expected for expected, *_ in answers] == [client_id for _, client_id, _ in answers]
    assert kept or len({process for *_, process in answers}) >= min(server.kind.processes, 2)


def test_in_parallel_no_token_is_lost_or_doubled_and_no_identity_mixed_up(server, threads):  # B-20, B-21
    check_parallel_lives(server, threads, 0)
