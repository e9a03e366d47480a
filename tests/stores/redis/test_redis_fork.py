"""Forks, threads and greenlets: every caller gets the reply to its own command."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event

import pytest

from helpers.builders import issued, registered
from helpers.engines import wait_until
from helpers.processes import exit_code_of, forked
from oauth_mw import open_store

ROUNDS = 30


@pytest.fixture
def store(redis_url):
    with closing(open_store(redis_url, create=True, timeout=10)) as store:
        for number in range(8):
            store.add_client(registered(f"client-{number}", lifetime=number + 1))
        yield store


def asks(store, number):
    """Whether every client is the one that was looked for."""
    client_id = f"client-{number}"
    found = [store.find_client(client_id) for _ in range(ROUNDS)]
    return {(client.client_id, client.lifetime) for client in found} == {(client_id, number + 1)}


def test_a_start_leaves_no_connection_open_for_a_fork_to_inherit(own_server, own):
    with closing(open_store(own_server.url, create=True)):
        wait_until(
            lambda: own.client.info("clients")["connected_clients"] == 1, "the server to see the end of the others"
        )


def test_a_child_that_closes_the_store_closes_it_for_itself(store):
    asks(store, 0)

    assert exit_code_of(forked(lambda: store.close() or asks(store, 1))) == 0

    assert asks(store, 2)


def test_a_fork_amid_busy_threads_harms_neither_side(store):
    done = Event()

    def work(number):
        answers = []
        while not done.is_set():
            answers.append(asks(store, number))
        return all(answers)

    with ThreadPoolExecutor(4) as pool:
        threads = [pool.submit(work, number) for number in range(4)]
        codes = [exit_code_of(child) for child in [forked(lambda: asks(store, 7)) for _ in range(3)]]
        done.set()

    assert (codes, [thread.result() for thread in threads]) == ([0] * 3, [True] * 4)


def test_threads_share_few_connections_without_mixing_answers(redis_url, store):
    url = redis_url + "&max_connections=2"
    with closing(open_store(url, timeout=10)) as few, ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda number: asks(few, number), range(8)))


def test_exactly_one_of_several_processes_revokes_a_token(store):
    key = issued(store, "client-0")

    codes = [exit_code_of(child) for child in [forked(lambda: store.revoke_token(key)) for _ in range(4)]]

    assert sorted(codes) == [0, 2, 2, 2]


GREENLETS = """
from gevent import monkey; monkey.patch_all()
import sys, gevent
from oauth_mw import open_store
store = open_store(sys.argv[1], timeout=10)
waiter = store.waiter()
waiter.wait(50)  # dials
waiting = gevent.spawn(waiter.wait, 50)
def ask(number):
    client_id = f"client-{number % 8}"
    return store.find_client(client_id).client_id == client_id
jobs = [gevent.spawn(ask, number) for number in range(300)]
gevent.joinall(jobs)
ready = waiting.ready()
store.update_client("client-0", lambda client: client, revoke_tokens=True)
waiting.join(25)
print(sum(bool(job.value) for job in jobs), ready, waiting.ready())
"""


@pytest.mark.slow
def test_greenlets_share_the_connections_while_one_waits_for_a_revocation(redis_url, store):
    done = subprocess.run([sys.executable, "-c", GREENLETS, redis_url], capture_output=True, text=True, timeout=50)

    assert (done.stdout, done.stderr) == ("300 False True\n", "")
