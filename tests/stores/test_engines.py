"""The servers that the tests start: real, controllable, and gone at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import psycopg
import pytest
import redis

from helpers.engines import Postgres, Redis, wait_until
from helpers.store_urls import why_no_wheel

pytestmark = pytest.mark.slow

STORE = {Postgres: "CREATE TABLE stored AS SELECT 1", Redis: "SET stored 1"}
FORGET = {Postgres: "DROP TABLE IF EXISTS stored", Redis: "DEL stored"}
TELL = {Postgres: "SELECT * FROM stored", Redis: "GET stored"}
# Through a kill. Without "always", Redis answers before it writes whenever an earlier write is on its way to the disk.
DURABLE = {Postgres: {}, Redis: {"appendonly": "yes", "appendfsync": "always"}}
LOST = {Postgres: psycopg.OperationalError, Redis: redis.ConnectionError}
PAUSED = """
import sys, time
sys.path.insert(0, sys.argv[1])
from helpers.engines import {kind}
engine = {kind}()
engine.start()
engine.pause()
print(engine.folder, *engine.pids(), flush=True)
time.sleep(60)
"""

both = pytest.mark.parametrize("kind", [Postgres, Redis], ids=["postgresql", "redis"])


@pytest.fixture(scope="module")
def engines():
    """By kind, one engine for all tests: what each one finds is made good by ``engine``."""
    with ExitStack() as stack:
        yield cache(lambda kind: stack.enter_context(kind(**DURABLE[kind])))


@pytest.fixture
def engine(kind, engines):
    skip_without_wheel(kind)
    found = engines(kind)
    if not found.pids():
        found.start()
    return found


@pytest.fixture
def stored(engine, kind):
    """A connection to an engine that holds a value."""
    with connected(engine) as tell:
        tell(FORGET[kind])
        tell(STORE[kind])
        yield tell


def skip_without_wheel(kind):
    if reason := why_no_wheel("redis" if kind is Redis else "postgresql"):
        pytest.skip(reason)


@contextmanager
def connected(engine, url=None):
    """A call that does what the engine is told."""
    url = url or engine.url
    if isinstance(engine, Postgres):
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True, connect_timeout=1) as connection:
            yield lambda statement: connection.execute(statement)
    else:
        with redis.Redis.from_url(url, socket_timeout=0.3) as connection:
            yield lambda statement: connection.execute_command(*statement.split())


def told(engine, url=None):
    with connected(engine, url) as tell:
        answer = tell(TELL[type(engine)])
        return answer.fetchone()[0] if isinstance(engine, Postgres) else int(answer)


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def is_gone(pid):
    try:
        return state_of(pid) in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def shared_memory_of(folder):
    """The System V segment of a PostgreSQL that runs or was killed."""
    try:
        return Path(folder, "data/postmaster.pid").read_text(encoding="utf-8").splitlines()[6].split()[1]
    except FileNotFoundError:
        return None


def all_shared_memory():
    return {line.split()[1] for line in Path("/proc/sysvipc/shm").read_text(encoding="ascii").splitlines()}


@both
def test_it_answers_at_both_addresses(engine, kind, stored):
    assert [told(engine), told(engine, engine.unix_url)] == [1, 1]


@both
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_was_acknowledged_is_there_after_a_new_start(engine, kind, stored, end):
    pids = engine.pids()

    getattr(engine, end)()
    down = [is_gone(pid) for pid in pids], engine.pids()
    engine.start()

    assert down == ([True] * len(pids), [])
    assert told(engine) == 1


@both
def test_a_killed_one_is_missed(engine, kind, stored):
    engine.kill()

    with pytest.raises(LOST[kind]):
        stored(TELL[kind])


@both
def test_a_paused_one_stands_still_and_keeps_its_connections(engine, kind, stored):
    engine.pause()
    states = {state_of(pid) for pid in engine.pids()}
    engine.resume()

    assert states == {"T"}
    stored(TELL[kind])


@both
def test_settings_count_from_the_next_start_on(engine, kind):
    engine.settings[{Postgres: "max_connections", Redis: "maxclients"}[kind]] = 17

    engine.stop()
    engine.start()

    with connected(engine) as tell:
        if kind is Postgres:
            assert tell("SHOW max_connections").fetchone() == ("17",)
        else:
            assert "b'17'" in str(tell("CONFIG GET maxclients"))  # a list or a mapping, as redis-py likes


@both
def test_nothing_is_left_of_a_closed_one(kind):
    skip_without_wheel(kind)
    engine = kind()
    engine.start()
    pids, segment = engine.pids(), shared_memory_of(engine.folder)

    engine.close()

    assert pids and all(map(is_gone, pids))
    assert not engine.folder.exists()
    assert segment not in all_shared_memory()


@both
def test_nothing_is_left_when_the_tests_are_killed_while_it_is_paused(kind):
    skip_without_wheel(kind)
    command = [sys.executable, "-c", PAUSED.format(kind=kind.__name__), str(Path(__file__).parents[1])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tests:
        folder, *pids = tests.stdout.readline().split()
        segment = shared_memory_of(folder)
        assert pids and not any(map(is_gone, pids))
        tests.kill()

    wait_until(lambda: not os.path.exists(folder), "the end of the engine")
    assert all(map(is_gone, pids))
    assert segment not in all_shared_memory()


def test_one_that_cannot_start_says_why():
    skip_without_wheel(Redis)
    with pytest.raises(RuntimeError, match="nonsense"), Redis(nonsense=1):
        pass
