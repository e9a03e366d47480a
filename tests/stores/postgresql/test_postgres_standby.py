"""What is acknowledged has reached the synchronous standby; what was not is not, however often it is asked for."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from helpers.builders import is_dead, issued, key_of, registered
from helpers.changes import end_client, remove_secret
from helpers.engines_base import wait_until
from helpers.engines_postgres_pair import Pair
from helpers.postgres_raw import Raw
from helpers.store_urls import PostgresPlaces, why_no_wheel
from helpers.support import SECRET, basic, echo
from helpers.wsgi_client import CheckedApp
from oauth_mw import OAuthMiddleware, StoreUnavailable, admin, open_store
from oauth_mw.credentials import hash_secret

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_no_wheel("postgresql")), reason=why_no_wheel("postgresql")),
]

TIMEOUT = 0.8
SLACK = 0.6  # for a machine that is busy
RECORD = hash_secret("s" * 16)


@pytest.fixture(scope="module")
def pair():
    with Pair() as pair:
        yield pair


@pytest.fixture(scope="module")
def postgres(pair):
    places = PostgresPlaces(pair.primary.url)
    yield places
    places.close()


@pytest.fixture
def raw(pair):
    with Raw(pair.primary.url) as raw:
        yield raw


@pytest.fixture
def store(pair, postgres_url, clock):
    with closing(open_store(postgres_url, create=True, clock=clock)) as patient:
        patient.add_client(registered(secrets=(RECORD,)))
        issued(patient)
    with closing(open_store(postgres_url, timeout=TIMEOUT, clock=clock, unavailable=lambda error: None)) as store:
        wait_until(lambda: works(store), "a first contact", 5)
        yield store


def works(store):
    try:
        return store.find_client("tester") is not None
    except StoreUnavailable:
        return False


@pytest.fixture
def alone(pair):
    """``with`` it, the primary is without its standby."""

    @contextmanager
    def alone():
        pair.standby.pause()
        try:
            yield
        finally:
            pair.standby.resume()

    return alone


CHANGES = {
    "revoke": lambda store: store.revoke_token(key_of()),
    "end": lambda store: end_client(store, "tester"),
    "delete": lambda store: end_client(store, "tester", delete=True),
    "add": lambda store: store.add_client(registered("third")),
    "update": lambda store: store.update_client("tester", lambda client: replace(client, name="x")),
    "remove": lambda store: remove_secret(store, "tester", RECORD.secret_id),
}
every_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


def attempt(change, store):
    """What becomes of it; it ends in time."""
    started = time.monotonic()
    try:
        return change(store)
    except StoreUnavailable as error:
        return error.reason
    finally:
        assert time.monotonic() - started < TIMEOUT + SLACK


def syncing(raw):
    """The server's processes that wait for the standby."""
    return set(raw("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"))


# Our side gives up


@every_change
def test_a_change_is_unavailable_until_the_standby_has_it_and_then_done(store, raw, alone, change):
    with alone():
        first = attempt(change, store)
        again = attempt(change, store)
    wait_until(lambda: not syncing(raw), "the standby", 5)

    assert (first, again) == ("PostgreSQL: wait timeout expired", "PostgreSQL: canceling statement due to lock timeout")
    assert attempt(change, store) in (True, False) or store.find_client("tester").name == "x"


def test_without_the_standby_tokens_are_issued_and_read_at_once(store, alone):
    with alone():
        attempt(CHANGES["revoke"], store)
        started = time.monotonic()
        key = issued(store, number=1)
        found = store.find_token(key), store.read_log("", -1), store.find_client("tester"), store.sweep(0, 10)
        took = time.monotonic() - started

    assert all(each is not None for each in found) and took < TIMEOUT / 2


def test_an_end_that_no_standby_has_is_not_yet_one(store, alone):
    with alone():
        attempt(CHANGES["revoke"], store)

        assert not is_dead(store, key_of())


def test_however_often_a_change_is_tried_the_connections_do_not_pile_up(store, raw, alone):
    def try_often(number):
        return [attempt(CHANGES["end"], store) for _ in range(4)]

    most = []
    with alone(), ThreadPoolExecutor(8) as threads:
        tries = [threads.submit(try_often, number) for number in range(8)]
        while not all(each.done() for each in tries):
            most.append((len(syncing(raw)), len(raw.backends())))
            time.sleep(0.05)

    assert all(each.exception() is None for each in tries)
    assert max(most)[0] == 1 and max(count for _, count in most) <= 4
    wait_until(lambda: attempt(CHANGES["end"], store) is True, "the standby", 5)


# The server gives up


@contextmanager
def ended_by(function, raw):
    """Whoever waits for the standby is told not to, by somebody with the right to do so."""

    def end():
        wait_until(lambda: syncing(raw), "a commit that waits", 5)
        raw(f"SELECT {function}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")

    with ThreadPoolExecutor(1) as threads:
        ending = threads.submit(end)
        yield
        ending.result()


@every_change
@pytest.mark.parametrize("function", ["pg_cancel_backend", "pg_terminate_backend"])
def test_a_change_whose_wait_is_cancelled_is_unavailable_also_when_it_is_repeated(store, raw, alone, change, function):
    with alone():
        with ended_by(function, raw):
            first = attempt(change, store)
        again = attempt(change, store)
    wait_until(lambda: not syncing(raw), "the standby", 5)

    told = {"pg_cancel_backend": "did not confirm", "pg_terminate_backend": ""}[function]
    assert first not in (True, False) and told in first
    assert again not in (True, False) and isinstance(again, str)
    # Now it is done, and whoever asks once more is told so.
    assert attempt(change, store) in (True, False) or store.find_client("tester").name == "x"


def test_the_endpoint_does_not_take_an_end_that_no_standby_has_for_one(store, raw, alone, clock, monkeypatch):
    app = CheckedApp(OAuthMiddleware(echo, store=store))
    admin.add_client(store, "x", client_id="third", secret=SECRET)
    who = basic("third", SECRET)
    token = app.post("/oauth/token", {"grant_type": "client_credentials"}, headers=who).json["access_token"]

    def revoke():
        return app.post("/oauth/revoke", {"token": token}, headers=who, status="*").status_int

    with alone():
        with ended_by("pg_cancel_backend", raw):
            answers = [revoke()]
        answers += [revoke(), revoke()]
    wait_until(lambda: not syncing(raw), "the standby", 5)

    assert [*answers, revoke()] == [503, 503, 503, 200]


# First contact


def test_an_empty_store_is_made_without_the_standby_and_filled_with_it(postgres_url, raw, alone):
    with alone(), closing(open_store(postgres_url, create=True, timeout=TIMEOUT)) as store:
        without = attempt(CHANGES["add"], store)
    wait_until(lambda: not syncing(raw), "the standby", 5)

    with closing(open_store(postgres_url, timeout=TIMEOUT)) as store:
        assert (without, attempt(CHANGES["add"], store)) == ("PostgreSQL: wait timeout expired", False)


def test_a_standby_is_not_asked(pair, store):
    reasons = []
    url = pair.standby.url

    with closing(open_store(url, timeout=TIMEOUT, unavailable=lambda error: reasons.append(error.reason))):
        assert "server is in hot standby mode" in reasons[0]
