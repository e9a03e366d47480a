"""When a client and its secrets were used last is noted, without a request that fails or waits for it."""

from __future__ import annotations

import os
import sys
import threading
from types import SimpleNamespace

import pytest

from helpers.builders import HOUR, NOW, STORE_SUITE
from helpers.changes import locked
from helpers.engines_base import wait_until
from helpers.jwts import JWT
from helpers.processes import exit_code_of, forked
from helpers.support import CC, SECRET, TESTER, basic, issue, one_store
from oauth_mw import admin, last_use
from oauth_mw.errors import StoreUnavailable
from oauth_mw.last_use import RETRY_SECONDS, LastUses

STORE_KINDS = list(STORE_SUITE)


@pytest.fixture
def secret_id(store, client):
    return store.find_client(client).secrets[0].secret_id


@pytest.fixture
def noted(store, secret_id):
    """Wait until a use of the client by its secret is noted at this Unix second."""
    wanted = ("tester", ""), ("tester", secret_id)
    return lambda second: wait_until(
        lambda: store.last_uses(["tester"]) == dict.fromkeys(wanted, second), f"a use at {second}"
    )


PATHS = ["/oauth/token", "/oauth/introspect", "/oauth/revoke"]


@pytest.mark.parametrize("path", PATHS)
def test_authentication_at_each_endpoint_is_a_use(app, noted, path):
    app.post(path, {**CC, "token": "x"}, headers=TESTER, status=200)

    noted(NOW)


@one_store
def test_a_use_counts_although_the_request_is_refused_for_its_scope(app, noted):
    app.post("/oauth/token", {**CC, "scope": "other"}, headers=TESTER, status=400)

    noted(NOW)


@one_store
def test_a_weak_secret_that_is_refused_for_others_guesses_is_no_use(app, store):
    admin.add_client(store, "old", client_id="old", secret="hunter2", allow_weak_secret=True)
    for _ in range(20):
        app.post("/oauth/token", CC, headers=basic("old", "hunter3"), status=401)

    app.post("/oauth/token", CC, headers=basic("old", "hunter2"), status=429)

    assert not store.last_uses(["old"])


@one_store
def test_what_is_not_authenticated_is_no_use(app, store, client, clock):
    late = admin.add_secret(store, "tester", not_after=NOW + 1, clock=clock).secret
    clock.move(1)

    for headers in (basic("tester", "no"), basic("tester", late), basic("nobody", SECRET)):
        app.post("/oauth/token", CC, headers=headers, status=401)

    assert store.last_uses(["tester"]) == {}


class Written:
    """Takes uses as a store does; while ``fails`` is set, by raising it."""

    def __init__(self):
        self.calls, self.fails = [], None

    def __call__(self, uses):
        self.calls.append(dict(uses))
        if self.fails:
            raise self.fails


@pytest.fixture
def written():
    return Written()


@pytest.fixture
def use(written, clock):
    """Note a use of a secret of the client at the clock's time, in the request itself."""
    uses = LastUses(written, clock, at_once=True)
    return lambda secret_id="a": uses.note("tester", secret_id, clock())


def test_a_use_is_written_once_an_hour(use, written, clock):
    for seconds in (0, HOUR - 1, 1, 0.5):
        clock.move(seconds)
        use()

    assert [each["tester", "a"] for each in written.calls] == [NOW, NOW + HOUR]


def test_a_clock_that_was_set_back_does_not_hide_uses(use, written, clock):
    use()
    clock.move(-7 * HOUR)
    use()

    assert [each["tester", "a"] for each in written.calls] == [NOW, NOW - 7 * HOUR]


def test_what_is_remembered_is_bounded(use, written, monkeypatch):
    monkeypatch.setattr(last_use, "MAX_NOTED", 2)
    for secret_id in ("a", "b", "b", "c", "a"):
        use(secret_id)

    assert [next(iter(each))[1] for each in written.calls] == ["a", "b", "c", "a"]


# Outages


def test_what_the_store_did_not_take_is_written_later(use, written, clock):
    written.fails = StoreUnavailable("down")
    use("a")
    clock.move(RETRY_SECONDS - 1)
    use("b")
    written.fails = None
    clock.move(1)
    use("a")
    use("a")

    assert written.calls[1:] == [
        {("tester", "a"): NOW, ("tester", "b"): NOW + RETRY_SECONDS - 1, ("tester", ""): NOW + RETRY_SECONDS - 1}
    ]


def test_what_waits_for_a_store_is_bounded(use, written, clock, monkeypatch):
    monkeypatch.setattr(last_use, "MAX_NOTED", 2)
    written.fails = StoreUnavailable("down")
    for number in range(20):
        use(str(number))
    written.fails = None
    clock.move(RETRY_SECONDS)
    use()

    assert len(written.calls) == 2
    assert len(written.calls[1]) <= 6


def test_a_store_with_a_fault_is_logged_and_hurts_no_request(use, written, caplog):
    written.fails = TypeError("a store of the user")

    use()

    assert [(each.levelname, each.message) for each in caplog.records] == [
        ("ERROR", "the last uses of some clients could not be written")
    ]


@pytest.fixture
def signing(wrap, store):
    """An app that needs to write nothing to issue a token."""
    app = wrap(**JWT)
    admin.add_client(store, "first", client_id="first", secret=SECRET)
    issue(app, "first")  # has a key made
    wait_until(lambda: store.last_uses(["first"]), "the use of the first client")
    return app


@pytest.mark.parametrize("store_kind", ["sqlite"])
def test_while_nothing_can_be_written_jwts_are_issued_at_once(signing, store, noted):
    with locked(store):
        assert issue(signing).count(".") == 2
        assert store.last_uses(["tester"]) == {}

    noted(NOW)


# Where no thread can run


def refuse(thread):
    raise RuntimeError("can't start new thread")


PLACES = {
    "uWSGI without threads": lambda patch: patch.setitem(sys.modules, "uwsgi", SimpleNamespace(has_threads=0)),
    "too many threads": lambda patch: patch.setattr(threading.Thread, "start", refuse),
}


@pytest.fixture(params=PLACES.values(), ids=PLACES)
def threadless(request, monkeypatch):
    request.param(monkeypatch)


@pytest.mark.parametrize("store_kind", ["sqlite"])
@pytest.mark.parametrize("form", [{}, {"scope": "other"}], ids=["issued", "refused"])
def test_the_worker_writes_after_the_answer(app, store, secret_id, threadless, form):
    app.post("/oauth/token", {**CC, **form}, headers=TESTER, status="*")

    assert store.last_uses(["tester"]) == {("tester", secret_id): NOW, ("tester", ""): NOW}


@pytest.mark.parametrize("store_kind", ["sqlite"])
def test_an_answer_is_sent_although_nothing_can_be_written_after_it(client, threadless, signing, store):
    with locked(store):
        assert issue(signing).count(".") == 2

    assert store.last_uses(["tester"]) == {}


# Processes


@pytest.mark.parametrize("store_kind", ["sqlite", "postgresql", "redis"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_notes_its_own_uses(store_url, store, client, clock):
    uses = LastUses(store.note_uses, clock)
    uses.note("tester", "a", NOW)
    assert uses.settle(10)

    def work():
        uses.note("tester", "a", NOW + 5)
        uses.note("tester", "b", NOW + 6)
        return uses.settle(10)

    assert exit_code_of(forked(work)) == 0
    assert store.last_uses(["tester"]) == {("tester", "a"): NOW + 5, ("tester", "b"): NOW + 6, ("tester", ""): NOW + 6}
