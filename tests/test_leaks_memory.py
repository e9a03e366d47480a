"""Memory and rows stay bounded, whatever is made up."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tracemalloc

import pytest

from helpers.support import SECRET, echo, issue
from helpers.wsgi_client import call, make_environ
from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.tokens.opaque import CLOCK_MARGIN, SWEEP_EVERY

pytestmark = pytest.mark.slow

CC = "grant_type=client_credentials"
# How many requests, and how many bytes they may leave behind: far less than one string for each.
# Decisions about paths are remembered, up to a number of them.
FLOODS = {
    "tokens": (1500, 100_000, lambda n: make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Bearer made-up-{n}")),
    "well-formed tokens": (1500, 100_000, lambda n: make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Bearer {n:048d}")),
    "headers": (1500, 100_000, lambda n: make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Scheme{n} x")),
    "paths": (6000, 1_200_000, lambda n: make_environ("GET", f"/ruled/{n}/{'x' * 200}")),
    "methods": (6000, 1_200_000, lambda n: make_environ(f"M{n}{'X' * 200}", "/any")),
    "long paths": (1000, 100_000, lambda n: make_environ("GET", f"/ruled/{n}/{'x' * 1000}")),
    "ambiguous paths": (6000, 1_200_000, lambda n: make_environ("GET", f"/any//{n}/{'x' * 200}")),
    "ids": (1000, 100_000, lambda n: form_of(f"{CC}&client_id=made-up-{n}&client_secret={SECRET}")),
    "scopes": (1000, 100_000, lambda n: form_of(f"{CC}&client_id=tester&client_secret={SECRET}&scope=made-up-{n}")),
}


def form_of(text):
    return make_environ("POST", "/oauth/token", text.encode(), CONTENT_TYPE="application/x-www-form-urlencoded")


def left_behind(count, make):
    """How many bytes a flood leaves behind."""
    store = open_store("memory://")
    admin.add_client(store, "tester", scope="read write", client_id="tester", secret=SECRET)
    app = OAuthMiddleware(echo, store=store, required_scopes=[("GET", "/ruled/*", "read")])
    call(app, make(0))
    gc.collect()
    tracemalloc.start()
    for n in range(1, count):
        call(app, make(n))
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size


@pytest.fixture(scope="module")
def left():
    """What each flood leaves behind in a process of their own: here, threads of other tests may follow a log."""
    code = f"from {__name__} import *; print([left_behind(count, make) for count, _, make in FLOODS.values()])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return dict(zip(FLOODS, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("name", FLOODS)
def test_made_up_input_is_not_remembered_for_ever(left, name):  # L-04
    _, limit, _ = FLOODS[name]

    assert left[name] < limit


def test_expired_tokens_go_by_themselves(wrap, store, client, clock):  # L-04
    app, counts = wrap(access_token_lifetime=10), []
    for _ in range(400):
        issue(app)
        counts.append(store.count_tokens())
        clock.move(1)

    # A sweep leaves those that are not over on every clock, and this one; until the next, each issue adds one.
    left = 10 + CLOCK_MARGIN + 1
    assert (min(counts[-SWEEP_EVERY:]), max(counts[-SWEEP_EVERY:])) == (left, left + SWEEP_EVERY - 1)
