"""The pool of connections, over connections made of air."""

from __future__ import annotations

import gc
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Event, Lock, Thread

import pytest

from oauth_mw.errors import StoreUnavailable
from oauth_mw.stores.sql.postgresql.pool import Pool

LONG = 20.0  # no test waits so long, unless it fails


class Air:
    stale = unanswered = closed = False
    idle = True

    def is_stale(self):
        return self.stale

    def is_idle(self):
        return self.idle

    def is_unanswered(self):
        return self.unanswered

    def close(self):
        self.closed = True


class Dialler:
    """Counts, and may be told to wait or to fail."""

    def __init__(self):
        self.made = 0
        self.failure = None
        self.may_go_on = Event()
        self.may_go_on.set()
        self._lock = Lock()

    def __call__(self):
        assert self.may_go_on.wait(LONG)
        with self._lock:
            self.made += 1
        if self.failure:
            raise self.failure
        return Air()


@pytest.fixture
def dial():
    dial = Dialler()
    yield dial
    dial.may_go_on.set()


@pytest.fixture
def pool(dial):
    return Pool(dial, 2)


def soon(seconds=LONG):
    return time.monotonic() + seconds


def waiting(pool, count=1):
    """Whether so many wait for a connection."""
    deadline = soon()
    while pool._waiting < count and time.monotonic() < deadline:
        time.sleep(0.001)
    return pool._waiting == count


def test_what_was_put_back_is_taken_again(pool, dial):
    used = pool.take(soon())
    pool.put_back(used)

    assert (pool.take(soon()), dial.made) == (used, 1)


def test_there_are_never_more_than_the_limit(pool, dial):
    taken = [pool.take(soon()) for _ in range(2)]

    with pytest.raises(StoreUnavailable, match="in time"):
        pool.take(soon(0.05))
    assert (len(set(map(id, taken))), dial.made) == (2, 2)


def test_many_threads_share_the_few(pool, dial):
    used = set()

    def use(number):
        for _ in range(50):
            connection = pool.take(soon())
            assert connection not in used
            used.add(connection)
            used.discard(connection)
            pool.put_back(connection)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(8)))

    assert dial.made <= 2


def test_who_waits_gets_what_another_gives_back(pool):
    taken = [pool.take(soon()) for _ in range(2)]
    with ThreadPoolExecutor(1) as threads:
        waiter = threads.submit(pool.take, soon())
        assert waiting(pool)
        pool.put_back(taken[0])

        assert waiter.result(LONG) is taken[0]


def test_who_waits_dials_when_another_gives_a_broken_one_back(pool, dial):
    taken = [pool.take(soon()) for _ in range(2)]
    taken[0].idle = False
    with ThreadPoolExecutor(1) as threads:
        waiter = threads.submit(pool.take, soon())
        assert waiting(pool)
        pool.put_back(taken[0])

        assert waiter.result(LONG) not in taken
    assert taken[0].closed and dial.made == 3


def test_a_broken_one_is_closed_and_leaves_room(pool, dial):
    for _ in range(3):
        broken = pool.take(soon())
        broken.idle = False
        pool.put_back(broken)

    assert (broken.closed, dial.made) == (True, 3)


def test_a_stale_one_is_closed_and_leaves_room(pool, dial):
    for _ in range(3):
        stale = pool.take(soon())
        pool.put_back(stale)
        stale.stale = True
    pool.take(soon())

    assert (stale.closed, dial.made) == (True, 4)


def test_the_others_are_not_trusted_when_one_was_not_answered(pool):
    resting, asked = pool.take(soon()), pool.take(soon())
    pool.put_back(resting)
    asked.idle, asked.unanswered = False, True
    pool.put_back(asked)

    assert resting.closed and asked.closed


def test_one_that_an_interrupted_thread_lost_leaves_room(pool):
    for _ in range(3):
        pool.take(soon())
        gc.collect()

    assert pool.take(soon())


def test_an_interruption_within_take_leaves_room(pool):
    class Interrupting(Air):
        def is_stale(self):
            raise KeyboardInterrupt

    for _ in range(3):
        used = pool.take(soon())
        used.__class__ = Interrupting
        pool.put_back(used)
        del used
        with pytest.raises(KeyboardInterrupt):
            pool.take(soon())
    gc.collect()

    assert pool.take(soon()) and pool._waiting == 0


def test_a_failed_dial_is_told_at_once(pool, dial):
    dial.failure = StoreUnavailable("nobody there")
    started = time.monotonic()

    with pytest.raises(StoreUnavailable, match="nobody there"):
        pool.take(soon())
    assert time.monotonic() - started < LONG / 2


@pytest.mark.parametrize("failure", [OSError("secret"), SystemExit("secret"), MemoryError()])
def test_whatever_a_dial_raises_is_told_by_its_name_alone(pool, dial, failure):
    dial.failure = failure

    with pytest.raises(StoreUnavailable, match=f"^no connection to the store: {type(failure).__name__}$"):
        pool.take(soon())


def test_a_failed_dial_leaves_room(pool, dial):
    dial.failure = StoreUnavailable("nobody there")
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            pool.take(soon())
    dial.failure = None

    assert pool.take(soon()) and pool.take(soon())


def test_a_failed_dial_fails_nobody_while_another_connection_may_come_back(pool, dial):
    used = pool.take(soon())
    dial.failure = StoreUnavailable("no more than one")
    with ThreadPoolExecutor(1) as threads:
        waiter = threads.submit(pool.take, soon())
        while dial.made < 2:
            time.sleep(0.001)
        pool.put_back(used)

        assert waiter.result(LONG) is used


def test_who_comes_while_a_dial_is_about_to_fail_tries_himself(pool, dial):
    dial.failure = StoreUnavailable("nobody there")
    dial.may_go_on.clear()
    with pytest.raises(StoreUnavailable, match="in time"):
        pool.take(soon(0.01))
    with ThreadPoolExecutor(1) as threads:
        waiter = threads.submit(pool.take, soon())
        assert waiting(pool)
        dial.may_go_on.set()

    assert (waiter.exception().reason, dial.made) == ("nobody there", 2)


def test_a_dial_that_hangs_holds_nobody_beyond_his_deadline(pool, dial):
    dial.may_go_on.clear()
    started = time.monotonic()

    with pytest.raises(StoreUnavailable, match="in time"):
        pool.take(soon(0.1))
    assert time.monotonic() - started < 1


def test_who_waits_no_longer_leaves_his_connection_to_the_next(pool, dial):
    dial.may_go_on.clear()
    with pytest.raises(StoreUnavailable):
        pool.take(soon(0.01))
    dial.may_go_on.set()

    assert pool.take(soon()) and dial.made == 1


def test_dials_that_hang_are_no_more_than_the_limit(pool, dial):
    dial.may_go_on.clear()
    with ThreadPoolExecutor(5) as threads:
        waiters = [threads.submit(pool.take, soon()) for _ in range(5)]
        assert waiting(pool, 5)
        dialling = pool._dialling
        dial.may_go_on.set()
        for waiter in as_completed(waiters, LONG):
            pool.put_back(waiter.result())

    assert (dialling, dial.made) == (2, 2)


def test_where_no_thread_can_be_started_there_is_no_connection(pool, monkeypatch):
    def cannot(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", cannot)
    with pytest.raises(StoreUnavailable, match="can't start new thread"):
        pool.take(soon())

    monkeypatch.undo()
    assert pool.take(soon()) and pool.take(soon())


def test_after_the_end_nothing_stays_open(pool):
    free, used = pool.take(soon()), pool.take(soon())
    pool.put_back(free)
    pool.close()
    pool.put_back(used)

    assert free.closed and used.closed


def test_who_was_waiting_at_the_end_is_told(pool, dial):
    dial.may_go_on.clear()
    with ThreadPoolExecutor(1) as threads:
        waiter = threads.submit(pool.take, soon())
        assert waiting(pool)
        pool.close()
        dial.may_go_on.set()

        with pytest.raises(StoreUnavailable, match="closed"):
            waiter.result(LONG)
