"""Health checks: what they answer, where they are, and that all requests share one look at the store."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from helpers.engines_base import wait_until
from helpers.support import echo, one_store
from helpers.wsgi_client import CheckedApp, call, make_environ
from oauth_mw import ConfigError
from oauth_mw.endpoints.health import OK, UNAVAILABLE, Readiness
from oauth_mw.errors import StoreUnavailable

LIVE, READY = "/health/live", "/health/ready"
both = pytest.mark.parametrize("path", [LIVE, READY])


@both
@pytest.mark.parametrize("store_kind", ["memory", "sqlite", "postgresql", "redis"])
def test_the_status_and_nothing_else_is_answered_without_a_token(wrap, path):
    answer = wrap(health_path="/health").get(path)

    assert (answer.status, answer.body) == ("200 OK", b'{"status": "ok"}')
    assert (answer.content_type, answer.headers["Cache-Control"]) == ("application/json", "no-store")


@one_store
@both
def test_head_has_no_body(wrap, path):
    answer = wrap(health_path="/health").head(path)

    assert (answer.status_int, answer.content_length, answer.body) == (200, 16, b"")


@one_store
@both
@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS"])
def test_other_methods_are_refused(wrap, path, method):
    answer = wrap(health_path="/health").request(path, method=method, status=405)

    assert answer.headers["Allow"] == "GET, HEAD"


@one_store
def test_unless_the_option_is_set_the_paths_are_those_of_the_app(wrap):
    assert [wrap().get(path, status="*").status_int for path in (LIVE, READY)] == [401, 401]
    assert wrap(health_path="/health").get("/health", status=401)


@one_store
@pytest.mark.parametrize(("option", "paths"), [("/", ["/live", "/ready"]), ("/a/b/", ["/a/b/live", "/a/b/ready"])])
def test_the_paths_lie_below_the_option(wrap, option, paths):
    app = wrap(health_path=option)

    assert [app.get(path).json for path in paths] == [{"status": "ok"}] * 2


@one_store
@both
@pytest.mark.parametrize(
    "options",
    [
        {"delay_auth_decision": True},
        {"required_scopes": ["* /* admin"]},
        {"cors_origins": "https://page.example"},
        {"authorization_header": "X-Token"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_no_option_changes_them(wrap, path, options):
    assert wrap(health_path="/health", **options).get(path).json == {"status": "ok"}


@one_store
@both
def test_they_are_relative_to_the_mount(wrap, path):
    mounted = DispatcherMiddleware(echo, {"/api": wrap(health_path="/health").app})

    assert CheckedApp(mounted).get(f"/api{path}").json == {"status": "ok"}


@one_store
@pytest.mark.parametrize(
    ("options", "faulty"),
    [
        ({"token_path": LIVE}, "health_path"),
        ({"health_path": "/oauth", "revocation_path": "/oauth/ready"}, "health_path"),
        ({"public_paths": [READY]}, "public_paths"),
        ({"required_scopes": [f"* {LIVE} x"]}, "required_scopes"),
    ],
)
def test_two_equal_paths_or_a_rule_for_one_are_refused(wrap, options, faulty):
    with pytest.raises(ConfigError) as refusal:
        wrap(**{"health_path": "/health", **options})

    assert [name for name, _ in refusal.value.faults] == [faulty]


@one_store
def test_of_a_store_in_memory_no_one_of_several_processes_is_ready(wrap):
    app = wrap(health_path="/health").app
    answers = [call(app, make_environ("GET", path, **{"wsgi.multiprocess": True})) for path in (LIVE, READY)]

    assert [answer.status for answer in answers] == [200, 503]


# One look for all

SECONDS = 30  # for a look: longer than a busy machine holds one up


class Looks:
    """Looks at a store that may be down, or never answer."""

    def __init__(self, clock, seconds=SECONDS):
        self.count, self.is_down, self.grace = 0, False, False
        self.answer = threading.Event()
        self.answer.set()
        self.readiness = Readiness(self.look, lambda: self.grace, clock, single_process=False, seconds=seconds)

    def look(self, seconds):
        self.count += 1
        self.answer.wait(30)
        if self.is_down:
            raise StoreUnavailable("down")

    def is_ready(self):
        answer = self.readiness(make_environ("GET", READY))
        return {OK: True, UNAVAILABLE: False}[answer]


@pytest.fixture
def make(clock):
    made = []
    yield lambda **options: made.append(Looks(clock, **options)) or made[-1]
    for looks in made:
        looks.answer.set()


@pytest.fixture
def looks(make):
    return make()


def test_all_requests_within_the_time_of_a_look_share_it(looks, clock):
    assert [looks.is_ready() for _ in range(3)] == [True] * 3
    looks.is_down = True
    clock.move(SECONDS - 0.001)
    assert (looks.is_ready(), looks.count) == (True, 1)

    clock.move(0.001)

    assert [looks.is_ready() for _ in range(3)] == [False] * 3
    assert looks.count == 2


def test_the_grace_counts_as_ready(looks):
    looks.is_down = looks.grace = True
    assert looks.is_ready()

    looks.grace = False
    assert not looks.is_ready()


def test_requests_beside_a_look_share_its_answer(looks):
    looks.answer.clear()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(looks.is_ready) for _ in range(4)]
        looks.answer.set()

        assert {each.result() for each in asked} == {True}
    assert looks.count == 1


def test_while_a_look_is_under_way_others_are_answered_by_the_one_before(looks, clock):
    assert looks.is_ready()
    clock.move(SECONDS)
    looks.answer.clear()
    looks.is_down = True
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(looks.is_ready)
        wait_until(lambda: looks.count == 2, "the second look")
        beside = looks.is_ready()
        looks.answer.set()

        assert (beside, first.result()) == (True, False)


def test_a_look_that_hangs_is_waited_for_in_its_time_and_no_other_begins(make, clock):
    looks = make(seconds=0.01)
    looks.answer.clear()
    assert not looks.is_ready()
    wait_until(lambda: looks.count, "the look")

    clock.move(3600)

    assert [looks.is_ready() for _ in range(3)] == [False] * 3
    assert looks.count == 1
