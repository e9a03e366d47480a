"""Clients that may send so many requests within a time."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from helpers.support import SECRET, HandClock, bearer, issue
from oauth_mw import admin
from oauth_mw.deadlines import deadline_in
from oauth_mw.errors import RateLimited, StoreUnavailable
from oauth_mw.model import AccessToken, Counted
from oauth_mw.rate_limits import MANY, PAUSE_SECONDS, RateLimits
from oauth_mw.rates import Rate

STORE_KINDS = ["memory"]


@pytest.fixture
def statuses(send):
    """The statuses of so many requests."""
    return lambda count, **keys: [send(**keys).status_int for _ in range(count)]


def test_a_request_beyond_the_limit_is_refused_until_the_window_ends(limit, send, statuses, clock):
    clock.move(15)
    limit(rate_limit="3/minute")
    assert statuses(4) == [200, 200, 200, 429]
    clock.move(15.5)

    answer = send()

    assert (answer.status_int, answer.json["error"]) == (429, "too_many_requests")
    assert answer.headers["Retry-After"] == "30"
    assert answer.headers["RateLimit-Policy"] == '"requests";q=3;w=60'
    assert answer.headers["RateLimit"] == '"requests";r=0;t=30'
    assert "WWW-Authenticate" not in answer.headers
    clock.move(29.4)
    assert statuses(1) == [429]
    clock.move(0.2)
    assert statuses(4) == [200, 200, 200, 429]


UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


@pytest.mark.parametrize(("unit", "seconds"), UNITS.items())
def test_a_window_has_the_length_of_the_unit(limit, send, statuses, clock, unit, seconds):
    clock.now = 86_400 * 20_000
    limit(rate_limit=f"1/{unit}")
    assert statuses(2) == [200, 429]

    clock.move(seconds - 0.5)
    assert send().headers["Retry-After"] == "1"
    clock.move(0.5)

    assert statuses(2) == [200, 429]


def test_a_clock_that_goes_back_begins_another_window(limit, statuses, clock):
    limit(rate_limit="1/hour")
    assert statuses(2) == [200, 429]

    clock.move(-7200)

    assert statuses(2) == [200, 429]


def test_all_tokens_of_a_client_count_together_and_those_of_others_apart(store, app, limit, statuses):
    admin.add_client(store, "other", client_id="other", secret=SECRET[::-1], rate_limit="1/minute")
    limit(rate_limit="2/minute")
    second, others = issue(app), issue(app, "other", SECRET[::-1])

    assert statuses(1) == [200]
    assert [app.get("/any", headers=bearer(second), status="*").status_int for _ in range(2)] == [200, 429]
    assert [app.get("/any", headers=bearer(others), status="*").status_int for _ in range(2)] == [200, 429]


def test_only_requests_that_pass_all_else_are_counted(wrap, limit, token):
    app = wrap(required_scopes=[("*", "/admin", "admin")], public_paths=["/open"])
    limit(rate_limit="1/minute", allowed_requests=["GET /any", "GET /admin"])

    paths = ["/admin", "/other", "/open", "/any", "/any"]
    statuses = [app.get(path, headers=bearer(token), status="*").status_int for path in paths]

    assert statuses == [403, 403, 200, 200, 429]


def test_the_option_is_for_clients_without_a_limit_of_their_own(wrap, limit, statuses):
    app, unlimited = wrap(rate_limit="1/minute"), wrap(rate_limit="off")
    seen = []

    for change in ({}, {"rate_limit": "2/minute"}, {"rate_limit": "off"}, {"clear": ["rate_limit"]}):
        limit(**change)
        seen.append(statuses(3, app=app))

    assert seen == [[200, 429, 429], [200, 429, 429], [200, 200, 200], [429, 429, 429]]
    assert statuses(3, app=unlimited) == [200, 200, 200]


@pytest.mark.parametrize("format", ["opaque", "jwt"])
def test_a_limit_holds_for_tokens_of_both_formats(wrap, client, limit, format):
    app = wrap(issuer="https://auth.example", token_format=format)
    limit(rate_limit="2/minute")
    token = issue(app)

    assert [app.get("/any", headers=bearer(token), status="*").status_int for _ in range(3)] == [200, 200, 429]


def test_a_refusal_may_have_another_body_and_keeps_its_headers(wrap, limit, statuses, send):
    app = wrap(on_refusal=lambda refusal, environ: ("text/plain", b"slower"))
    limit(rate_limit="1/minute")
    assert statuses(1, app=app) == [200]

    answer = send(app=app)

    assert answer.status_int == 429 and answer.body == b"slower"
    assert re.fullmatch(r'"requests";r=0;t=\d+', answer.headers["RateLimit"])


def test_a_page_of_another_origin_may_read_the_limit(wrap, limit, statuses, send):
    app = wrap(cors_origins=["https://app.example"])
    limit(rate_limit="1/minute")
    assert statuses(1, app=app) == [200]

    exposed = send(app=app, HTTP_ORIGIN="https://app.example").headers["Access-Control-Expose-Headers"].split(", ")

    assert {"Retry-After", "RateLimit", "RateLimit-Policy"} <= {*exposed}


def token_of(client_id):
    return AccessToken(client_id, "", frozenset(), "00", 0, 2**32 - 1)


def passes(check, token):
    try:
        check({}, token)
    except RateLimited:
        return False
    return True


def test_threads_are_counted_exactly(clock):
    check, start = RateLimits(clock).check(Rate(500, 60)), Barrier(8)

    def work(_):
        start.wait()
        return sum(passes(check, token_of("tester")) for _ in range(100))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 500


def test_a_request_that_is_late_at_the_end_of_a_window_begins_none_anew(clock):
    check, start = RateLimits(clock).check(Rate(1, 60)), clock.now // 60 * 60
    passed = []

    for second in (59.8, 60.1, 59.9, 60.2):  # a thread may have been interrupted after it read the clock
        clock.now = start + second
        passed.append(passes(check, token_of("tester")))

    assert passed == [True, True, False, False]


def test_windows_that_are_over_are_removed(clock):
    limits = RateLimits(clock)
    check = limits.check(Rate(1, 60))
    for hour in range(3):
        for number in range(MANY):
            assert passes(check, token_of(f"{hour} {number}"))
        clock.move(3600)

    assert len(limits) <= MANY


# With Redis


@pytest.mark.parametrize("store_kind", ["redis"])
def test_with_redis_all_workers_count_together(wrap, limit, statuses):
    workers = [wrap(revocation_lag_seconds=0) for _ in range(3)]
    limit(rate_limit="4/day")

    assert [statuses(1, app=worker) for worker in workers * 2] == [[200]] * 4 + [[429]] * 2


@pytest.mark.parametrize("store_kind", ["sqlite"])
def test_with_other_stores_each_worker_counts_by_itself(wrap, limit, statuses):
    workers = [wrap() for _ in range(2)]
    limit(rate_limit="1/day")

    assert [statuses(2, app=worker) for worker in workers] == [[200, 429]] * 2


class Counter:
    """Counts as a store does, or fails."""

    def __init__(self):
        self.values, self.calls, self.fails = {}, 0, False

    def __call__(self, counts):
        self.calls += 1
        if self.fails:
            raise StoreUnavailable("set to fail")
        (count,) = counts
        if self.values.get(count.key, 0) >= count.limit:
            return Counted((count.limit,), (0,))
        self.values[count.key] = self.values.get(count.key, 0) + 1
        return Counted((self.values[count.key],))


@pytest.fixture
def counter():
    return Counter()


@pytest.fixture
def ticks():
    return HandClock()


def test_a_request_that_this_worker_refuses_is_not_counted_in_the_store(clock, counter, ticks):
    check = RateLimits(clock, counter, monotonic=ticks).check(Rate(2, 60))

    assert [passes(check, token_of("tester")) for _ in range(9)] == [True, True] + [False] * 7
    assert counter.calls == 2


def test_a_worker_counts_on_by_itself_while_the_store_does_not_answer(clock, counter, ticks):
    check = RateLimits(clock, counter, monotonic=ticks).check(Rate(3, 60))
    assert passes(check, token_of("tester"))
    counter.fails = True

    assert [passes(check, token_of("tester")) for _ in range(4)] == [True, True, False, False]
    assert counter.calls == 2  # it is asked again after a pause
    counter.fails = False
    clock.move(60)
    ticks.move(PAUSE_SECONDS)

    assert [passes(check, token_of("tester")) for _ in range(4)] == [True, True, True, False]
    assert counter.calls == 5


def test_of_several_requests_one_waits_shortly_for_a_store_that_hangs(clock, counter, ticks):
    waits, passed = [], []

    def count(counts):
        waits.append(deadline_in(60) - time.monotonic())
        if len(waits) > 1:  # another request arrives while this one waits
            passed.append(passes(check, token_of("other")))
        return counter(counts)

    counter.fails = True
    check = RateLimits(clock, count, timeout=5.0, monotonic=ticks).check(Rate(9, 60))

    for _ in range(3):
        passed.append(passes(check, token_of("tester")))
        ticks.move(PAUSE_SECONDS)

    assert passed == [True] * 5
    assert len(waits) == 3 and 1 < waits[0] < 5.1 and max(waits[1:]) < 0.3  # less on a busy machine


def test_windows_have_counters_of_their_own(clock, counter, ticks):
    limits = RateLimits(clock, counter, monotonic=ticks)

    for rate, client_id in ((Rate(1, 60), "a"), (Rate(1, 60), "b"), (Rate(1, 3600), "c"), (Rate(1, 86_400), "d")):
        assert passes(limits.check(rate), token_of(client_id))
    clock.move(60)
    assert passes(limits.check(Rate(1, 60)), token_of("a"))

    assert len(counter.values) == 5 and all(len(key) == 32 for key in counter.values)
