"""Every way in which servers make their workers, over engines on other machines, with opaque tokens and JWTs."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from urllib.parse import urlsplit

import pytest
from hosting import Server, family, holders, running
from load import check_ended_within, issuing, new_client
from wire import ask, bearer, issue, revoke

from helpers.engines_base import wait_until
from helpers.jwts import ISSUER
from oauth_mw import open_store

pytestmark = pytest.mark.slow

LAG = 0.5
THREADS = 8
LIVES = 96
# Each server on one of the engines: how it makes its workers is the same for all.
PAIRS = [
    ("gunicorn-preload", "sqlite"),
    ("gunicorn", "postgresql"),
    ("gunicorn-gevent", "postgresql"),
    ("uwsgi-threads", "postgresql"),
    ("gunicorn-gevent", "redis"),
    ("uwsgi", "redis"),
    ("waitress", "redis"),
]


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def server(request, tmp_path_factory):
    """A server over a place of its own on the engine that all tests share. No request times out on a busy machine."""
    name, engine = request.param
    folder = tmp_path_factory.mktemp(name)
    place = nullcontext(f"sqlite:///{folder}/oauth.db")
    if engine != "sqlite":
        place = request.getfixturevalue({"postgresql": "postgres"}.get(engine, engine)).fresh()
    options = {"issuer": ISSUER, "revocation_lag_seconds": LAG, "store_timeout_seconds": 30}
    with place as url, running(name, folder, store=url, **options) as started:
        yield started


@pytest.fixture
def threads():
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


def test_in_parallel_no_token_is_lost_or_doubled_and_no_identity_mixed_up(server, threads):  # B-20, B-21
    with closing(open_store(server.store_url)) as store:
        before = store.count_tokens()
        lives = list(threads.map(lambda number: live(server, number), range(LIVES)))
        time.sleep(LAG)
        statuses = list(threads.map(lambda life: ask(server, "GET", "/whoami", bearer(life[0])).status, lives))
        issued = store.count_tokens() - before

    assert [accepted for _, accepted in lives] == [[client_of(number)] * 3 for number in range(LIVES)]
    assert statuses == [401 if ends(number) else 200 for number in range(LIVES)]
    assert len({token for token, _ in lives}) == issued == LIVES


def test_of_parallel_first_jwts_one_makes_the_key_and_every_worker_has_it(server, threads):
    client = new_client(server, token_format="jwt")
    tokens = list(threads.map(lambda number: issue(server, *client), range(4 * THREADS)))
    answers = []

    def asked_everywhere() -> bool:
        # Which worker gets a request is the kernel's to say.
        answers.extend(threads.map(lambda token: ask(server, "GET", "/whoami", bearer(token)), tokens))
        return len({answer.process for answer in answers}) == server.kind.processes

    wait_until(asked_everywhere, "every worker")
    with closing(open_store(server.store_url)) as store:
        assert len(store.read_keys().keys) == 1
    assert {token.partition(".")[0] for token in tokens} == {tokens[0].partition(".")[0]}
    assert {answer.status for answer in answers} == {200}


@pytest.mark.parametrize(("event", "token_format"), [("disable", "opaque"), ("revoke", "jwt"), ("retire", "jwt")])
def test_an_ended_token_is_refused_by_every_worker_within_the_lag(server, event, token_format):
    check_ended_within(server, event, 0 if "sqlite" in server.store_url else LAG, token_format=token_format)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="does not show which process has what open")
@pytest.mark.parametrize("server", PAIRS[1:], indirect=True, ids="-".join)
def test_no_two_processes_share_a_connection(server, threads):
    used = set(threads.map(lambda number: ask(server, "GET", "/whoami", bearer(f"{number}")).process, range(64)))
    list(threads.map(lambda number: issue(server), range(32)))
    held = holders(urlsplit(server.store_url).port or 0, family(server.process.pid)).values()

    assert all(len(processes) == 1 for processes in held)
    assert set().union(*held) >= used


@pytest.mark.parametrize("server", [pair for pair in PAIRS if "gevent" in pair[0]], indirect=True, ids="-".join)
def test_two_hundred_requests_at_once_wait_for_sixteen_connections(server):
    with issuing(server, "alpha", threads=200) as issues:
        wait_until(lambda: len(issues.records) > 400, "tokens")
    tokens = [record.token for record in issues.records]
    assert issues.statuses() == {200}
    assert len(set(tokens)) == len(tokens)
    assert {ask(server, "GET", "/whoami", bearer(each)).json["client_id"] for each in tokens[::20]} == {"alpha"}
