"""``doctor`` finds the usual faults of a deployment, each of which is made here by what stands before the app."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from helpers.pages import read
from helpers.serving import serving
from helpers.sickness import LOGIN_FORM, answering, without
from helpers.support import SECRET, echo
from oauth_mw.cli.doctor.cures import FAULTS, NAMES
from oauth_mw.environment import DOCTOR_SECRET


def test_a_healthy_deployment_has_no_faults(ill, cli):
    answer = cli("doctor", ill.url, "--path", "/reports", store=None)

    assert (answer.exit_code, answer.stdout.splitlines()[-1]) == (0, "no faults")


# Faults on the way


def with_headers(change):
    def changed(inner):
        return lambda environ, start: inner(environ, lambda status, headers: start(status, change(headers)))

    return changed


def cache_by_path(inner):
    """A cache whose key has no body and no Authorization, and that ignores Cache-Control."""
    stored = {}

    def app(environ, start):
        place = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if place not in stored:
            heads = []
            body = b"".join(inner(environ, lambda *head: heads.append(head)))
            stored[place] = heads[0], body
        head, body = stored[place]
        start(*head)
        return [body]

    return app


def unchunked(inner):
    """A server that needs a Content-Length."""
    refuse = answering("411 Length Required")(inner)
    return lambda environ, start: (refuse if environ.get("HTTP_TRANSFER_ENCODING") else inner)(environ, start)


def off_by(seconds):
    return with_headers(lambda headers: [*headers, ("Date", formatdate(time.time() + seconds, usegmt=True))])


def keeping_challenges(inner):
    """As nginx does it with error_page."""
    return lambda environ, start: inner(
        environ,
        lambda status, headers: start("302 Found" if status[0] == "4" else status, [*headers, ("Location", "/login")]),
    )


LOGIN = answering("302 Found", [("Location", "https://sso.example.com/login?next=x")])
PASSWORD = answering("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="staging"')])
TOKEN_PATH = "/oauth/token"
ON_THE_WAY = {
    "Authorization is dropped": (without("HTTP_AUTHORIZATION"), "Authorization", "certain", "authorization"),
    "Authorization is replaced": (
        lambda inner: lambda environ, start: inner({**environ, "HTTP_AUTHORIZATION": "Basic eDp5"}, start),
        "Authorization",
        "certain",
        "authorization",
    ),
    "no token path": (answering("404 Not Found", only="/oauth"), "token path", "certain", "token path"),
    "a changed token path": (
        lambda inner: lambda environ, start: inner({**environ, "PATH_INFO": "/x" + environ["PATH_INFO"]}, start),
        "token path",
        "certain",
        "token path",
    ),
    "a slash is added": (
        answering("301 Moved Permanently", [("Location", "/oauth/token/")], only=TOKEN_PATH),
        "token path",
        "certain",
        "redirected",
    ),
    "a login for the token path": (
        answering("302 Found", [("Location", "/accounts/login/")], only=TOKEN_PATH),
        "token path",
        "certain",
        "login",
    ),
    "a login for all": (LOGIN, "redirects", "certain", "login"),
    "a login page": (answering("200 OK", [("Content-Type", "text/html")], LOGIN_FORM), "redirects", "certain", "login"),
    "another path": (
        answering("308 Permanent Redirect", [("Location", "/v2")], only="/reports"),
        "redirects",
        "certain",
        "redirected",
    ),
    "a clock behind": (off_by(-90), "clock", "likely", "clock"),
    "a clock ahead": (off_by(90), "clock", "likely", "clock"),
    "no no-store": (
        with_headers(lambda headers: [each for each in headers if each[0] != "Cache-Control"]),
        "caches",
        "certain",
        "cached",
    ),
    "a stored answer": (with_headers(lambda headers: [*headers, ("Age", "17")]), "caches", "certain", "cached"),
    "a hit": (with_headers(lambda headers: [*headers, ("X-Cache", "HIT")]), "caches", "certain", "cached"),
    "a cache by path": (cache_by_path, "caches", "certain", "cached"),
    "a cache of refusals": (cache_by_path, "Authorization", "certain", "cached"),
    "a password": (PASSWORD, "Authorization", "likely", "authorization"),
    "a password for the token path": (PASSWORD, "token path", "certain", "authorization"),
    "a redirect that keeps the challenge": (keeping_challenges, "redirects", "certain", "login"),
    "another app's errors": (
        answering("401 Unauthorized", body=b'{"error": "unauthorized"}', only=TOKEN_PATH),
        "token path",
        "certain",
        "token path",
    ),
    "a place that is no URL": (
        answering("302 Found", [("Location", "http://[x/")], only="/reports"),
        "redirects",
        "certain",
        "redirected",
    ),
    "no chunks": (unchunked, "chunked", "certain", "chunked"),
    "a file": (answering("200 OK", only="/reports"), "middleware", "likely", "open"),
    "another app": (lambda inner: echo, "middleware", "likely", "bypassed"),
}


@pytest.mark.parametrize(("change", "check", "verdict", "fault"), ON_THE_WAY.values(), ids=ON_THE_WAY)
def test_a_fault_on_the_way_is_found(ill, diagnosed, change, check, verdict, fault):
    ill.change(change)

    found, exit_code = diagnosed()

    assert (found[check]["verdict"], found[check]["fault"]) == (verdict, FAULTS[fault].says)
    assert exit_code == (2 if any(each["verdict"] == "certain" for each in found.values()) else 0)


def test_no_redirect_is_followed(ill, diagnosed):
    seen = []

    def watching(inner):
        redirect = answering("302 Found", [("Location", "/elsewhere")], only="/reports")(inner)

        def app(environ, start):
            seen.append(environ["PATH_INFO"])
            return redirect(environ, start)

        return app

    ill.change(watching)
    diagnosed()

    assert "/reports" in seen and "/elsewhere" not in seen


def test_a_request_that_is_not_answered_hides_no_other_finding(ill, diagnosed):
    def breaking(inner):
        def app(environ, start):
            if environ["PATH_INFO"] != "/.well-known/oauth-authorization-server":
                return inner(environ, start)
            start("200 OK", [("Content-Length", "99")])
            return [b"short"]

        return app

    ill.change(breaking)

    found, exit_code = diagnosed()

    assert (found["issuer"]["verdict"], found["Authorization"]["verdict"], exit_code) == ("cannot be told", "fine", 0)
    assert "cannot be reached" in found["issuer"]["evidence"]


# What the middleware itself says


def test_a_path_that_needs_no_token_cannot_be_judged(ill, diagnosed):
    ill.protect(public_paths=["/"])

    found, exit_code = diagnosed(path="")

    assert (found["middleware"]["verdict"], found["Authorization"]["verdict"]) == ("cannot be told",) * 2
    assert exit_code == 0


def test_metadata_of_another_mount_is_a_lie(ill, diagnosed):
    ill.protect(issuer=ill.url, public_url=f"{ill.url}/api")

    found, _ = diagnosed()

    assert (found["metadata"]["verdict"], found["metadata"]["fault"]) == ("certain", FAULTS["metadata"].says)
    assert f"token_endpoint {ill.url}/api/oauth/token: 401" in found["metadata"]["evidence"]


def test_metadata_that_is_hidden_is_a_lie(ill, diagnosed):
    ill.protect(issuer=ill.url)
    ill.change(answering("404 Not Found", only="/.well-known"))

    found, _ = diagnosed()

    assert (found["issuer"]["verdict"], found["metadata"]["verdict"]) == ("cannot be told", "certain")


def test_metadata_of_an_issuer_with_a_path_is_no_lie(ill, diagnosed):
    ill.protect(issuer=f"{ill.url}/v1")

    found, _ = diagnosed()

    assert (found["issuer"]["verdict"], found["metadata"]["verdict"]) == ("cannot be told", "fine")


def test_metadata_that_is_true_is_fine(ill, diagnosed):
    ill.protect(issuer=ill.url)

    found, exit_code = diagnosed()

    assert (found["issuer"]["verdict"], found["metadata"]["verdict"], exit_code) == ("fine", "fine", 0)


def test_a_store_that_does_not_answer_is_found(ill, diagnosed):
    ill.change(lambda inner: lambda environ, start: inner({**environ, "wsgi.multiprocess": True}, start))

    found, _ = diagnosed()

    assert (found["store"]["verdict"], found["store"]["fault"]) == ("likely", FAULTS["store"].says)


# Another host, that a proxy of the environment stands for

PUBLIC = "http://api.example.com"


@pytest.fixture
def distant(ill, monkeypatch):
    """The same deployment at a URL of another host."""
    for name in ("http_proxy", "no_proxy", "HTTP_PROXY", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    with serving() as (url, set_app):
        set_app(ill.forwarded)
        monkeypatch.setenv("http_proxy", url)
        yield ill


def test_plain_http_is_found(distant, diagnosed):
    found, exit_code = diagnosed(url=PUBLIC)

    assert (found["https"]["verdict"], found["https"]["fault"]) == ("certain", FAULTS["plain http"].says)
    assert found["Authorization"]["verdict"] == "fine" and exit_code == 2


def test_a_wrong_issuer_is_found(distant, diagnosed):
    distant.protect(issuer="https://old.example.com")

    found, _ = diagnosed(url=PUBLIC)

    assert (found["issuer"]["verdict"], found["issuer"]["fault"]) == ("certain", FAULTS["host"].says)
    assert found["metadata"]["verdict"] == "certain"


@pytest.mark.parametrize("place", ["http://127.0.0.1:8080/reports/", "http://api.example.com:8080/reports/"])
def test_a_rewritten_host_shows_in_a_redirect(distant, diagnosed, place):
    distant.change(answering("302 Found", [("Location", place)], only="/reports"))

    found, _ = diagnosed(url=PUBLIC)

    assert (found["host"]["verdict"], found["host"]["fault"]) == ("likely", FAULTS["host"].says)


@pytest.mark.parametrize("url", [PUBLIC, "http://127.api.example.com", "http://localhost.example.com"])
def test_no_credential_is_sent_over_plain_http(distant, diagnosed, monkeypatch, url):
    monkeypatch.setenv(DOCTOR_SECRET, SECRET)

    found, _ = diagnosed("--client", "tester", url=url)

    assert found["client"]["evidence"] == "not sent over plain http"
    assert distant.credentials == set()


# The page of findings


def test_a_fault_is_shown_with_its_cure_for_each_server(ill, cli):
    ill.change(ON_THE_WAY["Authorization is dropped"][0])

    lines = cli("doctor", ill.url, "--path", "/reports", store=None).stdout.splitlines()

    assert lines[lines.index("Error: " + FAULTS["authorization"].says) + 3] == (
        "mod_wsgi  WSGIPassAuthorization On; remove AuthType Basic"
    )
    assert [line.split()[0] for line in lines[-5:]] == ["gunicorn", "uWSGI", "mod_wsgi", "nginx", "Apache"]


def test_a_deployment_that_does_not_answer_has_the_exit_code_of_an_outage(cli):
    answer = cli("doctor", "http://127.0.0.1:9", store=None)

    assert (answer.exit_code, answer.stderr[:40]) == (4, "Error: http://127.0.0.1:9/ cannot be rea")


@pytest.mark.parametrize("words", [["--path", "reports"], ["--path", "/a?b"], ["--token-path", "x"]])
def test_a_path_that_is_none_is_wrong_usage(cli, words):
    assert cli("doctor", "http://127.0.0.1:9", *words, store=None).exit_code == 2


@pytest.mark.parametrize("name", FAULTS)
def test_the_page_has_each_fault_with_its_cures(name):
    says, cure = FAULTS[name]
    page = read("examples/doctor/README.md")

    assert f"\n| {says} | " in page
    assert [f"\n- {server}: {text}\n" in page for server, text in zip(NAMES, cure, strict=True)] == [True] * 5
