"""Connections are dialled in the caller's thread; the system bounds the look-up of a host's name."""

from __future__ import annotations

import socket
import threading

import pytest

from oauth_mw import open_store
from oauth_mw.errors import StoreUnavailable


@pytest.fixture
def named_url(redis_url):
    """The address of the test's Redis under a name that no other store of this process is opened by."""
    return redis_url.replace("127.0.0.1", "localhost")


@pytest.fixture
def look_ups(monkeypatch):
    """The thread of each look-up of that name."""
    threads, look_up = [], socket.getaddrinfo

    def record(host, *arguments, **options):
        if host == "localhost":
            threads.append(threading.current_thread())
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", record)
    return threads


def test_a_name_is_looked_up_in_the_callers_thread(named_url, look_ups):
    open_store(named_url, create=True).close()

    assert set(look_ups) == {threading.current_thread()}


def test_a_connection_that_is_there_needs_no_look_up(named_url, look_ups):
    store = open_store(named_url, create=True)
    store.find_client("tester")
    look_ups.clear()
    store.find_client("tester")
    store.close()

    assert look_ups == []


def test_a_name_that_is_not_found_is_an_outage(monkeypatch):
    def fail(*arguments, **options):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    with pytest.raises(StoreUnavailable) as raised:
        open_store("redis://oauth.invalid")

    assert raised.value.reason == "Redis cannot be reached: Temporary failure in name resolution"
