"""A thread that follows the log waits on its own connection, and Redis wakes it. Its failures harm nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Event

import pytest
from redis_calls import reason

from helpers.builders import issued, log_of, opened
from helpers.engines import Redis, wait_until
from helpers.engines_redis_sentinels import Sentinels
from helpers.processes import exit_code_of, forked
from helpers.redis_liar import Liar, Raw, Through
from helpers.redis_raw import client_of
from helpers.woken import Worker
from oauth_mw import open_store
from oauth_mw.stores.redis.network.routing import connect
from oauth_mw.stores.redis.network.url import parse_url
from oauth_mw.stores.redis.network.watch import StreamWatch

LONG = 50
SHORT = 0.05


@pytest.fixture
def client(own):
    own.client.config_resetstat()
    return own.client


@pytest.fixture
def store(own_server, client):
    with opened(own_server.url) as store:
        yield store


@pytest.fixture
def waiter(store):
    with waiting(store) as waiter:
        yield waiter


@contextmanager
def waiting(store):
    with closing(store.waiter()) as waiter:
        waiter.wait(LONG)  # dials
        yield waiter


def blocked(client):
    return [each for each in client.client_list() if "b" in each["flags"]]


def calls(client):
    return client.info("commandstats").get("cmdstat_xread", {}).get("calls", 0)


# What wakes


def test_a_revocation_elsewhere_wakes(own_server, client, waiter):
    with closing(open_store(own_server.url)) as other, ThreadPoolExecutor(1) as pool:
        woken = pool.submit(waiter.wait, LONG)
        other.revoke_token(issued(other))
        woken.result(LONG / 2)


def test_what_was_revoked_between_two_waits_wakes_the_next_one_once(store, client, waiter):
    store.revoke_token(issued(store))
    waiter.wait(LONG)
    began = calls(client)

    waiter.wait(SHORT)

    assert calls(client) == began


def test_a_worker_refuses_what_another_revoked_long_before_the_lag_is_over(redis_url):
    with opened(redis_url) as store, closing(Worker(redis_url)) as worker:
        text, key = worker.issue()
        store.revoke_token(key)

        wait_until(lambda: not worker.accepts(text), "the revocation")


# What it costs


def test_waits_one_after_another_are_one_command(client, waiter):
    wait_until(lambda: blocked(client), "the wait")
    began = calls(client)
    for _ in range(5):
        waiter.wait(SHORT)

    assert calls(client) == began
    assert len(blocked(client)) == 1


def test_it_takes_no_connection_from_the_pool(own_server, client):
    with opened(own_server.url + "?max_connections=1") as store, waiting(store):
        wait_until(lambda: blocked(client), "the wait")
        assert store.find_client("tester")


def test_many_events_at_once_wake_a_few_times(client, waiter):
    with client.pipeline(transaction=False) as pipeline:
        for number in range(1, 301):
            pipeline.xadd("{oauth_mw}:log", {"c": "tester", "k": ""}, id=f"{number}-0")
        pipeline.execute()
    for _ in range(10):
        waiter.wait(SHORT)

    assert calls(client) < 10


def test_nothing_is_left_of_it_when_it_is_closed(store, client):
    with waiting(store):
        wait_until(lambda: blocked(client), "the wait")
    wait_until(lambda: not blocked(client), "the end of the connection")


# What fails


def test_a_user_that_may_not_wait_is_served_nevertheless(own_server, client):
    client.acl_setuser("slow", enabled=True, passwords=["+pw"], keys=["*"], commands=["+@all", "-xread"])
    with opened(own_server.url.replace("//", "//slow:pw@")) as store, waiting(store) as waiter:
        for _ in range(5):
            waiter.wait(SHORT)
        assert store.find_client("tester")
        assert 0 < client.info("commandstats")["cmdstat_xread"]["rejected_calls"] < 5


def test_a_wait_works_after_a_restart():
    with Redis(appendonly="yes") as server, opened(server.url) as store, waiting(store) as waiter:
        server.kill()
        for _ in range(3):
            waiter.wait(SHORT)
        server.start()

        with client_of(server.url) as client:
            wait_until(lambda: waiter.wait(SHORT) or blocked(client), "a new connection")
            store.revoke_token(issued(store))
            waiter.wait(LONG)


@pytest.mark.parametrize(
    "reply",
    [b"", [], [[b"log", []]], [[b"log", [[7, []]]]], Raw(b"-MOVED\r\n"), Raw(b"%1\r\n*0\r\n+b\r\n")],
    ids=repr,
)
def test_what_no_redis_answers_is_no_wake_up(own_server, client, reply):
    through = Through(own_server.port)

    def answer(command):
        return reply if command[0] == b"XREAD" else through(command)

    with closing(through), Liar(answer) as liar, opened(f"redis://127.0.0.1:{liar.port}") as store:
        with waiting(store) as waiter:
            for _ in range(3):
                waiter.wait(SHORT)
            assert store.find_client("tester")


def test_a_connection_that_says_nothing_for_too_long_is_given_up(own_server):
    asked, over = [], Event()

    def answer(command):
        if command[0] == b"XREAD":
            asked.append(command)
            over.wait(LONG)
        return through(command)

    with closing(Through(own_server.port)) as through, Liar(answer) as liar:
        servers = connect(parse_url(f"redis://127.0.0.1:{liar.port}"))
        watch = StreamWatch("log", lambda: servers.dialer("log"), block=SHORT, late=SHORT)
        wait_until(lambda: watch.wait(SHORT) or len(asked) > 1, "another XREAD")
        over.set()


def test_a_child_takes_no_connection_from_its_parent(own_server, client, store, waiter):
    def work():
        waiter.wait(LONG)  # dials
        wait_until(lambda: len(blocked(client_of(own_server.url))) == 2, "two waits")
        return True

    assert exit_code_of(forked(work)) == 0
    wait_until(lambda: len(blocked(client)) == 1, "the child's connection to be closed")
    store.revoke_token(issued(store))
    waiter.wait(LONG)


@pytest.mark.slow
def test_a_wait_works_after_a_failover():
    with Sentinels() as engine, opened(engine.url) as store, waiting(store) as waiter:
        store.revoke_token(issued(store))
        waiter.wait(LONG)
        lost = engine.primary_of("")
        lost.kill()
        wait_until(lambda: engine.primary_of("") is not lost, "a new primary", 90)
        engine.rejoin(lost)
        wait_until(engine.is_well, "the replica", 90)
        wait_until(lambda: not reason(lambda: log_of(store)), "the store")

        with client_of(f"redis://127.0.0.1:{engine.primary_of('').port}") as client:
            wait_until(lambda: waiter.wait(SHORT) or blocked(client), "a new connection")
        store.revoke_token(issued(store, number=2))
        waiter.wait(LONG)
