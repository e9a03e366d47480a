"""The audit trail behind real servers."""

from __future__ import annotations

import json
import time

import pytest
from hosting import SECRETS, STOP_SECONDS
from wire import ask, basic, bearer, issue

from helpers.engines_base import wait_until

pytestmark = pytest.mark.slow
KINDS = ["gunicorn-preload", "gunicorn-gevent", "uwsgi-threads"]
KINDS += [pytest.param(kind, marks=pytest.mark.long) for kind in ("gunicorn", "uwsgi")]
CASES = [("failing", "gunicorn"), ("hanging", "uwsgi-threads")]
CASES += [
    pytest.param(*case, marks=pytest.mark.long) for case in (("failing", "uwsgi-threads"), ("hanging", "gunicorn"))
]


@pytest.fixture
def trail(tmp_path):
    """What the function has written."""
    file = tmp_path / "audit.jsonl"
    return lambda: [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.parametrize("kind", KINDS)
def test_the_events_of_all_workers_reach_the_function_once_each(start, trail, tmp_path, kind):
    server = start(kind, on_event="audit_sinks:writing", audit_accepted=True)
    tokens = [issue(server) for _ in range(10)]
    workers = {ask(server, "GET", "/mine", bearer(token)).process for token in tokens}
    for _ in range(10):
        ask(server, "POST", "/oauth/token", basic("alpha", "a-wrong-secret"), {"grant_type": "client_credentials"})
    if kind.startswith("uwsgi"):  # it may lose the last events if its workers get the signal, too
        wait_until(lambda: ask(server, "GET", "/health").status == 200 and len(trail()) == 30, "the events")
    server.stop()

    found = [(each["event"], each.get("client_name"), each["address"]) for each in trail()]
    assert sorted(found) == sorted(
        [(name, "alpha", "127.0.0.1") for name in ("client_refused", "request_accepted", "token_issued")] * 10
    )
    assert workers
    text = (tmp_path / "audit.jsonl").read_text()
    assert not any(each in text for each in (*tokens, *SECRETS.values(), "a-wrong-secret"))


@pytest.mark.parametrize(("function", "kind"), CASES)
def test_a_function_that_fails_or_hangs_holds_no_request_and_no_exit(start, kind, function):
    server = start(kind, on_event=f"audit_sinks:{function}")
    started = time.monotonic()
    tokens = [issue(server) for _ in range(30)]
    statuses = {ask(server, "GET", "/mine", bearer(token)).status for token in tokens}

    assert statuses == {200}
    assert time.monotonic() - started < 20
    if function == "failing":
        wait_until(lambda: "on_event failed, and did not take an event" in server.output(), "the warning")
    assert server.stop() and time.monotonic() - started < 20 + STOP_SECONDS
