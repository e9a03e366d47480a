"""Memory and rows stay bounded, whatever is made up."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from helpers.support import SECRET, issue, one_store
from helpers.wsgi_client import call, make_environ
from oauth_mw.tokens.opaque import CLOCK_MARGIN, SWEEP_EVERY

pytestmark = pytest.mark.slow

CC = "grant_type=client_credentials"
# How many requests, and how many bytes they may leave behind: far less than one string for each.
# Verdicts on paths are remembered, up to a number of them.
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


@one_store
@pytest.mark.parametrize(("count", "limit", "make"), FLOODS.values(), ids=FLOODS)
def left_behind(app, make, numbers):
    """How many bytes a flood leaves behind."""
    gc.collect()
    tracemalloc.start()
    for n in numbers:
        call(app, make(n))
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size


@pytest.mark.parametrize(("count", "limit", "make"), FLOODS.values(), ids=FLOODS)
def test_made_up_input_is_not_remembered_for_ever(wrap, client, count, limit, make):  # L-04
    app = wrap(required_scopes=[("GET", "/ruled/*", "read")]).app
    call(app, make(0))

    # Threads of other tests may allocate meanwhile, but hardly each time.
    sizes = (left_behind(app, make, range(1 + turn * count, (1 + turn) * count)) for turn in range(3))

    assert any(size < limit for size in sizes)


def test_expired_tokens_go_by_themselves(wrap, store, client, clock):  # L-04
    app = wrap(access_token_lifetime=10)
    for _ in range(400):
        issue(app)
        clock.move(1)

    # Those that are not over on every clock, and those issued since the last sweep.
    assert store.count_tokens() <= 10 + CLOCK_MARGIN + SWEEP_EVERY
