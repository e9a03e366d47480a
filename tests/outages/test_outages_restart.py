"""Restarts and cut connections between two requests fail no request."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from faults import READS, WRITES, killed, on_servers, stopped
from postgres_faults import MOVED, between
from redis_faults import keys_moved
from service import DONE, REFUSED, UNAVAILABLE
from sqlite_faults import files, moved

from helpers.engines_base import wait_until
from helpers.jwts import forms
from oauth_mw import open_store

ALL_DONE = dict.fromkeys(READS | WRITES, DONE)
over_a_network = pytest.mark.parametrize("engine", on_servers("postgresql over a network", "redis over a network"))


@pytest.fixture
def service(service):
    """A worker that has several connections."""
    assert set(service.ask_all(["introspect"] * 4, at_once=True).values()) == {DONE}
    return service


@pytest.mark.parametrize("engine", on_servers())
@pytest.mark.parametrize("end", [stopped, killed], ids=["stopped", "killed"])
def test_after_a_restart_no_request_fails(site, service, end):
    with end(site):
        pass

    assert service.ask_all() == ALL_DONE


@over_a_network
def test_after_all_connections_were_cut_no_request_fails(site, service):
    site.network.cut()

    assert service.ask_all() == ALL_DONE


@pytest.mark.slow
@over_a_network
def test_requests_that_arrive_while_another_finds_the_server_back_wait_for_it(site, service):
    with stopped(site):
        service.later()
        assert service.ask("cached check") == UNAVAILABLE
    service.later()

    with site.network.late(0.1), ThreadPoolExecutor(4) as pool:
        assert set(pool.map(service.ask, ["cached check"] * 4)) == {DONE}


@pytest.mark.slow
@over_a_network
def test_several_questions_of_one_request_have_one_timeout_together(site, service, timeout):
    with site.network.late(0.45 * timeout):
        started = time.monotonic()
        service.ask("revoke")

        assert time.monotonic() - started < 1.6 * timeout


@pytest.mark.parametrize("engine", on_servers("postgresql"))
def test_a_server_that_recovers_from_a_crash_is_used_again(site, service):
    with site.raw() as raw:
        os.kill(min(raw.backends()), signal.SIGKILL)  # as when the machine is out of memory
        wait_until(lambda: is_gone(raw), "the crash")
    wait_until(lambda: service.patiently("introspect") == DONE, "the server")

    assert {name: service.patiently(name) for name in ALL_DONE} == ALL_DONE


def is_gone(raw):
    try:
        raw("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


@pytest.mark.parametrize("engine", on_servers("redis"))
def test_requests_under_way_do_not_mind_that_the_store_lets_go_of_its_connections(engine, service):
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(service.ask, "introspect") for _ in range(20)]
        while not all(each.done() for each in asked):
            service.store.close()

    assert {each.result() for each in asked} == {DONE}


# Another store


@contextmanager
def another_schema(site):
    with between(site, *MOVED), site.raw() as raw:
        raw(f"CREATE SCHEMA {site.name} AUTHORIZATION ordinary")
        yield
        raw(f"DROP SCHEMA {site.name} CASCADE")


@contextmanager
def other_keys(site):
    with keys_moved(site), site.admin() as admin:
        yield
        admin.delete(*(name for name in admin.scan_iter() if site.name in name.decode() and name[:5] != b"aside"))


@contextmanager
def other_files(site):
    with moved(site):
        yield
        for path in files(site):
            path.unlink()


ANOTHER = {"sqlite": other_files, "postgresql": another_schema, "redis": other_keys}


@pytest.mark.parametrize("form", [*forms("opaque"), *forms("jwt, uncached", slow=True)])
@pytest.mark.parametrize("engine", on_servers(*ANOTHER))
def test_another_store_in_the_place_refuses_all_tokens_until_the_old_one_is_back(site, service, engine, form):
    with ANOTHER[engine](site):
        open_store(site.url, create=True).close()
        service.later()
        during = service.check(service.cached)
    service.later()

    assert (during, service.check(service.cached)) == (REFUSED, DONE)
