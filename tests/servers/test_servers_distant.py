"""Every way in which servers make their workers, over engines on other machines, with opaque tokens and JWTs."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from urllib.parse import urlsplit

import pytest
from hosting import family, holders, running
from load import check_ended_within, check_parallel_lives, new_client
from wire import GRANT, ask, basic, bearer, issue

from helpers.engines_base import wait_until
from helpers.jwts import ISSUER
from oauth_mw import open_store

pytestmark = pytest.mark.slow

LAG = 0.5
# Each server on one of the engines: how it makes its workers is the same for all.
PAIRS = [
    ("gunicorn-preload", "sqlite"),
    pytest.param(("gunicorn", "postgresql"), marks=pytest.mark.long),
    ("gunicorn-gevent", "postgresql"),
    ("uwsgi-threads", "postgresql"),
    ("gunicorn-gevent", "redis"),
    ("uwsgi", "redis"),
    pytest.param(("waitress", "redis"), marks=pytest.mark.long),
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


def test_in_parallel_no_token_is_lost_or_doubled_and_no_identity_mixed_up(server, threads):  # B-20, B-21
    check_parallel_lives(server, threads, LAG)


def test_of_parallel_first_jwts_one_makes_the_key_and_every_worker_has_it(server, threads):
    client = new_client(server, token_format="jwt")
    tokens = list(threads.map(lambda number: issue(server, *client), range(32)))
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


@pytest.mark.parametrize(
    "server", [("gunicorn-gevent", engine) for engine in ("postgresql", "redis")], indirect=True, ids="-".join
)
def test_two_hundred_requests_at_once_wait_for_sixteen_connections(server):
    def tokens_of(number: int) -> list[str]:
        # On a busy machine the last of two hundred waits for long.
        answers = [ask(server, "POST", "/oauth/token", basic(), GRANT, timeout=60) for _ in range(2)]
        return [answer.json["access_token"] for answer in answers]

    with ThreadPoolExecutor(200) as pool:
        tokens = [token for each in pool.map(tokens_of, range(200)) for token in each]
    assert len(set(tokens)) == len(tokens)
    assert {ask(server, "GET", "/whoami", bearer(each)).json["client_id"] for each in tokens[::20]} == {"alpha"}
