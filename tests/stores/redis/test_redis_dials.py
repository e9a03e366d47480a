"""Where a host's name is looked up in vain: nobody waits longer than he may, and it ends by itself."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.builders import registered
from helpers.engines import Redis, wait_until
from helpers.engines_redis_cluster import Cluster
from helpers.engines_redis_sentinels import Sentinels
from helpers.processes import exit_code_of, forked
from helpers.store_urls import why_no_wheel
from oauth_mw import open_store
from oauth_mw.errors import StoreUnavailable

TIMEOUT = 0.4
SLACK = 0.3  # for a machine that is busy
LIMIT = 3

pytestmark = pytest.mark.skipif(bool(why_no_wheel("redis")), reason=why_no_wheel("redis"))

slow = pytest.mark.slow
ENGINES = [Redis, pytest.param(Sentinels, marks=slow), pytest.param(Cluster, marks=slow)]


@pytest.fixture(scope="module", params=ENGINES, ids=lambda kind: kind.__name__)
def engine(request):
    with request.param() as engine:
        yield engine


@pytest.fixture
def store(engine):
    url = engine.url + f"?max_connections={LIMIT}"
    with contextlib.closing(open_store(url, create=True, timeout=TIMEOUT)) as store:
        yield store


class Resolver:
    """The look-up of names, while :attr:`answers` is set."""

    def __init__(self):
        self._look_up = socket.getaddrinfo
        self.waiting = Counter()  # by port
        self.answers = threading.Event()
        self.answers.set()

    def __call__(self, host, port, *arguments, **options):
        self.waiting[port] += not self.answers.is_set()
        self.answers.wait(30)
        return self._look_up(host, port, *arguments, **options)


@pytest.fixture
def resolver(monkeypatch):
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.answers.set()
    wait_until(lambda: not dials(), "the dials")


def dials():
    return [thread for thread in threading.enumerate() if thread.name == "oauth_mw dials"]


def outcome(call):
    """Whether it was an outage, and how long it took."""
    began = time.monotonic()
    try:
        call()
    except StoreUnavailable:
        return True, time.monotonic() - began
    return False, time.monotonic() - began


def test_a_resolver_that_hangs_is_an_outage_in_time(store, resolver):
    resolver.answers.clear()

    unavailable, seconds = outcome(lambda: store.find_client("tester"))

    assert (unavailable, seconds < TIMEOUT + SLACK) == (True, True)


def test_all_goes_on_by_itself_once_the_resolver_answers(store, resolver):
    resolver.answers.clear()
    outcome(lambda: store.find_client("tester"))
    resolver.answers.set()

    wait_until(lambda: not outcome(lambda: store.find_client("tester"))[0], "recovery", 5)


def test_connections_that_are_there_need_no_resolver(store, resolver):
    store.add_client(registered())
    store.find_client("tester")
    resolver.answers.clear()

    unavailable, seconds = outcome(lambda: [store.find_client("tester") for _ in range(5)])

    assert (unavailable, seconds < TIMEOUT) == (False, True)


@slow
def test_while_it_hangs_a_bounded_number_of_threads_waits_for_each_address(store, engine, resolver):
    ports = [int(port) for port in re.findall(r":([0-9]+)", engine.url)]
    resolver.answers.clear()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: outcome(lambda: store.find_client("tester")), range(32)))

    assert 0 < max(resolver.waiting[port] for port in ports) <= LIMIT
    assert {unavailable for unavailable, _ in found} == {True}
    assert max(seconds for _, seconds in found) < TIMEOUT + SLACK


def test_a_connection_that_comes_too_late_is_closed(resolver, monkeypatch):
    # As if the time were not over yet when the name is known at last.
    monkeypatch.setattr(socket.socket, "settimeout", lambda self, seconds: self.setblocking(True))
    closed, close = [], socket.socket.close
    monkeypatch.setattr(socket.socket, "close", lambda self: closed.append(self) or close(self))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        resolver.answers.clear()
        outcome(lambda: open_store(f"redis://127.0.0.1:{listener.getsockname()[1]}", timeout=0.1))
        resolver.answers.set()
        wait_until(lambda: not dials(), "the dial")
        assert len(closed) == 1


def test_a_child_that_is_forked_while_all_dials_hang_dials_by_itself(engine, store, resolver):
    resolver.answers.clear()
    for _ in range(LIMIT):
        outcome(lambda: store.find_client("tester"))

    def asks():
        resolver.answers.set()
        wait_until(lambda: not outcome(lambda: store.find_client("tester"))[0], "recovery", 5)
        return True

    assert exit_code_of(forked(asks)) == 0
