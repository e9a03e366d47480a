"""The pool of connections to PostgreSQL: its limit, its waits, and connections that cannot be used again."""

from __future__ import annotations

import gc
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from threading import Lock

import psycopg
import pytest

from helpers.engines_base import wait_until
from oauth_mw import StoreUnavailable
from oauth_mw.stores.sql.postgresql.driver import dialling
from oauth_mw.stores.sql.postgresql.pool import Link, Pool
from oauth_mw.stores.sql.postgresql.url import arguments, parsed

LONG = 20.0  # no test waits so long unless it fails
TIMEOUT = 5.0
LIMIT = 2


class Dialler:
    """Opens connections and counts the attempts; raises ``failure`` if it is set."""

    def __init__(self, dial):
        self._dial = dial
        self._lock = Lock()
        self.attempts = 0
        self.failure = None

    def __call__(self):
        with self._lock:
            self.attempts += 1
        if self.failure:
            raise self.failure
        return self._dial()


@pytest.fixture
def dial(postgres_url):
    return Dialler(dialling(arguments(parsed(postgres_url), TIMEOUT), TIMEOUT, TIMEOUT))


@pytest.fixture
def pool(dial):
    with closing(Pool(dial, LIMIT)) as pool:
        yield pool


@pytest.fixture
def use(pool):
    """Returns a context manager with a connection in use."""
    return lambda seconds=LONG: Link(pool, time.monotonic() + seconds)


@contextmanager
def all_in_use(use):
    with ExitStack() as stack:
        yield [stack.enter_context(use()) for _ in range(LIMIT)]


def backend(link):
    return link.driver.info.backend_pid


def used(use):
    with use() as link:
        assert link.driver.execute("SELECT 1").fetchone() == (1,)
        return backend(link)


def test_there_are_never_more_than_the_limit_and_those_are_taken_again(use, dial):
    with all_in_use(use) as links:
        with pytest.raises(StoreUnavailable, match="stayed in use"), use(0.05):
            pass
        taken = {backend(link) for link in links}

    assert used(use) in taken and (len(taken), dial.attempts) == (LIMIT, LIMIT)


def test_many_threads_share_the_few_and_none_fails(use, dial):
    busy = set()

    def work(_):
        for _ in range(100):
            with use() as link:
                assert backend(link) not in busy
                busy.add(backend(link))
                busy.discard(backend(link))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert dial.attempts <= LIMIT


def test_a_waiter_gets_the_connection_that_another_puts_back(use):
    with ThreadPoolExecutor(1) as threads, ExitStack() as other:
        with use() as first:
            other.enter_context(use())
            waiter = threads.submit(used, use)

        assert waiter.result(LONG) == backend(first)


def break_off(link):
    """Leave the connection in the middle of a statement."""
    with suppress(ZeroDivisionError):
        link.driver.pgconn.send_query(b"SELECT pg_sleep(60)")


BROKEN = {
    "closed": lambda link: link.driver.close(),
    "ended by the server": lambda link: link.driver.execute("SELECT pg_terminate_backend(pg_backend_pid())"),
    "in the middle of a statement": break_off,
}


@pytest.mark.parametrize("break_it", BROKEN.values(), ids=BROKEN)
def test_a_broken_connection_is_closed_and_leaves_room(use, raw, break_it):
    for _ in range(LIMIT + 1):
        with suppress(StoreUnavailable), use() as link:
            broken = backend(link)
            break_it(link)
        raw("SELECT pg_terminate_backend(%s)", broken)
        wait_until(lambda: broken not in raw.backends(), "the end of the connection")  # noqa: B023

    assert used(use) and used(use)


@pytest.mark.parametrize("poll", [True, False], ids=["", "without poll"])
def test_a_connection_that_ended_at_rest_is_replaced(use, raw, dial, poll, monkeypatch):
    if not poll:
        monkeypatch.delattr("select.poll")  # as on Windows
    for _ in range(LIMIT + 1):
        before = used(use)
        raw("SELECT pg_terminate_backend(%s)", before)
        wait_until(lambda: before not in raw.backends(), "the end of the connection")  # noqa: B023
    used(use)

    assert dial.attempts == LIMIT + 2


def test_the_idle_ones_are_not_trusted_when_another_was_not_answered(use, raw):
    with all_in_use(use) as links:
        resting = {backend(link) for link in links}
    with use() as link:
        asked = backend(link)
        break_off(link)

    raw("SELECT pg_terminate_backend(%s)", asked)
    wait_until(lambda: not resting & raw.backends(), "the end of both connections")


def test_a_connection_that_sqlalchemy_finds_lost_is_put_back_once(use, raw):
    for _ in range(LIMIT + 1):
        with pytest.raises(StoreUnavailable), use() as link:
            raw("SELECT pg_terminate_backend(%s)", backend(link))
            link.core.exec_driver_sql("SELECT 1")

    with all_in_use(use):
        pass


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("failure", [Interrupted("now"), StoreUnavailable("the server is down")], ids=str)
def test_a_dial_that_fails_passes_its_error_on_and_leaves_room(use, dial, failure):
    dial.failure = failure
    for _ in range(LIMIT + 1):
        with pytest.raises(type(failure), match=str(failure)), use():
            pass
    dial.failure = None

    with all_in_use(use):
        pass


def test_a_slot_that_an_interrupted_thread_lost_is_free_again(pool, use):
    for _ in range(LIMIT + 1):
        pool.take(time.monotonic() + LONG)  # never returned

    with all_in_use(use):
        pass


def test_one_that_an_interrupted_thread_lost_is_not_handed_on_as_it_was(pool, use):
    lost = pool.engine.raw_connection()  # never returned
    lost.driver_connection.execute("BEGIN")
    del lost
    gc.collect()

    with use() as link:
        assert link.driver.is_idle()


@pytest.fixture
def waiting(use, dial):
    """A context manager in which one connection is in use, and a caller waits because no other can be opened."""

    @contextmanager
    def waiting():
        with ThreadPoolExecutor(1) as threads, use() as link:
            dial.failure = psycopg.OperationalError("no more than one")
            waiter = threads.submit(used, use)
            wait_until(lambda: dial.attempts > 1, "an attempt")
            yield link, waiter

    return waiting


def test_where_no_other_can_be_opened_a_caller_waits_for_the_one_in_use(use, dial, waiting):
    with waiting() as (link, waiter):
        pass

    assert waiter.result(LONG) == backend(link)
    dial.failure = None
    with all_in_use(use):
        pass


def test_where_the_one_in_use_is_lost_the_others_fail_at_once(waiting):
    with waiting() as (link, waiter):
        link.driver.close()

    assert waiter.exception(LONG).reason == "PostgreSQL: no more than one"


def test_a_closed_pool_closes_all_connections(pool, use, raw):
    used(use)
    before = {used(use)}
    with use() as link:
        before.add(backend(link))
        pool.close()

    wait_until(lambda: not before & raw.backends(), "the end of the connections")
