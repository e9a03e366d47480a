"""Too many wrong client credentials are answered 429; right ones are served (RFC 6749 §2.3.1)."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from helpers.processes import exit_code_of, forked
from helpers.support import CC, SECRET, TESTER, HandClock, basic, issue, one_store
from oauth_mw import admin

pytestmark = one_store

HERE, THERE = "203.0.113.7", "198.51.100.9"
WEAK = basic("weak", "hunter2")
WRONG, GUESS, INVENTED = basic("tester", "no" + SECRET), basic("weak", "hunter3"), basic("nobody", SECRET)
PATHS = ["/oauth/token", "/oauth/revoke", "/oauth/introspect"]


@pytest.fixture
def weak(store, client):
    admin.add_client(store, "imported", client_id="weak", secret="hunter2", allow_weak_secret=True)


@pytest.fixture
def asked(app, weak):
    """The answer to a request with credentials from an address."""

    def ask(headers, address=HERE, path="/oauth/token", form=CC, **environ):
        environ = {"REMOTE_ADDR": address, **environ}
        return app.post(path, {**form, "token": "x"}, headers=headers, extra_environ=environ, status="*")

    return ask


def statuses(asked, headers, times, *given, **more):
    return [asked(headers, *given, **more).status_int for _ in range(times)]


LIMITED = [401] * 20 + [429]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", [WRONG, INVENTED, GUESS], ids=["wrong secret", "unknown id", "weak secret"])
def test_the_21st_wrong_credentials_of_a_minute_are_answered_429(asked, path, headers):
    assert statuses(asked, headers, 21, path=path) == LIMITED

    answer = asked(headers, path=path)
    assert (answer.status_int, answer.json["error"]) == (429, "too_many_requests")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert "WWW-Authenticate" not in answer.headers


def test_all_endpoints_and_methods_count_together(asked):
    ways = [(WRONG, CC), ({}, {**CC, "client_id": "tester", "client_secret": "x" * 20})]

    answers = [asked(*ways[at % 2][:1], path=PATHS[at % 3], form=ways[at % 2][1]) for at in range(21)]

    assert [answer.status_int for answer in answers] == LIMITED


def test_right_credentials_are_always_served(asked):
    statuses(asked, WRONG, 21)
    assert asked(TESTER).status_int == 200

    statuses(asked, INVENTED, 100)
    assert asked(WRONG).status_int == 429
    assert asked(TESTER).status_int == 200


def test_after_the_time_that_is_said_wrong_ones_are_answered_401_again(asked, clock):
    statuses(asked, WRONG, 20)

    clock.move(int(asked(WRONG).headers["Retry-After"]) - 1.001)
    assert asked(WRONG).status_int == 429
    clock.move(1.001)
    assert statuses(asked, WRONG, 21) == LIMITED


def test_a_clock_that_is_set_back_prolongs_no_limit(asked, clock):
    statuses(asked, WRONG, 21)

    clock.move(-3600)

    assert asked(WRONG).status_int == 401


def test_each_client_id_and_each_address_are_counted_apart(asked):
    statuses(asked, WRONG, 21)

    assert statuses(asked, INVENTED, 20) == [401] * 20
    assert statuses(asked, WRONG, 20, THERE) == [401] * 20


def test_an_address_is_limited_whatever_the_client_ids(asked):
    found = [asked(basic(f"nobody{at}", SECRET)).status_int for at in range(101)]

    assert found == [401] * 100 + [429]
    assert asked(WRONG, THERE).status_int == 401


def test_requests_without_credentials_that_a_client_could_have_do_not_count(asked):
    for headers in ({}, {"Authorization": "Negotiate x"}, basic("tester", "x" * 2000), basic("", "x"), basic("x", "")):
        statuses(asked, headers, 21)

    assert statuses(asked, WRONG, 21) == LIMITED


def test_nothing_else_counts(asked):
    assert statuses(asked, TESTER, 25, form={"grant_type": "password"}) == [400] * 25
    assert statuses(asked, TESTER, 25, form={**CC, "client_id": "other"}) == [400] * 25

    assert statuses(asked, WRONG, 21) == LIMITED


def test_a_right_secret_that_is_not_accepted_is_a_wrong_one(asked, store):
    store.update_client("tester", lambda client: replace(client, enabled=False))

    assert statuses(asked, TESTER, 21) == LIMITED


def test_no_answer_tells_an_id_that_exists_from_an_invented_one(asked):
    found = [
        [(each.status, each.headerlist, each.body) for each in (asked(headers, address) for _ in range(25))]
        for headers, address in [(WRONG, "192.0.2.1"), (GUESS, "192.0.2.2"), (INVENTED, "192.0.2.3")]
    ]

    assert found[0] == found[1] == found[2]


def test_the_limit_stops_a_right_weak_secret_too_from_that_address(asked):
    assert statuses(asked, WEAK, 25) == [200] * 25
    statuses(asked, GUESS, 20)

    right, wrong = asked(WEAK), asked(GUESS)

    assert (right.status, right.headerlist, right.body) == (wrong.status, wrong.headerlist, wrong.body)
    assert right.status_int == 429
    assert asked(WEAK, THERE).status_int == asked(TESTER).status_int == 200


def test_a_weak_secret_is_served_again_after_the_time_that_is_said(asked, clock):
    statuses(asked, GUESS, 20)

    clock.move(int(asked(WEAK).headers["Retry-After"]))

    assert asked(WEAK).status_int == 200


def test_no_other_answer_shows_beyond_the_limit_that_a_weak_secret_is_right(asked):
    statuses(asked, GUESS, 21)

    for form in ({**CC, "client_id": "other"}, {**CC, "client_id": "weak"}, {"grant_type": "password"}, {}):
        right, wrong = asked(WEAK, form=form), asked(GUESS, form=form)
        assert (right.status, right.headerlist, right.body) == (wrong.status, wrong.headerlist, wrong.body)


def test_the_limit_of_an_address_stops_weak_secrets_there(asked):
    statuses(asked, INVENTED, 99)
    assert asked(WEAK).status_int == 200

    statuses(asked, INVENTED, 1)

    assert asked(WEAK).status_int == 429
    assert asked(WEAK, THERE).status_int == 200


@pytest.mark.parametrize(
    "headers", [WEAK | {"Authorization": WEAK["Authorization"].replace("Basic", "bAsIc  ")}, GUESS]
)
def test_guesses_in_other_spellings_count_for_the_same_client(asked, headers):
    spelled = basic("%77%65ak", "hunter3", raw=True), basic("we%61k", "hunter%33", raw=True), GUESS
    for at in range(20):
        asked(spelled[at % 3])

    assert asked(headers).status_int == 429


def test_ipv6_addresses_of_one_network_count_together(asked):
    found = [asked(WRONG, f"2001:db8::{at}").status_int for at in range(21)]

    assert found == LIMITED
    assert asked(WRONG, "2001:db8:0:1::1").status_int == 401


def test_behind_a_proxy_that_is_trusted_each_client_is_counted_apart(wrap, client):
    app = wrap(trusted_proxies="10.0.0.0/8")

    def ask(forwarded, peer="10.0.0.1"):
        headers = {**WRONG, "X-Forwarded-For": forwarded}
        return app.post("/oauth/token", CC, headers=headers, extra_environ={"REMOTE_ADDR": peer}, status="*").status_int

    assert [ask(f"192.0.2.{at}, {HERE}") for at in range(21)] == LIMITED
    assert ask(THERE) == 401
    assert [ask(f"192.0.2.{at}", THERE) for at in range(21)] == [401] * 19 + [429] * 2


def test_clients_without_an_address_are_counted_as_one(asked):
    assert [asked(WRONG, address).status_int for address in ["", "unknown", "localhost"] * 7] == LIMITED


def test_other_rates_can_be_set(wrap, client, clock):
    app = wrap(throttle="2/hour 3/day")

    def ask(client_id):
        return app.post("/oauth/token", CC, headers=basic(client_id, "x" * 20), status="*")

    def wait_of(client_id):
        return int(ask(client_id).headers["Retry-After"])

    assert [ask("tester").status_int for _ in range(3)] == [401, 401, 429]
    clock.move(wait_of("other") + 24 * 3600)  # a window of the address begins: each process has times of its own

    assert [ask("tester").status_int for _ in range(2)] == [401, 401]
    assert wait_of("tester") <= 3600
    assert wait_of("other") == 24 * 3600


def test_it_can_be_off(wrap, weak):
    app = wrap(throttle="off")

    assert [app.post("/oauth/token", CC, headers=GUESS, status="*").status_int for _ in range(150)] == [401] * 150
    assert issue(app, "weak", "hunter2")


def test_exactly_20_are_answered_401_to_many_threads(asked):
    with ThreadPoolExecutor(8) as pool:
        found = sorted(pool.map(lambda _: asked(WRONG).status_int, range(60)))

    assert found == [401] * 20 + [429] * 40


class ForkingClock(HandClock):
    """A clock at each look at which a child is forked, whatever lock is held; ``codes`` says how each ended."""

    def __init__(self):
        super().__init__()
        self.work, self.codes = None, []

    def __call__(self):
        work, self.work = self.work, None  # children fork no others
        if work:
            self.codes.append(exit_code_of(forked(work)))
            self.work = work
        return super().__call__()


@pytest.mark.parametrize("clock", [ForkingClock()], ids=[""])
def test_a_forked_process_waits_for_no_lock_of_its_parent(asked, clock):
    statuses(asked, WRONG, 20)

    clock.work = lambda: statuses(asked, WRONG, 21) == LIMITED

    assert asked(WRONG).status_int == 429
    assert set(clock.codes) == {0}


@pytest.fixture
def warnings(caplog):
    """Those of guesses; that of a weak secret is in tests/endpoints/test_weak_secrets.py."""
    return lambda: [text for text in (record.getMessage() for record in caplog.records) if text.startswith("too many")]


def test_a_warning_says_who_guesses_once(asked, warnings):
    statuses(asked, GUESS, 25)
    statuses(asked, INVENTED, 25, THERE)

    assert warnings() == [
        "too many wrong client credentials from 203.0.113.7, answered 429 for a time; client: weak",
        "too many wrong client credentials from 198.51.100.9, answered 429 for a time; client: -",
    ]


@pytest.mark.parametrize("other", [GUESS, WRONG, INVENTED], ids=["weak", "exists", "invented"])
def test_no_client_id_is_warned_of_apart_from_others_at_an_address(asked, other, warnings):
    """The time of a warning would show that an id exists: of invented ids there is one for all."""
    for at in range(21):
        asked(basic("another", SECRET), f"2001:db8::{at}")
    asked(basic("another", SECRET), "2001:db8::1")
    assert len(warnings()) == 1

    statuses(asked, other, 21, "2001:db8::ffff")

    assert len(warnings()) == 1


def test_a_right_weak_secret_that_is_refused_has_no_name_looked_up(asked, store, caplog, monkeypatch):
    statuses(asked, WEAK, 1)
    statuses(asked, GUESS, 20)
    caplog.set_level(logging.INFO, "oauth_mw")
    reads = []
    find = store.find_client
    monkeypatch.setattr(store, "find_client", lambda client_id: reads.append(client_id) or find(client_id))

    assert [asked(headers).status_int for headers in (WEAK, GUESS)] == [429, 429]

    assert not reads


def test_warnings_of_many_addresses_are_few(asked, clock, warnings):
    for at in range(15):
        statuses(asked, INVENTED, 21, f"192.0.2.{at}")
    assert len(warnings()) == 10

    clock.move(61)
    statuses(asked, INVENTED, 21)
    assert len(warnings()) == 11


def test_no_access_log_names_a_client_that_is_not_authenticated(asked):
    statuses(asked, GUESS, 20)

    answers = asked(GUESS), asked(INVENTED), asked(WEAK)
    assert [each.request.environ["oauth_mw.denied"] for each in answers[::2]] == ["too_many_requests"] * 2
