"""A Redis that is down, paused or slow, or another server: a refusal in time, and recovery."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from threading import Event

import pytest
from redis_calls import CALLS, outcome, reason

from helpers.builders import is_dead, issued, log_of, opened, registered
from helpers.engines import Redis, free_port
from helpers.redis_liar import Liar, Raw, Through
from oauth_mw import open_store
from oauth_mw.deadlines import RequestDeadline
from oauth_mw.errors import StoreUnavailable

TIMEOUT = 0.5
SLACK = 2.0  # for a machine that is busy


@pytest.fixture
def store(own_server, own):
    with opened(own_server.url, timeout=TIMEOUT) as store:
        yield store


@pytest.fixture
def server():
    """A server that a test may kill."""
    with Redis() as server:
        yield server


@pytest.mark.slow
def test_a_store_is_created_once_the_server_answers_and_found_again_after_a_restart(server):
    server.kill()
    told = []
    with closing(open_store(server.url, create=True, unavailable=told.append, timeout=TIMEOUT)) as store:
        said = [reason(lambda call=call: call(store)) for call in CALLS.values()]
        server.start()

        assert store.add_client(registered())
        server.kill()
        reason(lambda: store.find_client("tester"))
        server.start()
        with opened(server.url):
            pass
        assert store.find_client("tester")
    assert {error.reason for error in told} | set(said) == {"Redis cannot be reached: Connection refused"}


def test_scripts_that_the_server_forgot_are_sent_again(store, own):
    key = issued(store)
    own.client.script_flush()

    assert store.revoke_token(key) and is_dead(store, key)


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_no_call_waits_longer_than_its_timeout_for_a_server_that_stands_still(store, own_server, name):
    own_server.pause()

    said, seconds = outcome(lambda: CALLS[name](store))
    own_server.resume()

    assert (said, seconds < TIMEOUT + SLACK) == ("Redis did not answer in time", True)
    assert store.find_client("tester")


def test_a_call_that_finds_all_connections_in_use_waits_no_longer_either(own_server, own):
    begun, over = Event(), Event()

    def answer(command):
        if command[0] == b"EVALSHA" and not begun.is_set() and holding:
            begun.set()
            over.wait(30)
        return through(command)

    holding = []
    with closing(Through(own_server.port)) as through, Liar(answer) as liar, ThreadPoolExecutor(1) as pool:
        with closing(open_store(f"redis://127.0.0.1:{liar.port}?max_connections=1", create=True, timeout=30)) as store:
            holding.append(pool.submit(reason, lambda: store.find_client("tester")))
            begun.wait(30)
            with RequestDeadline(TIMEOUT):
                said, seconds = outcome(lambda: store.find_client("tester"))
            over.set()

    assert (said, seconds < TIMEOUT + SLACK) == ("no connection to Redis became free in time", True)


def test_callbacks_are_called_when_the_outcome_of_a_revocation_is_unknown(store, own_server):
    told = []
    store.on_revocation(lambda: told.append(True))

    def change(client):
        own_server.pause()  # after the read, before the write
        return client

    assert reason(lambda: store.update_client("tester", change, revoke_tokens=True))
    assert told == [True]


def test_a_server_that_answers_byte_by_byte_has_no_more_time():
    over = Event()

    def serve():
        client, _ = listener.accept()
        with client, suppress(OSError):
            client.sendall(b"$1000\r\n")
            while not over.wait(0.02):
                client.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}"
        said, seconds = outcome(lambda: open_store(url, create=True, timeout=TIMEOUT))
        over.set()

    assert (said, seconds < TIMEOUT + SLACK) == ("Redis did not answer in time", True)


def test_a_server_that_is_not_redis_is_an_outage():
    with Liar(lambda command: Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as liar:
        assert reason(lambda: open_store(f"redis://127.0.0.1:{liar.port}")) == "what answers is not Redis"


def test_a_name_that_is_not_found_is_an_outage(monkeypatch):
    def fail(*arguments, **options):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    said = reason(lambda: open_store("redis://oauth.invalid"))

    assert said == "Redis cannot be reached: Temporary failure in name resolution"


@pytest.mark.slow
def test_only_the_right_password_opens():
    with Redis(requirepass="r@/?:") as server:
        with closing(open_store(server.url.replace("//", "//:r%40%2F%3F%3A@"), create=True)) as store:
            assert store.add_client(registered())
        said = [
            reason(lambda user=user: open_store(server.url.replace("//", "//" + user), create=True))
            for user in ("", ":Pa55@", "me:Pa55@")
        ]

    assert said[0] in ("Redis wants a password", "Redis refuses the user or the password")
    assert said[1:] == ["Redis refuses the user or the password"] * 2


def test_a_server_that_became_a_replica_is_not_believed(store, own):
    log_of(store)
    own.client.replicaof("127.0.0.1", free_port())

    names = ("read_log", "find_token", "add_token", "revoke_token")
    said = [reason(lambda name=name: CALLS[name](store)) for name in names]
    own.client.replicaof("NO", "ONE")

    assert said == ["Redis is a replica there"] * 4
    assert store.find_client("tester")


def test_a_server_without_a_connection_left_is_an_outage(store, own):
    store.close()
    own.client.config_set("maxclients", 1)

    with pytest.raises(StoreUnavailable) as raised:
        store.find_client("tester")

    # It replies so and closes the connection: the client may see either first.
    assert raised.value.reason.partition(":")[0] in {"Redis has no connection left", "Redis cannot be reached"}
