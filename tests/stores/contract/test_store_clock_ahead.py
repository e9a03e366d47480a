"""A worker whose clock is ahead sweeps no revocation of a token that has no row.

Where the engine has a clock, that one counts. Elsewhere such a revocation is swept when it is due for the second time.
"""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from helpers.builders import HOUR, events_of, key_of, multi_process, registered
from helpers.changes import end_client
from oauth_mw import open_store

pytestmark = multi_process


@pytest.fixture
def store(store_url):
    with closing(open_store(store_url, create=True, clock=time.time)) as store:
        store.add_client(registered())
        store.add_client(registered("other"))
        yield store


@pytest.fixture
def hurry(store_url, monkeypatch):
    """Have workers whose clock is ahead by so many seconds do something, one after the other."""

    def hurry(seconds, work, times=1):
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda real=time.time: real() + seconds)
            for _ in range(times):
                with closing(open_store(store_url, clock=time.time)) as worker:
                    work(worker)

    return hurry


def revoke_jwt(store, left=HOUR, number=0):
    """The key of a JWT that has so many seconds left, and was revoked."""
    key = key_of(number, expires_at=int(time.time()) + left)
    assert store.revoke_log_only("tester", key, store.find_client("tester").revoked_before)
    return key


def singles(store):
    return {event.key for event in events_of(store) if event.key}


WORK = {
    "ends a client": lambda worker: end_client(worker, "other"),
    "revokes a JWT": lambda worker: revoke_jwt(worker, number=int(time.monotonic_ns() % 10**9)),
}


@pytest.mark.parametrize(
    ("work", "ahead"), [("ends a client", 25 * HOUR), ("revokes a JWT", 10 * 366 * 24 * HOUR)], ids=["day", "ten years"]
)
def test_such_a_worker_drops_no_revocation_that_others_need(store, hurry, work, ahead):
    keys = {revoke_jwt(store, left, number=left) for left in (1, 60, HOUR, 30 * 24 * HOUR)}

    hurry(ahead, WORK[work], times=3)
    end_client(store, "other")

    assert keys <= singles(store)


def test_revocations_that_it_kept_once_more_are_dropped_with_those_of_their_client(store, hurry):
    key = revoke_jwt(store)
    hurry(25 * HOUR, WORK["ends a client"])

    end_client(store, "tester")

    assert singles(store) == set()
    assert not store.revoke_log_only("tester", key, 0)


def test_events_of_a_worker_whose_clock_is_behind_are_followed(store, hurry):
    before = store.read_log("", -1)

    hurry(-30 * HOUR, WORK["ends a client"], times=2)

    page = store.read_log(before.store_id, before.position)
    assert (page.complete, [event.client_id for event in page.events]) == (True, ["other", "other"])
