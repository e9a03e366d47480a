"""The audit trail of requests."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

from helpers.support import CC, SECRET, TESTER, basic, bearer, issue, revoked
from helpers.wsgi_client import call, make_environ
from oauth_mw import OAuthMiddleware, admin
from oauth_mw.audit import CHANGE_EVENTS, REQUEST_EVENTS, AuditEvent, flush, log

pytestmark = pytest.mark.usefixtures("at_once")
STORE_KINDS = ["memory"]

RULES = ["GET /reports/* read", "POST /reports/* any of write admin", "GET /items/{id} read", "* /open -"]


@pytest.fixture
def own(wrap, client):
    """Wrap with rules; what ``on_event`` was given is in ``seen``."""
    return lambda **options: wrap(required_scopes=RULES, **options)


def test_an_issue_is_one_line_with_all_that_names_it(own, lines):
    token = issue(own(request_id_key="HTTP_X_REQUEST_ID"), scope="read")

    (line,) = lines()
    event = json.loads(line)
    assert token not in line and len(event.pop("token_id")) == 64
    assert event == {
        "time": "2027-01-15T08:00:00.000Z",
        "event": "token_issued",
        "client_id": "tester",
        "client_name": "tester",
        "method": "POST",
        "path": "/oauth/token",
        "scope": "read",
        "expires_at": 1_800_003_600,
    }


def test_the_address_and_the_id_of_a_request_are_part_of_its_event(own, trail):
    app = own(request_id_key="HTTP_X_REQUEST_ID").app
    call(app, make_environ("GET", "/reports/1", REMOTE_ADDR="192.0.2.7", HTTP_X_REQUEST_ID="4f1c"))

    assert [(each["address"], each["request_id"]) for each in trail()] == [("192.0.2.7", "4f1c")]


@pytest.mark.parametrize("given", ["x" * 129, "a\nforged", "caf\xe9", "", None, 5, "tab\t"])
def test_an_id_that_is_not_one_is_left_out(own, trail, given):
    call(own(request_id_key="request.id").app, make_environ("GET", "/reports/1", **{"request.id": given}))

    assert ["request_id" in each for each in trail()] == [False]


def test_a_wrong_secret_names_the_client_that_exists_and_its_name(own, trail):
    app = own()
    for client_id in ("tester", "nobody"):
        app.post("/oauth/token", CC, headers=basic(client_id, "wrong"), status=401)

    asked = {"event": "client_refused", "method": "POST", "path": "/oauth/token", "status": 401}
    assert trail() == [
        {**asked, "error": "invalid_client", "reason": "wrong secret", "client_id": "tester", "client_name": "tester"},
        {**asked, "error": "invalid_client", "reason": "no client with secrets"},
    ]


def test_one_wrong_secret_too_many_is_a_client_refused_too(own, trail):
    app = own(throttle="2/minute 100/minute")
    for status in (401, 401, 429):
        app.post("/oauth/token", CC, headers=basic("tester", "wrong"), status=status)

    assert [(each["event"], each["status"], each["client_name"]) for each in trail()] == [
        ("client_refused", 401, "tester"),
        ("client_refused", 401, "tester"),
        ("client_refused", 429, "tester"),
    ]


@pytest.mark.parametrize("path", ["/oauth/token", "/v1/token"])
def test_a_token_that_is_refused_says_why(own, trail, path):
    own(token_path=["/oauth/token", "/v1/token"]).post(path, {**CC, "scope": "admin"}, headers=TESTER, status=400)

    assert trail() == [
        {
            "event": "token_refused",
            "client_id": "tester",
            "client_name": "tester",
            "method": "POST",
            "path": path,
            "status": 400,
            "error": "invalid_scope",
            "reason": "scope not allowed for this client",
        }
    ]


REFUSED = {
    "a rule": ("GET", "/reports/7", "GET /reports/* read"),
    "any of": ("POST", "/reports", "POST /reports/* any of write admin"),
    "no rule for the method": ("PUT", "/reports", "GET /reports/* read; POST /reports/* any of write admin"),
    "an empty name": ("GET", "/items/", "GET /items/{id} read"),
    "any token": ("PUT", "/open", "* /open -"),
    "a path that no rule names": ("GET", "/other", None),
    "an ambiguous path": ("GET", "//reports", None),
    "a method in small letters": ("get", "/reports", "GET /reports/* read; POST /reports/* any of write admin"),
    "an endpoint": ("GET", "/oauth/revoke", None),
}


@pytest.mark.parametrize(("method", "path", "rule"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_names_the_rule_that_decided_as_it_is_written(own, trail, method, path, rule):
    call(own().app, make_environ(method, path))

    assert [(each["event"], each.get("rule")) for each in trail()] == [("request_refused", rule)]


def test_a_refused_token_is_named_with_its_client(own, trail):
    app = own()
    token = issue(app, scope="write")
    app.get("/reports/7", headers=bearer(token), status=403)

    issued, refused = trail()
    assert refused["token_id"] == issued["token_id"]
    assert (refused["client_id"], refused["client_name"], refused["needed"]) == ("tester", "tester", "read")


def test_the_row_of_an_expired_token_says_whose_it_was(own, clock, trail):
    token = issue(own())
    clock.move(3601)
    own().get("/other", headers=bearer(token), status=401)

    assert [each["client_id"] for each in trail("request_refused")] == ["tester"]


def test_revocations_are_events_also_of_a_foreign_token(own, store, trail):
    app = own()
    admin.add_client(store, "Other", client_id="other", secret=SECRET)
    token = issue(app)
    revoked(app, token, "other")
    revoked(app, token)

    foreign, own_token = trail("foreign_revocation", "token_revoked")
    assert (foreign["client_id"], foreign["client_name"], foreign["owner"]) == ("other", "Other", "tester")
    assert (own_token["client_id"], own_token["token_id"]) == ("tester", foreign["token_id"])


def test_accepted_requests_are_events_only_if_they_are_asked_for(own, trail):
    app, audited = own(), own(audit_accepted=True)
    token = issue(app, scope="read")
    app.get("/reports/7", headers=bearer(token))
    audited.get("/reports/7", headers=bearer(token))
    audited.get("/reports/7", headers=bearer(token))

    accepted = trail("request_accepted")
    assert len(accepted) == 2
    assert accepted[0].items() >= {"client_name": "tester", "path": "/reports/7", "rule": "GET /reports/* read"}.items()


def test_a_path_is_cut_off_and_escaped_and_its_rule_is_that_of_the_whole(own, trail):
    call(own().app, make_environ("GET", "/reports/\xc3\xa9 " + "x" * 600))

    (event,) = trail()
    assert (event["path"][:19], len(event["path"]), event["rule"]) == (
        "/reports/%C3%A9%20x",
        512,
        "GET /reports/* read",
    )


def test_a_quota_that_is_only_reported_is_an_event(own, store, trail):
    admin.update_client(store, "tester", tokens_per_day=1, quota_mode="report")
    app = own()
    for _ in range(3):
        issue(app)

    (event,) = trail("quota_exceeded")
    assert event == {
        "event": "quota_exceeded",
        "client_id": "tester",
        "client_name": "tester",
        "reason": "2 tokens in the day, more than 1",
    }


def test_a_key_that_a_worker_makes_is_an_event(wrap, client, trail):
    issue(wrap(token_format="jwt", issuer="https://auth.example"))

    (event,) = trail("key_added")
    assert event.keys() == {"event", "key_id", "by", "reason"}


def test_without_a_handler_and_a_function_nothing_is_emitted(own):
    assert not own().app.parts.auditor.is_wanted()


def test_a_handler_of_the_parent_or_the_root_gets_no_line(own, caplog, lines):
    caplog.set_level(0)
    call(own().app, make_environ("GET", "/reports/1"))

    assert len(lines()) == 1
    assert {record.name for record in caplog.records} == {"oauth_mw"}


def test_a_logger_that_is_switched_off_or_filters_gets_nothing(own, lines, monkeypatch):
    app = own().app
    with monkeypatch.context() as patch:
        patch.setattr(log, "disabled", True)
        call(app, make_environ("GET", "/reports/1"))
    with monkeypatch.context() as patch:
        patch.setattr(log, "filters", [lambda record: False])
        call(app, make_environ("GET", "/reports/1"))
        assert lines() == []


class Raising(logging.Handler):
    """Unlike the handlers of ``logging``, it catches nothing itself."""

    def emit(self, record):
        raise OSError("no room")


def test_a_handler_that_raises_is_reported_and_the_others_get_the_event(own, handler, trail, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(log, "handlers", [Raising(), handler])
        call(own().app, make_environ("GET", "/reports/1"))
        found = trail()

    assert [each["event"] for each in found] == ["request_refused"]
    assert "OSError: no room" in capsys.readouterr().err


HANGING = """
import logging, threading
from oauth_mw.audit import AuditEvent, Waiting, log, logged

class Hanging(logging.Handler):
    def emit(self, record):
        threading.Event().wait()

log.addHandler(Hanging())
logged.put(Waiting(AuditEvent(0, "token_issued")))
"""


@pytest.mark.slow
def test_a_handler_that_hangs_does_not_hold_the_exit_of_the_process():
    done = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=60, check=True)

    assert "audit events are lost at the exit" in done.stderr


def test_members_are_fields_of_the_record_too(own, handler, lines):
    call(own().app, make_environ("GET", "/reports/1"))
    lines()

    (record,) = handler.records
    assert (record.name, record.levelname, record.oauth_mw_path) == ("oauth_mw.audit", "INFO", "/reports/1")
    assert (record.created, record.msecs) == (1_800_000_000, 0)


def test_the_names_of_events_and_members_are_constant():
    """Programs of users read them: a name is added, and none is changed or removed."""
    assert REQUEST_EVENTS == (
        *("token_issued", "token_refused", "client_refused", "request_refused", "request_accepted", "token_revoked"),
        *("foreign_revocation", "quota_exceeded"),
    )
    assert CHANGE_EVENTS == (
        *("client_added", "client_changed", "client_enabled", "client_disabled", "client_deleted"),
        *("secret_added", "secret_changed", "secret_revoked", "token_revoked", "tokens_revoked"),
        *("key_added", "key_retired", "key_exported", "store_copied", "change_unconfirmed"),
    )
    assert AuditEvent._fields == (
        *("time", "event", "client_id", "client_name", "token_id", "secret_id", "key_id", "address", "method", "path"),
        *("status", "error", "reason", "rule", "needed", "scope", "audience", "expires_at", "owner", "request_id"),
        *("by", "changed", "store", "source", "attempted", "issued_before"),
    )


def test_the_function_gets_the_same_events(own, trail):
    seen = []
    app = own(on_event=seen.append)
    issue(app)
    call(app.app, make_environ("GET", "/reports/1"))
    assert flush(10)

    assert [each.event for each in seen] == ["token_issued", "request_refused"]
    assert [each.members() for each in seen][1].items() >= trail()[1].items()


def leave(event):
    raise SystemExit


@pytest.mark.parametrize(
    ("function", "kind"), [(lambda event: 1 / 0, "ZeroDivisionError"), (leave, "SystemExit")], ids=["fails", "exits"]
)
def test_a_function_that_fails_is_one_warning_and_no_request_fails(own, caplog, function, kind):
    app = own(on_event=function)
    for _ in range(3):
        issue(app)
    assert flush(10)

    warnings = [record.getMessage() for record in caplog.records]
    assert [each.partition(" (")[0] for each in warnings] == [
        f"on_event failed, and did not take an event: it raised {kind}"
    ]


@pytest.mark.parametrize("given", ["nowhere:f", "json:nothing", 5, lambda: None, lambda a, b: None])
def test_what_is_no_function_of_one_event_stops_the_start(given):
    with pytest.raises(ValueError, match="^on_event: "):
        OAuthMiddleware(print, store="memory://", on_event=given)


def test_the_header_of_tokens_is_no_id_of_a_request():
    with pytest.raises(ValueError, match="request_id_key: is the key of authorization_header"):
        OAuthMiddleware(print, store="memory://", authorization_header="X-Key", request_id_key="HTTP_X_KEY")
