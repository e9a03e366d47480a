"""What is acknowledged has reached the synchronous standby, even if the request is repeated."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial

import pytest

from helpers.builders import is_dead, issued, key_of, registered
from helpers.changes import attempt, end_client, works
from helpers.engines_base import wait_until
from helpers.engines_postgres_pair import Pair
from helpers.store_urls import PostgresPlaces, needs_postgres
from helpers.support import SECRET, echo, issue, revoked
from helpers.wsgi_client import CheckedApp
from oauth_mw import OAuthMiddleware, admin, open_store

pytestmark = [pytest.mark.slow, needs_postgres]

TIMEOUT = 0.8


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
def store(postgres_url, elsewhere):
    issued(elsewhere)
    with closing(open_store(postgres_url, timeout=TIMEOUT, unavailable=lambda error: None)) as store:
        wait_until(lambda: works(store), "a first contact")
        yield store


CHANGES = {
    "revoke": lambda store: store.revoke_token(key_of()),
    "end": lambda store: end_client(store, "tester"),
    "add": lambda store: store.add_client(registered("third")),
}


# The client gives up


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_unavailable_until_the_standby_has_it_and_then_done(store, raw, pair, change):
    with pair.alone():
        first = attempt(lambda: change(store))
        again = attempt(lambda: change(store))
    wait_until(lambda: not raw.syncing(), "the standby")

    assert (first, again) == ("PostgreSQL: wait timeout expired", "PostgreSQL: canceling statement due to lock timeout")
    assert attempt(lambda: change(store)) in (True, False)


def test_without_the_standby_tokens_are_issued_and_read_and_none_is_revoked(store, pair):
    with pair.alone():
        attempt(lambda: store.revoke_token(key_of()))
        found = store.find_token(issued(store, number=1)), store.read_log("", -1), store.sweep(0, 10)

        assert not is_dead(store, key_of())
    assert all(each is not None for each in found)


def test_however_often_a_change_is_tried_the_connections_do_not_pile_up(store, raw, pair):
    def end(_=0):
        return attempt(lambda: end_client(store, "tester"))

    most = []
    with pair.alone(), ThreadPoolExecutor(8) as threads:
        tries = [threads.submit(end) for _ in range(32)]
        while not all(each.done() for each in tries):
            most.append((len(raw.syncing()), len(raw.backends())))

    assert all(isinstance(each.result(), str) for each in tries)
    assert max(most)[0] == 1 and max(count for _, count in most) <= 4
    wait_until(lambda: end() is True, "the standby")


# The server gives up


@contextmanager
def ended_by(function, raw):
    """An operator ends the wait for the standby by this function of PostgreSQL."""

    def end():
        wait_until(raw.syncing, "a commit that waits")
        raw(f"SELECT {function}(pid) FROM unnest(%s::int[]) AS pid", list(raw.syncing()))

    with ThreadPoolExecutor(1) as threads:
        ending = threads.submit(end)
        yield
        ending.result()


def test_a_change_whose_session_is_ended_is_unavailable_also_when_it_is_repeated(store, raw, pair):
    with pair.alone():
        with ended_by("pg_terminate_backend", raw):
            first = attempt(lambda: store.revoke_token(key_of()))
        again = attempt(lambda: store.revoke_token(key_of()))
    wait_until(lambda: not raw.syncing(), "the standby")

    assert isinstance(first, str) and isinstance(again, str)
    assert attempt(lambda: store.revoke_token(key_of())) in (True, False)  # now it is done


def test_the_endpoint_acknowledges_no_revocation_that_no_standby_has(store, raw, pair):
    app = CheckedApp(OAuthMiddleware(echo, store=store))
    admin.add_client(store, "x", client_id="third", secret=SECRET)
    revoke = partial(revoked, app, issue(app, "third"), "third")

    with pair.alone():
        with ended_by("pg_cancel_backend", raw):
            answers = [revoke()]
        answers += [revoke(), revoke()]
    wait_until(lambda: not raw.syncing(), "the standby")

    assert [*answers, revoke()] == [503, 503, 503, 200]


# First contact


def test_an_empty_store_is_created_without_the_standby_and_filled_with_it(postgres_url, raw, pair):
    with pair.alone(), closing(open_store(postgres_url, create=True, timeout=TIMEOUT)) as store:
        without = attempt(lambda: CHANGES["add"](store))
    wait_until(lambda: not raw.syncing(), "the standby")

    with closing(open_store(postgres_url, timeout=TIMEOUT)) as store:
        assert (without, attempt(lambda: CHANGES["add"](store))) == ("PostgreSQL: wait timeout expired", False)
