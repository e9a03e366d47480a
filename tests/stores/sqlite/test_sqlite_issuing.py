"""One SQLite store, four forked workers that issue at once, and expired rows that they sweep meanwhile."""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import NamedTuple

import pytest
from webob import Request

from helpers.builders import key_of, token_of
from helpers.processes import exit_code_of, forked
from helpers.support import SECRET, basic, echo
from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.protocols import Store
from oauth_mw.tokens.opaque import SWEEP_EVERY, OpaqueTokens

pytestmark = pytest.mark.slow

pytest.importorskip("fcntl")  # and fork

WORKERS, EACH = 4, 500
EXPIRED = 2000  # every hundredth issue of a worker sweeps 500


class Outcome(NamedTuple):
    store: Store
    exit_codes: list[int]
    statuses: list[str]
    texts: list[str]


def issues(app, starting_gun, answers):
    """Wait for the gun; then request tokens, and write a line for each answer."""
    form, headers = {"grant_type": "client_credentials"}, basic("tester", SECRET)
    requests = [Request.blank("/oauth/token", POST=form, headers=headers) for _ in range(EACH)]
    os.read(starting_gun, 1)
    answered = [request.get_response(app) for request in requests]
    lines = [f"{answer.status_int} {answer.json.get('access_token')}\n" for answer in answered]
    answers.write_text("".join(lines))
    return True


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("issuing")
    with closing(open_store(f"sqlite:///{folder}/oauth.db", create=True)) as store:
        admin.add_client(store, "tester", scope="read", client_id="tester", secret=SECRET)
        token = token_of(store.find_client("tester"))
        for number in range(EXPIRED):
            store.add_token(key_of(number, expires_at=int(time.time()) - 600), token)
        app = OAuthMiddleware(echo, store=store)
        starting_gun, trigger = os.pipe()
        files = [folder / str(number) for number in range(WORKERS)]
        workers = [forked(lambda file=file: issues(app, starting_gun, file)) for file in files]
        os.write(trigger, b"." * WORKERS)
        exit_codes = [exit_code_of(worker) for worker in workers]
        os.close(starting_gun)
        os.close(trigger)
        answers = [line.split() for file in files for line in file.read_text().splitlines()]
        yield Outcome(store, exit_codes, *zip(*answers, strict=True))


def test_no_worker_that_issues_beside_others_is_refused(outcome):
    assert (outcome.exit_codes, set(outcome.statuses)) == ([0] * WORKERS, {"200"})


def test_every_token_that_a_worker_was_given_beside_others_is_live_and_its_own(outcome):
    live = {text for text in outcome.texts if admin.inspect_token(outcome.store, admin.token_key(text)).state == "live"}

    assert len(live) == WORKERS * EACH


def test_sweeps_beside_issues_remove_expired_rows_and_no_others(outcome):
    now = int(time.time())

    assert (outcome.store.count_tokens(now), outcome.store.count_tokens()) == (0, WORKERS * EACH)


def test_thirty_workers_that_end_before_their_hundredth_token_sweep(tmp_path):
    with closing(open_store(f"sqlite:///{tmp_path}/oauth.db", create=True)) as store:
        admin.add_client(store, "tester", scope="read", client_id="tester", secret=SECRET)
        client = store.find_client("tester")
        for number in range(EXPIRED):
            store.add_token(key_of(number, expires_at=int(time.time()) - 600), token_of(client))
        tokens = OpaqueTokens(store, time.time, "")
        tokens.issue(client, ("read",), 3600)  # so that no child is the first to count

        def work():
            return [tokens.issue(client, ("read",), 3600) for _ in range(SWEEP_EVERY - 1)]

        assert {exit_code_of(forked(work)) for _ in range(30)} == {0}
        assert store.count_tokens(int(time.time())) == 0
