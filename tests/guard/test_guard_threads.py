"""Many threads on one middleware."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.support import CC, SECRET, basic, bearer, issue
from helpers.wsgi_client import call, challenge_of, make_environ
from oauth_mw import admin

THREADS, ROUNDS = 8, 12


@pytest.fixture
def clients(store):
    names = [f"client{n}" for n in range(THREADS)]
    for name in names:
        admin.add_client(store, name, scope=f"scope-{name}", client_id=name, secret=SECRET)
    return names


def everywhere(work, names):
    """Do ``work(name)`` in a thread for each name; what they returned, by name."""
    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(names, pool.map(work, names), strict=True))


def test_identities_and_errors_are_not_mixed_up(wrap, clients):  # B-20, B-21, H-23
    app = wrap(cache_size=4, required_scopes=[("GET", f"/{name}/admin", f"need-{name}") for name in clients])
    tokens = {name: issue(app, name) for name in clients}

    def work(name):
        seen = set()
        for _ in range(ROUNDS):
            header = {"HTTP_AUTHORIZATION": f"Bearer {tokens[name]}"}
            passed, refused = (call(app.app, make_environ("GET", f"/{name}{end}", **header)) for end in ("", "/admin"))
            seen.add((passed.body.decode(), challenge_of(refused).parameters["scope"]))
        return seen

    assert everywhere(work, clients) == {name: {(f"MARKER {name} scope-{name}", f"need-{name}")} for name in clients}


def test_no_token_is_lost_or_given_twice_or_to_a_wrong_secret(wrap, clients):  # A-04, B-21, T-17
    app = wrap()

    def work(name):
        wrong = [app.post("/oauth/token", CC, headers=basic(name, "no" + SECRET), status=401) for _ in range(ROUNDS)]
        return {issue(app, name) for _ in wrong}

    issued = everywhere(work, clients)
    assert len(set().union(*issued.values())) == THREADS * ROUNDS
    for name, tokens in issued.items():
        for token in sorted(tokens)[::6]:
            assert app.get("/any", headers=bearer(token)).text == f"MARKER {name} scope-{name}"


def test_an_answer_that_is_shared_cannot_be_changed_by_its_receiver(wrap):  # H-23
    app, seen = wrap(), []

    def start_response(status, headers, exc_info=None):
        seen.append(list(headers))
        headers.clear()

    for _ in range(2):
        app.app(make_environ("GET", "/any"), start_response)

    assert seen[0] == seen[1] != []


def test_a_revoked_token_is_dead_for_every_thread(wrap, clients):  # R-01, B-20
    app = wrap()

    def work(name):
        for _ in range(ROUNDS // 2):
            token = issue(app, name)
            app.get("/any", headers=bearer(token), status=200)
            app.post("/oauth/revoke", {"token": token}, headers=basic(name, SECRET), status=200)
            app.get("/any", headers=bearer(token), status=401)
        return True

    assert everywhere(work, clients) == dict.fromkeys(clients, True)


class Socket:
    """What a server puts into the environ."""


@pytest.mark.parametrize("header", [None, "Bearer x", "Bearer " + "a" * 48], ids=["none", "malformed", "unknown"])
def test_a_refusal_keeps_nothing_of_its_request(wrap, header):
    # A cycle through the traceback would keep the environ, so the socket, until the collector comes.
    app = wrap().app
    environ = make_environ(path="/x", **({"HTTP_AUTHORIZATION": header} if header else {}))
    app(dict(environ), lambda *answer: None)
    socket = Socket()
    kept = weakref.ref(socket)
    gc.disable()
    try:
        app({**environ, "socket": socket}, lambda *answer: None)
        del socket
        assert kept() is None
    finally:
        gc.enable()
