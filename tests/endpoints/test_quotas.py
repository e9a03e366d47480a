"""Quotas of tokens in every store, with two workers on one store. Counters have a suite of their own."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.builders import FEW, MULTI_PROCESS
from helpers.support import CC, SECRET, TESTER, basic, bearer, echo, middleware, one_store
from helpers.wsgi_client import CheckedApp
from oauth_mw import admin, open_store

HOUR, DAY = 3600, 24 * 3600
START = 1_799_971_200  # an hour and a day of UTC begin
STORE_KINDS = FEW
JWT = {"issuer": "https://auth.example.com"}
FORMATS = pytest.mark.parametrize("token_format", ["opaque", "jwt"])


@pytest.fixture
def token_format():
    return "opaque"


@pytest.fixture(autouse=True)
def client(store, clock, token_format):
    clock.now = float(START)
    made = {"client_id": "tester", "secret": SECRET, "clock": clock, "token_format": token_format}
    admin.add_client(store, "Nightly", scope="read write", tokens_per_hour=2, tokens_per_day=5, **made)
    if token_format == "jwt":
        admin.rotate_key(store, at_once=True, clock=clock)


def worker_on(store, clock):
    return CheckedApp(middleware(echo, clock, store=store, **JWT))


@pytest.fixture
def workers(store, store_kind, store_url, clock):
    """Two of them; of a store that processes can share, each has its own connections."""
    other = open_store(store_url, clock=clock) if store_kind in [*MULTI_PROCESS, "redis+cluster"] else store
    yield worker_on(store, clock), worker_on(other, clock)
    other.close()


def asked(worker, login=TESTER):
    return worker.post("/oauth/token", CC, headers=login, status="*")


def statuses(workers, times):
    """Of requests for tokens, which the workers get in turn."""
    return [asked(workers[number % 2]).status_int for number in range(times)]


@FORMATS
def test_all_workers_together_issue_the_quota(workers):
    assert statuses(workers, 4) == [200, 200, 429, 429]


@one_store
def test_the_refusal_says_when_to_come_again(workers, clock):
    clock.move(600)
    statuses(workers, 2)

    answer = asked(workers[0])

    assert (answer.status_int, answer.headers["Retry-After"]) == (429, str(HOUR - 600))
    assert answer.json["error"] == "too_many_requests"


def test_a_window_ends_with_its_hour_and_no_second_earlier(workers, clock):
    statuses(workers, 2)
    clock.move(HOUR - 1)
    before = statuses(workers, 1)
    clock.move(1)

    assert [before, statuses(workers, 3)] == [[429], [200, 200, 429]]


def test_the_day_is_counted_beside_the_hour_and_only_what_was_issued(workers, clock):
    issued = []
    for _ in range(4):
        issued += statuses(workers, 3)
        clock.move(HOUR)

    assert issued == [200, 200, 429, 200, 200, 429, 200, 429, 429, 429, 429, 429]
    assert asked(workers[0]).headers["Retry-After"] == str(DAY - 4 * HOUR)
    clock.move(DAY - 4 * HOUR)
    assert statuses(workers, 3) == [200, 200, 429]


def test_a_restart_changes_nothing(store, workers, clock):
    statuses(workers, 2)

    assert asked(worker_on(store, clock)).status_int == 429


@one_store
def test_tokens_that_were_issued_go_on(workers):
    token = asked(workers[0]).json["access_token"]
    statuses(workers, 3)

    assert workers[1].get("/", headers=bearer(token)).status_int == 200


@one_store
def test_another_client_has_a_quota_of_its_own(store, workers, clock):
    admin.add_client(store, "other", client_id="other", secret=SECRET, tokens_per_hour=1, clock=clock)
    admin.add_client(store, "free", client_id="free", secret=SECRET, clock=clock)
    statuses(workers, 3)

    assert [asked(workers[0], basic("other", SECRET)).status_int for _ in range(2)] == [200, 429]
    assert [asked(workers[0], basic("free", SECRET)).status_int for _ in range(6)] == [200] * 6


@one_store
@pytest.mark.parametrize("form", [{**CC, "scope": "admin"}, {**CC, "state": "x" * 999}, {"grant_type": "password"}])
def test_a_refused_request_is_not_counted(workers, form):
    for _ in range(5):
        assert workers[0].post("/oauth/token", form, headers=TESTER, status="*").status_int == 400

    assert statuses(workers, 3) == [200, 200, 429]


@FORMATS
def test_many_requests_at_once_get_no_more_than_the_quota(workers):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: asked(workers[number % 2]).status_int, range(16)))

    assert sorted(answers) == [200] * 2 + [429] * 14


@FORMATS
@pytest.mark.parametrize("store_kind", ["sqlite"])
def test_a_client_beyond_its_quota_waits_for_no_other_writer(store, workers):
    statuses(workers, 4)

    with store.engine.writing():
        assert statuses(workers, 2) == [429, 429]


def test_a_change_of_the_quota_holds_from_the_next_request_on(store, workers):
    assert statuses(workers, 3) == [200, 200, 429]
    admin.update_client(store, "tester", tokens_per_hour=3)
    assert statuses(workers, 2) == [200, 429]
    admin.update_client(store, "tester", tokens_per_hour=1)
    assert statuses(workers, 2) == [429, 429]
    admin.update_client(store, "tester", clear=["tokens_per_hour"])
    assert statuses(workers, 3) == [200, 200, 429]  # of the day
    admin.update_client(store, "tester", clear=["tokens_per_day"])
    assert statuses(workers, 2) == [200, 200]


def test_a_quota_that_changes_while_requests_run_is_exact_in_the_end(store, workers):
    def ask(number):
        if number % 8 == 7:
            admin.update_client(store, "tester", tokens_per_hour=2 + number // 8, tokens_per_day=100)
        return asked(workers[number % 2]).status_int

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, range(40)))
    admin.update_client(store, "tester", tokens_per_hour=6)
    answers += statuses(workers, 8)

    assert answers.count(200) == 6
    assert answers.count(429) == len(answers) - 6


def exceeded(caplog):
    """What was logged of quotas."""
    return [record.getMessage() for record in caplog.records if "quota of" in record.getMessage()]


@one_store
@FORMATS
def test_a_quota_that_is_only_reported_refuses_nothing_and_is_logged_once_by_each_worker(store, workers, clock, caplog):
    admin.update_client(store, "tester", quota_mode="report", clear=["tokens_per_day"])
    caplog.set_level(logging.WARNING, "oauth_mw")

    assert statuses(workers, 8) == [200] * 8

    line = "tester (Nightly) was issued more than its quota of 2 tokens per hour: {} so far"
    assert exceeded(caplog) == [line.format(3), line.format(4)]
    clock.move(HOUR)
    statuses(workers[:1] * 2, 3)
    assert exceeded(caplog)[2:] == [line.format(3)]


@one_store
def test_what_was_only_reported_counts_once_it_is_enforced(store, workers):
    admin.update_client(store, "tester", quota_mode="report")
    statuses(workers, 4)
    admin.update_client(store, "tester", quota_mode="enforce")

    assert asked(workers[0]).status_int == 429
