"""Tokens of a client that were issued before a moment are refused, and its others are accepted, by every worker."""

from __future__ import annotations

import pytest

from helpers.jwts import forms, introspected, opens
from helpers.support import TESTER, issue
from oauth_mw import admin

pytestmark = pytest.mark.parametrize("form", forms())


@pytest.fixture
def workers(wrap, client, form):
    return [wrap(**form), wrap(**form)]


@pytest.fixture
def late(wrap, form):
    """A worker that starts now."""
    return lambda: wrap(**form)


@pytest.fixture
def tokens(workers, clock):
    """One that was issued a minute ago, and one that was issued just now."""
    before = issue(workers[0])
    clock.move(60)
    return before, issue(workers[0])


def accepted(workers, tokens):
    return [[opens(worker, token) for token in tokens] for worker in workers]


@pytest.mark.parametrize("used", [True, False], ids=["cached", "never used"])
def test_what_was_issued_before_the_moment_is_refused_everywhere(workers, late, tokens, store, clock, used):
    assert not used or accepted(workers, tokens) == [[True, True]] * 2

    admin.revoke_all_tokens(store, "tester", issued_before=int(clock()), clock=clock)

    assert accepted([*workers, late()], tokens) == [[False, True]] * 3


def test_introspection_agrees(workers, late, tokens, store, clock):
    admin.revoke_all_tokens(store, "tester", issued_before=int(clock()), clock=clock)

    shown = [[introspected(worker, token)["active"] for token in tokens] for worker in (*workers, late())]
    assert shown == [[False, True]] * 3


def test_what_was_spared_can_still_be_revoked_singly(workers, late, tokens, store, clock):
    admin.revoke_all_tokens(store, "tester", issued_before=int(clock()), clock=clock)

    workers[0].post("/oauth/revoke", {"token": tokens[1]}, headers=TESTER)

    assert accepted([*workers, late()], tokens) == [[False, False]] * 3


def test_what_was_revoked_singly_is_not_spared(workers, late, tokens, store, clock):
    workers[0].post("/oauth/revoke", {"token": tokens[1]}, headers=TESTER)

    admin.revoke_all_tokens(store, "tester", issued_before=int(clock()), clock=clock)

    assert accepted([*workers, late()], tokens) == [[False, False]] * 3


def test_the_client_may_request_new_ones(workers, late, tokens, store, clock):
    admin.revoke_all_tokens(store, "tester", issued_before=int(clock()), clock=clock)

    assert accepted([*workers, late()], [issue(workers[0])]) == [[True]] * 3
