"""Revoked means revoked: seen by the next request in every worker process, under load."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from hosting import Server
from load import cached_everywhere, issuing, using, wait_until
from operating import Operator
from wire import ask, basic, bearer, revoke

ROUNDS = 10
_numbers = count()


@pytest.fixture(scope="session")
def operator(server: Server) -> Iterator[Operator]:
    with Operator(server.store_url) as process:
        yield process


Client = tuple[str, str]


@pytest.fixture(scope="session")
def make_client(server: Server, operator: Operator) -> Callable[[], Client]:
    """Register a client that this test may end; its id and secret."""

    def make() -> Client:
        client_id, secret = f"client-{next(_numbers)}", secrets.token_hex(20)
        server.confidential.add(secret)
        operator("add", client_id, secret)
        return client_id, secret

    return make


def token_of(server: Server, client: Client) -> str:
    form = {"grant_type": "client_credentials"}
    return str(ask(server, "POST", "/oauth/token", basic(*client), form).json["access_token"])


EVENTS = ["revoke", "revoke-all", "disable", "delete"]


def end(server: Server, operator: Operator, event: str, client: Client, token: str) -> None:
    """End the token: itself at the endpoint, or with all others of its client from another process."""
    if event == "revoke":
        form = {"token": token}
        assert ask(server, "POST", "/oauth/revoke", basic(*client), form).status == 200
    else:
        operator(event, client[0])


def check_no_stale_accept(server: Server, operator: Operator, event: str, client: Client) -> None:
    """Every request begun after the event is refused, by every worker; nothing fails meanwhile."""
    token = token_of(server, client)
    with using(server, token) as load, issuing(server, "beta") as issues:
        workers = cached_everywhere(server, load)
        end(server, operator, event, client, token)
        ended = time.monotonic()
        wait_until(lambda: load.processes(401, ended) >= workers and len(load.since(ended)) > 20 * len(workers))
    assert load.statuses(ended) == {401}
    assert load.statuses() == {200, 401}
    assert issues.statuses() == {200}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("rounds", [1, pytest.param(ROUNDS, marks=pytest.mark.slow)])
def test_ended_token_is_refused_by_every_worker_at_once_each_time(
    server: Server, operator: Operator, make_client: Callable[[], Client], event: str, rounds: int
) -> None:
    for _ in range(rounds):
        check_no_stale_accept(server, operator, event, make_client())


def test_end_of_all_tokens_parts_those_issued_before_from_those_after(
    server: Server, operator: Operator, make_client: Callable[[], Client]
) -> None:
    client = make_client()
    with issuing(server, *client, threads=3) as issues:
        wait_until(lambda: len(issues.records) > 20)
        begun = time.monotonic()
        operator("revoke-all", client[0])
        ended = time.monotonic()
        wait_until(lambda: len(issues.since(ended)) > 20)
    assert issues.statuses() == {200}
    before = [record.token for record in issues.records if record.ended < begun]
    after = [record.token for record in issues.since(ended)]
    assert {ask(server, "GET", "/whoami", bearer(token)).status for token in before} == {401}
    assert {ask(server, "GET", "/whoami", bearer(token)).status for token in after} == {200}


def test_revocation_of_one_token_leaves_the_others(server: Server) -> None:
    tokens = [token_of(server, client) for client in [("alpha", None), ("alpha", None), ("beta", None)]]
    revoke(server, tokens[0])
    assert [ask(server, "GET", "/whoami", bearer(token)).status for token in tokens] == [401, 200, 200]
