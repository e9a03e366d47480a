"""``doctor`` with answers that are to harm it, or never come."""

from __future__ import annotations

import socket
import threading

import pytest

from helpers.sickness import answering
from helpers.support import SECRET
from oauth_mw.environment import DOCTOR_SECRET

HOSTILE = {
    "control characters": '{"issuer": "\\u001b[31m", "token_endpoint": "URL/\\u001b[31m", "jwks_uri": "\\u009b"}',
    "hidden characters": '{"issuer": "x\\u202e", "token_endpoint": "URL/\\u00e9\\u202e"}',
    "other types": '{"issuer": ["x"], "token_endpoint": {"a": 1}, "jwks_uri": null}',
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_document_only_hides_itself(ill, diagnosed, body):
    ill.change(answering("200 OK", body=body.replace("URL", ill.url).encode(), only="/.well-known"))

    found, exit_code = diagnosed()

    assert (found["Authorization"]["verdict"], found["token path"]["verdict"], exit_code) == ("fine", "fine", 0)
    assert all(each["evidence"].isprintable() for each in found.values())


def test_a_page_is_not_searched_to_its_end(ill, diagnosed):
    ill.change(answering("200 OK", body=b"<input " * 1_000_000, only="/reports"))

    assert diagnosed()[0]["middleware"]["verdict"] == "likely"


def test_a_token_path_that_does_not_answer_is_asked_once(ill, diagnosed, monkeypatch):
    asked = []

    def breaking(inner):
        def app(environ, start):
            if environ["PATH_INFO"] != "/oauth/token":
                return inner(environ, start)
            asked.append(environ.get("HTTP_AUTHORIZATION"))
            environ["wsgi.input"].read()
            start("200 OK", [("Content-Length", "99")])
            return [b"short"]

        return app

    ill.change(breaking)
    monkeypatch.setenv(DOCTOR_SECRET, SECRET)

    found, _ = diagnosed("--client", "tester")

    assert (found["token path"]["verdict"], found["redirects"]["verdict"]) == ("likely", "fine")
    assert found["client"]["evidence"].startswith("not sent: ") and asked == [None]


@pytest.fixture
def rude_proxy(monkeypatch):
    """A proxy of the environment that refuses in words for the terminal."""

    def refuse():
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 403 \x1b[31mno\r\n\r\n")

    monkeypatch.delenv("no_proxy", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.getsockname()[1]}")
        thread = threading.Thread(target=refuse)
        thread.start()
        yield
        thread.join()


def test_what_a_proxy_says_cannot_control_the_terminal(rude_proxy, cli):
    answer = cli("doctor", "https://api.example.com", store=None)

    assert (answer.exit_code, answer.stderr.split(": ")[-1]) == (4, "403 ?[31mno\n")


def test_what_an_answer_says_cannot_control_the_terminal(ill, cli):
    ill.change(answering("404 Not Found", [("Server", "a\x9b31m")]))

    assert "\x9b" not in cli("doctor", ill.url, store=None).stdout
