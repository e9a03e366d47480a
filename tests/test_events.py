"""Events and where they go."""

from __future__ import annotations

import logging

import pytest

from helpers.support import HandClock
from helpers.wsgi_client import make_environ
from oauth_mw.client_names import ClientNames
from oauth_mw.errors import InvalidClient, InvalidScope, StoreUnavailable
from oauth_mw.events import (
    MAX_REASONS,
    ForeignRevocation,
    GuessingSlowed,
    HookFailed,
    KeyMade,
    QuotaExceeded,
    Refusals,
    Refused,
    SinkFailed,
    StoreBack,
    StoreFailed,
    TokenHookFailed,
    TokenIssued,
    TokenRevoked,
    WeakSecretFound,
    combine,
    log_sink,
)
from oauth_mw.model import Client

ISSUED = TokenIssued("tester", "ab12", "read", 99)


@pytest.fixture
def seen():
    return []


@pytest.fixture
def ticks():
    return HandClock()


@pytest.fixture
def refused(seen, ticks, caplog):
    caplog.set_level(logging.INFO, "oauth_mw")
    return Refusals(lambda event, environ: seen.append(event), ticks, lambda: True, ClientNames(Clients(), ticks))


def test_every_sink_is_called_in_order(seen):
    sinks = [lambda event, environ, name=name: seen.append((name, event, environ)) for name in ("first", "second")]
    combine(sinks)(ISSUED, {"A": "b"})

    assert seen == [("first", ISSUED, {"A": "b"}), ("second", ISSUED, {"A": "b"})]


def test_a_sink_that_fails_is_logged_and_others_go_on(seen, caplog):
    combine([lambda event, environ: 1 / 0, lambda event, environ: seen.append(event)])(ISSUED, {})

    assert seen == [ISSUED]
    assert [(record.name, record.levelname) for record in caplog.records] == [("oauth_mw", "ERROR")]


SCOPE = Refused(
    "POST", "/oauth/token", 400, "invalid_scope", "scope not allowed for this client", "", "tester", "Nightly"
)

LINES = [
    (
        TokenIssued("tester", "ab12", "read", 99, ("https://a", "https://b")),
        logging.INFO,
        "issued a token to tester; scope: read; audience: https://a https://b; expires: 99; token: ab12",
    ),
    (
        TokenIssued("tester", "ab12", "", 99),
        logging.INFO,
        "issued a token to tester; scope: -; audience: -; expires: 99; token: ab12",
    ),
    (
        TokenIssued("tester", "ab12", "read", 99, client_name="Nightly"),
        logging.INFO,
        "issued a token to tester (Nightly); scope: read; audience: -; expires: 99; token: ab12",
    ),
    (TokenRevoked("tester", "ab12"), logging.INFO, "tester revoked a token; token: ab12"),
    (
        ForeignRevocation("other", "ab12", "tester"),
        logging.WARNING,
        "other tried to revoke a token of tester, which stays valid; token: ab12",
    ),
    (
        SCOPE,
        logging.INFO,
        "refused POST /oauth/token 400 invalid_scope: scope not allowed for this client;"
        " needed: -; client: tester (Nightly); token: -",
    ),
    (
        QuotaExceeded("tester", "hour", 2, 3, "Nightly"),
        logging.WARNING,
        "tester (Nightly) was issued more than its quota of 2 tokens per hour: 3 so far",
    ),
    (
        GuessingSlowed("203.0.113.7", ""),
        logging.WARNING,
        "too many wrong client credentials from 203.0.113.7, answered 429 for a time; client: -",
    ),
    (
        WeakSecretFound("tester", "10.0.0.1"),
        logging.WARNING,
        "tester has a weak secret, and requests come from 10.0.0.1: if a proxy has that address, set trusted_proxies,"
        " or wrong secrets of others there stop this client",
    ),
    (StoreFailed("no answer within 5 s"), logging.WARNING, "the store is unavailable: no answer within 5 s"),
    (KeyMade("k1"), logging.INFO, "made the signing key k1"),
    (StoreBack(0), logging.WARNING, "the store answers again, 0 s after the first failure"),
    (StoreBack(42), logging.WARNING, "the store answers again, 42 s after the first failure"),
    (
        HookFailed("on_refusal", "it raised KeyError"),
        logging.WARNING,
        "on_refusal failed, and our own body was sent: it raised KeyError",
    ),
    (
        TokenHookFailed("on_issue", "it raised KeyError"),
        logging.WARNING,
        "on_issue failed, and no token was issued: it raised KeyError",
    ),
    (
        SinkFailed("on_event", "it raised KeyError"),
        logging.WARNING,
        "on_event failed, and did not take an event: it raised KeyError",
    ),
]


@pytest.mark.parametrize(("event", "level", "line"), LINES)
def test_an_event_is_a_sentence_and_fields_and_a_warning_where_an_operator_should_act(event, level, line, caplog):
    caplog.set_level(logging.INFO, "oauth_mw")

    log_sink(event, {})

    (record,) = caplog.records
    fields = {name.removeprefix("oauth_mw_"): value for name, value in vars(record).items() if "oauth_mw_" in name}
    expected = {name: value for name, value in event._asdict().items() if name != "proved"}
    assert (record.levelno, record.getMessage(), fields) == (level, line, expected)


def test_events_of_a_kind_are_logged_under_one_text(caplog):
    caplog.set_level(logging.INFO, "oauth_mw")

    log_sink(StoreFailed("down"), {})
    log_sink(StoreFailed("full"), {})

    assert len({record.msg for record in caplog.records}) == 1


def test_an_event_is_one_line_of_the_log_whatever_is_in_it(caplog):  # H-15
    log_sink(StoreFailed("a\nforged line"), {})

    assert "\n" not in caplog.records[0].getMessage()


def test_a_refusal_is_emitted_with_its_private_reason(refused, seen):
    environ = make_environ("POST", "/oauth/token")
    refused.note(InvalidScope("scope not allowed for this client", "tester"), environ)

    assert (seen, environ["oauth_mw.denied"]) == ([SCOPE], "tester invalid_scope")


@pytest.mark.parametrize(
    ("error", "denied"),
    [
        (InvalidClient("wrong secret", "tester"), "invalid_client"),
        (StoreUnavailable("down"), "temporarily_unavailable"),
        (InvalidScope("malformed scope", "forged\nline"), r"forged\nline invalid_scope"),
    ],
)
def test_an_access_log_is_shown_one_line_and_no_client_that_is_not_authenticated(refused, error, denied):
    environ = make_environ("GET", "/any")
    refused.note(error, environ)

    assert environ["oauth_mw.denied"] == denied


ESCAPED = {
    "/a b": "/a%20b",
    "/a\r\nforged": "/a%0D%0Aforged",
    "/caf\xc3\xa9\x1b[0m": "/caf%C3%A9%1B%5B0m",
    '/100%"\\': "/100%25%22%5C",
    "/\ud800": "/%5Cud800",
    "/users/@me;v=1": "/users/@me;v=1",
    "/" + "x" * 511: "/" + "x" * 511,
    "/" + "x" * 512: "/" + "x" * 508 + "...",
    "/" + " " * 500: "/" + "%20" * 169 + "%...",
}


@pytest.mark.parametrize(("path", "shown"), ESCAPED.items(), ids=range(len(ESCAPED)))
def test_methods_and_paths_are_escaped_and_cut_off(caplog, path, shown):  # H-15
    caplog.set_level(logging.INFO, "oauth_mw")

    log_sink(SCOPE._replace(method=path, path=path), {})

    assert caplog.messages[0].startswith(f"refused {shown} {shown} 400 ")
    assert len(shown) <= 512


@pytest.mark.parametrize("field", ["reason", "client_id", "client_name"])
def test_a_refusal_stays_one_line_whatever_is_in_it(caplog, field):  # H-15
    caplog.set_level(logging.INFO, "oauth_mw")

    log_sink(SCOPE._replace(**{field: "a\r\nforged\u2028line\x1b"}), {})

    assert r"a\r\nforged\u2028line\x1b" in caplog.messages[0]


def test_a_refusal_that_is_not_logged_is_not_formatted(caplog):
    caplog.set_level(logging.WARNING, "oauth_mw")

    log_sink(SCOPE._replace(path=None), {})  # which could not be

    assert caplog.records == []


def test_a_refusal_that_no_sink_wants_is_not_emitted(seen, ticks):
    refused = Refusals(lambda event, environ: seen.append(event), ticks, lambda: False, str)
    refused.note(StoreUnavailable("down"), make_environ("GET", "/any"))

    assert seen == []


def test_no_client_is_read_for_a_caller_without_its_secret(refused, seen):
    """How long the answer takes would show that the client exists."""
    refused.note(InvalidClient("wrong secret", "tester"), make_environ("POST", "/oauth/token"))
    refused.note(InvalidClient("disabled client", "tester", proved=True), make_environ("POST", "/oauth/token"))

    assert [event.client_name for event in seen] == ["", "Nightly"]


def test_a_function_that_fails_is_emitted_once_a_minute_for_each_reason(refused, seen, ticks):
    for _ in range(120):
        refused.report(HookFailed("on_refusal", "it raised KeyError"))
        refused.report(HookFailed("on_refusal", "it raised ValueError"))
        ticks.move(1)

    assert [event.reason for event in seen] == ["it raised KeyError", "it raised ValueError"] * 2


def test_failures_with_ever_new_reasons_are_emitted_a_bounded_number_of_times_a_minute(refused, seen, ticks):
    for number in range(100):
        refused.report(HookFailed("on_refusal", f"line {number}"))
    ticks.move(60)
    refused.report(HookFailed("on_refusal", "line 0"))

    assert len(seen) == MAX_REASONS + 1


class Clients:
    """A store with one client, which counts how often it is read, and fails while ``down``."""

    def __init__(self):
        self.name, self.reads, self.down = "Nightly", 0, False

    def find_client(self, client_id):
        self.reads += 1
        if self.down:
            raise StoreUnavailable("down")
        return Client(client_id, self.name, created_at=0) if client_id == "tester" else None


def test_the_name_of_a_client_is_read_once_a_minute(ticks):
    clients = Clients()
    names = ClientNames(clients, ticks).name_of

    assert [names("tester"), names("tester"), names("other"), names("")] == ["Nightly", "Nightly", "", ""]
    clients.name = "Daily"
    ticks.move(60)
    assert (names("tester"), clients.reads) == ("Daily", 3)


def test_while_a_store_does_not_answer_the_client_of_a_token_is_not_read_either(ticks):
    clients = Clients()
    clients.down = True
    names = ClientNames(clients, ticks)
    names.name_of("tester")

    assert (names.owner_of("ab12"), clients.reads) == ("", 1)


def test_a_store_that_does_not_answer_is_asked_for_one_name_a_minute(ticks):
    clients = Clients()
    names = ClientNames(clients, ticks).name_of
    names("tester")
    clients.down = True
    ticks.move(60)

    assert ([names(each) for each in ("tester", "other", "tester")], clients.reads) == (["Nightly", "", "Nightly"], 2)
    ticks.move(60)
    assert (names("tester"), clients.reads) == ("Nightly", 3)
