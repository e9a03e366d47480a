"""What a worker keeps of a client while the client changes, and while the store does not answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.builders import HOUR, registered
from helpers.remote_log import Log, Scene
from oauth_mw import StoreUnavailable
from oauth_mw.model import EVICTION
from oauth_mw.terms import NONE, LimitedTokens, Terms
from oauth_mw.tokens.cache import POLL_SECONDS, LogFollower

STORE_KINDS = ["memory"]


class LimitedScene(Scene):
    """A cache of limited tokens: each token's only check has the ``rate_limit`` of its client as ``limit``."""

    def __init__(self, store, clock, **options):
        self.found = lambda client: client
        self.finds = 0
        self.limited = LimitedTokens(
            lambda text: self.read(text), self, self.terms_of, size=options.pop("clients", 100), timeout=5
        )
        forgetting = {"forget": self.limited.forget, "forget_client": self.limited.forget}
        super().__init__(store, clock, **forgetting, **options)
        self.cache.read = self.limited.read
        self.text = self.known()

    def find_client(self, client_id):
        self.finds += 1
        return self.found(self.elsewhere.find_client(client_id))

    def terms_of(self, client):
        return Terms((client.rate_limit,), client.not_after) if client.rate_limit or client.not_after else NONE

    def limit_of(self, text=""):
        """The limit that the token has, as the guard finds it."""
        token = self.cache.cached(text or self.text) or self.cache.find(text or self.text, text or self.text)
        return token.checks[0] if token.checks else None

    def limit(self, rate_limit, client_id="tester"):
        """Change the client on another machine."""
        self.elsewhere.update_client(client_id, lambda c: replace(c, rate_limit=rate_limit), evict_tokens=True)


@pytest.fixture
def make(store, clock, monkeypatch):
    monkeypatch.setattr(LogFollower, "start", lambda self: None)
    return lambda **options: LimitedScene(store, clock, **options)


@pytest.fixture
def scene(make):
    return make(local=True)


def test_a_change_of_a_client_evicts_its_tokens_and_no_others(scene, store):
    foreign = scene.known("other")
    assert scene.limit_of() is None

    scene.limit("9/minute")

    assert not scene.cache.cached(scene.text)
    assert (scene.limit_of(), scene.limit_of(foreign)) == ("9/minute", None)
    assert scene.keeps(foreign)


@pytest.mark.parametrize("polled", [True, False], ids=["polled in between", "polled later"])
@pytest.mark.parametrize("moment", ["before the client is read", "after the client is read"])
def test_what_was_read_before_a_change_is_not_kept(scene, polled, moment):
    text = scene.issue()
    scene.limited.forget()

    def change(passed):
        scene.found, scene.read = (lambda client: client), scene.tokens.read
        scene.limit("9/minute")
        if polled:
            scene.keeps("of another thread")
        return passed

    if moment == "after the client is read":
        scene.found = change
    else:
        scene.read = lambda asked: change(scene.tokens.read(asked))
    scene.limit_of(text)  # its own request was under way when the client was changed

    assert scene.limit_of(text) == "9/minute"
    assert scene.limit_of(scene.known()) == "9/minute"


def test_a_change_that_is_seen_late_is_seen_by_all_tokens_of_the_client(make, store):
    scene = make()
    scene.limit("9/minute")
    assert scene.limit_of() is None  # within the lag
    other = scene.known()
    assert scene.limit_of(other) is None

    scene.ticks.move(10)

    assert [scene.limit_of(), scene.limit_of(other)] == ["9/minute"] * 2


def test_a_client_is_read_once_for_all_of_its_tokens(scene):
    for _ in range(3):
        scene.known()

    assert scene.finds == 1


REVOKE = {
    "a token": lambda scene, store: scene.end(store),
    "another client": lambda scene, store: scene.limit("1/day", "other"),
}


@pytest.mark.parametrize("revoke", REVOKE.values(), ids=REVOKE)
def test_an_event_about_something_else_has_no_client_read_again(scene, store, revoke):
    revoke(scene, store)

    scene.known()

    assert scene.finds == 1


def test_a_log_that_cannot_be_followed_makes_all_clients_unknown(scene, store):
    scene.log.read_log = lambda store_id, after: store.read_log("another", after)
    scene.ticks.move(POLL_SECONDS)
    scene.keeps()

    scene.known()

    assert scene.finds == 2


def test_a_bounded_number_of_clients_is_kept(make, store):
    scene = make(local=True, clients=3)
    for number in range(9):
        store.add_client(registered(f"client-{number}"))
        scene.known(f"client-{number}")
        assert len(scene.limited) <= 3


def test_in_an_outage_a_token_is_accepted_if_its_client_is_known(scene):
    fresh = scene.issue()

    def fails(client):
        raise StoreUnavailable("set to fail")

    scene.found = fails
    assert scene.accepts(fresh)
    scene.limited.forget()

    with pytest.raises(StoreUnavailable, match="set to fail"):
        scene.accepts(scene.issue())


def test_the_end_of_a_client_is_that_of_its_tokens(scene, clock):
    end = int(clock()) + 60
    scene.elsewhere.update_client("tester", lambda c: replace(c, not_after=end), evict_tokens=True)

    assert scene.cache.find(scene.text, scene.text).expires_at == end
    scene.elsewhere.update_client("tester", lambda c: replace(c, not_after=None), evict_tokens=True)
    assert scene.cache.find(scene.text, scene.text).expires_at == int(clock()) + HOUR


def test_the_event_itself_is_about_no_token(store):
    store.add_client(registered())
    log = Log(store, local=True)
    before = store.read_log("", -1)

    store.update_client("tester", lambda client: client, evict_tokens=True)

    (event,) = log.read_log(before.store_id, before.position).events
    assert (event.client_id, event.key, event.log_only) == ("tester", EVICTION, False)
