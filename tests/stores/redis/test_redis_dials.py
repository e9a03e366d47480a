"""Connections are dialled in the caller's thread; the system bounds the look-up of a host's name."""

from __future__ import annotations

import socket
import threading

import pytest

from oauth_mw import open_store
from oauth_mw.errors import StoreUnavailable


@pytest.fixture
def names(monkeypatch):
    """Of each name that is looked up, the thread that did."""
    found, look_up = [], socket.getaddrinfo

    def record(host, *arguments, **options):
        found.append((host, threading.current_thread()))
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", record)
    return found


def test_a_name_is_looked_up_in_the_callers_thread(redis_url, names):
    open_store(redis_url, create=True).close()

    assert {thread.name for _, thread in names} == {threading.current_thread().name}


def test_a_connection_that_is_there_needs_no_look_up(redis_url, names):
    store = open_store(redis_url, create=True)
    store.find_client("tester")
    names.clear()
    store.find_client("tester")
    store.close()

    assert names == []


def test_a_name_that_is_not_found_is_an_outage(monkeypatch):
    def fail(*arguments, **options):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    with pytest.raises(StoreUnavailable) as raised:
        open_store("redis://oauth.invalid")

    assert raised.value.reason == "Redis cannot be reached: Temporary failure in name resolution"
