"""``doctor`` with the credentials of a client."""

from __future__ import annotations

import base64
import os
import signal
import time

import pytest

from helpers.sickness import answering, without
from helpers.support import SECRET
from oauth_mw.cli.doctor.cures import FAULTS
from oauth_mw.cli.doctor.signed import issued_at
from oauth_mw.environment import DOCTOR_CLIENT, DOCTOR_SECRET


@pytest.fixture
def known(ill, monkeypatch):
    monkeypatch.setenv(DOCTOR_CLIENT, "tester")
    monkeypatch.setenv(DOCTOR_SECRET, SECRET)
    return ill


def test_the_tokens_are_revoked(known, diagnosed):
    found, exit_code = diagnosed()

    assert (found["workers"]["verdict"], found["stored answers"]["verdict"], exit_code) == ("fine", "fine", 0)
    assert found["workers' clocks"]["evidence"] == "4 tokens were issued at the time of this machine's clock"
    assert found["revocation"]["evidence"] == "4 tokens were revoked"
    assert len(known.issued) == 4 and not any(map(known.accepts, known.issued))


def test_tokens_that_cannot_be_revoked_are_named(known, diagnosed):
    found, _ = diagnosed("--revocation-path", "/oauth/tokens")

    assert (found["revocation"]["verdict"], found["revocation"]["evidence"][:40]) == (
        "cannot be told",
        "4 tokens stay valid until they expire: 4",
    )


def test_workers_that_do_not_share_a_store_are_found(known, diagnosed):
    known.add_worker()

    found, exit_code = diagnosed()

    assert (found["workers"]["verdict"], found["workers"]["fault"]) == ("likely", FAULTS["not shared"].says)
    assert exit_code == 0 and not any(map(known.accepts, known.issued))


def test_tokens_are_revoked_in_all_workers_where_it_cannot_be_told_whether_they_share_a_store(known, diagnosed):
    known.protect(public_paths=["/docs"])
    known.add_worker()

    found, _ = diagnosed(path="/docs")

    assert found["workers"]["verdict"] == "cannot be told"
    assert len(known.issued) == 4 and not any(map(known.accepts, known.issued))


def test_a_revocation_that_is_not_answered_is_not_repeated(known, diagnosed):
    revoked = []

    def breaking(inner):
        def app(environ, start):
            if environ["PATH_INFO"] != "/oauth/revoke":
                return inner(environ, start)
            revoked.append(b"".join(inner(environ, lambda *head: None)))
            start("200 OK", [("Content-Length", "99")])
            return [b"short"]

        return app

    known.protect(public_paths=["/docs"])
    known.change(breaking)

    found, _ = diagnosed(path="/docs")

    assert found["revocation"]["evidence"].startswith("4 tokens stay valid until they expire: ")
    assert len(revoked) == 4


def test_a_client_that_only_some_workers_know_shows_the_same(known, diagnosed):
    known.add_worker(client="another")

    found, _ = diagnosed()

    assert (found["workers"]["verdict"], found["workers"]["fault"]) == ("likely", FAULTS["not shared"].says)


OFF = {"opaque": {}, "jwt": {"token_format": "jwt"}, "text as a lifetime": {"compatibility": "apigee"}}


@pytest.mark.parametrize("options", OFF.values(), ids=OFF)
def test_a_worker_whose_clock_is_off_is_found(known, diagnosed, options):
    known.protect(clock=lambda: time.time() + 40, issuer=known.url, **options)

    found, _ = diagnosed()

    assert (found["workers' clocks"]["verdict"], found["clock"]["verdict"]) == ("likely", "fine")
    assert found["workers' clocks"]["fault"] == FAULTS["clock"].says


def test_a_cache_that_gives_a_protected_answer_to_all_is_found(known, diagnosed):
    kept = []

    def cache(inner):
        def app(environ, start):
            if environ["PATH_INFO"] != "/reports":
                return inner(environ, start)
            heads = []
            body = b"".join(inner(environ, lambda *head: heads.append(head)))
            if heads[0][0] == "200 OK":
                kept[:] = [(heads[0], body)]
            head, body = kept[0] if kept else (heads[0], body)
            start(*head)
            return [body]

        return app

    known.change(cache)

    found, _ = diagnosed()

    assert (found["stored answers"]["verdict"], found["stored answers"]["fault"]) == ("certain", FAULTS["cached"].says)


AWAY = {
    "dropped": without("HTTP_AUTHORIZATION"),
    "redirected": answering("307 Temporary Redirect", [("Location", "/v2/oauth/token")], only="/oauth"),
    "to another host": answering("302 Found", [("Location", "https://sso.example.com/login")]),
    "another app": answering("404 Not Found"),
}


@pytest.mark.parametrize("change", AWAY.values(), ids=AWAY)
def test_no_credential_is_sent_where_it_does_not_arrive(known, diagnosed, change):
    known.change(change)

    found, _ = diagnosed()

    assert found["client"]["evidence"].startswith("not sent: ")
    assert known.credentials == set()


def test_a_wrong_secret_is_said(known, diagnosed, monkeypatch):
    monkeypatch.setenv(DOCTOR_SECRET, "wrong" * 9)

    found, _ = diagnosed()

    assert found["client"]["evidence"] == "it gets no token: 401 invalid_client"


def test_no_secret_or_token_is_printed(known, cli):
    answer = cli("doctor", known.url, "--path", "/reports", store=None)

    assert len(known.issued) == 4
    assert not any(each in answer.output for each in (SECRET, *known.issued))


def test_a_client_that_may_not_use_basic_sends_its_secret_in_the_body(known, diagnosed):
    known.protect(client_auth_methods=["client_secret_post"])

    found, exit_code = diagnosed()

    assert (found["workers"]["verdict"], found["revocation"]["evidence"]) == ("fine", "4 tokens were revoked")
    assert exit_code == 0 and not any(map(known.accepts, known.issued))


def test_tokens_that_may_be_stored_are_found(known, diagnosed):
    """nginx's ``expires`` changes no refusal."""

    def expiring(inner):
        def app(environ, start):
            def changed(status, headers):
                kept = [each for each in headers if each[0] != "Cache-Control"]
                return start(status, [*kept, ("Cache-Control", "max-age=3600")] if status == "200 OK" else headers)

            return inner(environ, changed)

        return app

    known.change(expiring)

    found, _ = diagnosed()

    assert (found["caches"]["verdict"], found["stored answers"]["verdict"]) == ("fine", "certain")
    assert found["stored answers"]["evidence"].endswith("Cache-Control is max-age=3600, no no-store")


def sending(number, house, when):
    """The process gets a signal while the first of such requests is answered."""
    signals = [number]

    def changed(inner):
        def app(environ, start):
            answer = inner(environ, start)
            if signals and when(house, environ):
                os.kill(os.getpid(), signals.pop())
            return answer

        return app

    return changed


def requests_a_token(house, environ):
    return environ["PATH_INFO"] == "/oauth/token" and "HTTP_AUTHORIZATION" in environ


def uses_a_token(house, environ):
    return environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ") in house.issued


def revokes_a_token(house, environ):
    return environ["PATH_INFO"] == "/oauth/revoke"


SIGNALS = {signal.SIGINT: 1, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture
def not_ignored():
    """Signals end this process, also where what has started it ignores them (as ``nohup`` does)."""
    before = {each: signal.getsignal(each) for each in SIGNALS}
    for each in SIGNALS:
        signal.signal(each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL)
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.usefixtures("not_ignored")
@pytest.mark.parametrize(
    ("number", "when"),
    [
        (signal.SIGINT, requests_a_token),
        (signal.SIGINT, revokes_a_token),
        *((number, uses_a_token) for number in SIGNALS),
    ],
)
def test_the_tokens_of_a_doctor_that_is_interrupted_are_revoked(known, cli, number, when):
    known.change(sending(number, known, when))

    answer = cli("doctor", known.url, "--path", "/reports", store=None)

    assert answer.exit_code == SIGNALS[number]
    assert known.issued and not any(map(known.accepts, known.issued))


@pytest.mark.usefixtures("not_ignored")
def test_a_doctor_that_is_interrupted_says_what_it_revoked(known, cli):
    known.change(sending(signal.SIGTERM, known, uses_a_token))

    answer = cli("doctor", known.url, "--path", "/reports", store=None)

    assert answer.stderr == "revocation: 4 tokens were revoked\n"


HOSTILE = {
    "a huge moment": '{"iat": 1%s}' % ("0" * 400),
    "a moment that is none": '{"iat": "now"}',
    "no claims": "[]",
}


@pytest.mark.parametrize("claims", HOSTILE.values(), ids=HOSTILE)
def test_a_token_with_claims_of_any_kind_has_no_moment(claims):
    assert issued_at(f"x.{base64.urlsafe_b64encode(claims.encode()).decode()}.x", 600) is None


def test_an_endpoint_with_a_long_answer_leaves_the_findings(known, diagnosed):
    def lengthy(inner):
        long = answering("200 OK", body=b"x" * 2_000_000)(inner)

        def app(environ, start):
            if environ["PATH_INFO"] != "/oauth/revoke":
                return inner(environ, start)
            b"".join(inner(environ, lambda *head: None))
            return long(environ, start)

        return app

    known.change(lengthy)

    found, _ = diagnosed()

    assert (found["workers"]["verdict"], found["revocation"]["evidence"]) == ("fine", "4 tokens were revoked")
