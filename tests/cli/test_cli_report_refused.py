"""What cannot be scraped is said in a sentence, and shows no token or secret."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from contextlib import suppress
from wsgiref.simple_server import WSGIServer, make_server

import pytest

from helpers.certificates import self_signed
from helpers.serving import Quiet, serving
from helpers.support import SECRET
from oauth_mw.cli import fetching
from oauth_mw.environment import METRICS_SECRET, METRICS_TOKEN
from oauth_mw.errors import StoreUnavailable

# Words, variables, exit code, and what is said. {url} is that of the metrics, {host} of their host.
REFUSED = {
    "no token": ([], {}, 1, "{url} needs a token (401): give --client, --token-file, or OAUTH_METRICS_TOKEN"),
    "an invalid token": ([], {METRICS_TOKEN: "x" * 48}, 1, "{url} refuses the token (401)"),
    "a malformed token": ([], {METRICS_TOKEN: "a b"}, 1, "the token is empty, or has characters that no token has"),
    "a scope": (
        ["--client", "stranger"],
        {METRICS_SECRET: SECRET},
        1,
        "{url} refuses the token (403): its scope does not reach, or its client may not call this path from here",
    ),
    "a wrong secret": (
        ["--client", "monitor"],
        {METRICS_SECRET: "wrong" * 9},
        1,
        "{host}/oauth/token gives client 'monitor' no token: 401 invalid_client",
    ),
    "no secret": (
        ["--client", "monitor"],
        {},
        1,
        "the secret of the client is missing: set OAUTH_METRICS_CLIENT_SECRET, or type it on a terminal",
    ),
    "no token path": (
        ["--client", "monitor", "--token-url", "{host}/oauth/revoke"],
        {METRICS_SECRET: SECRET},
        1,
        "{host}/oauth/revoke gives client 'monitor' no token: 400 invalid_request",
    ),
    "a header": (["--header", "X Token"], {}, 2, "--header: expected the name of a header, such as X-Token"),
    "no certificates": (["--ca-file", "none.pem"], {}, 2, "--ca-file: 'none.pem' has no certificates that can be read"),
}


@pytest.mark.parametrize(("words", "variables", "exit_code", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_accepted_is_named(deployment, cli, monkeypatch, words, variables, exit_code, says):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    places = {"url": deployment.url, "host": deployment.url.removesuffix("/metrics")}

    answer = cli("report", deployment.url, *(word.format(**places) for word in words))

    assert (answer.exit_code, answer.stderr) == (exit_code, f"Error: {says.format(**places)}\n")
    assert not any(value in answer.output for value in variables.values())


URLS = {
    "https//api.example.com": "expected a URL, such as https://api.example.com/metrics",
    "localhost:8080": "expected a URL, such as https://api.example.com/metrics",
    "https://me:hidden@api.example.com/metrics": (
        "has a user or password, which other users can read in the process list: leave it out"
    ),
    "https://api.example.com/metrics?key=hidden": (
        "expected a URL without a query, such as https://api.example.com/metrics"
    ),
    "http://api.example.com/metrics": "sends the token over plain http to another host: use https, or --allow-http",
}


@pytest.mark.parametrize("command", ["report", "top"])
@pytest.mark.parametrize(("url", "says"), URLS.items(), ids=URLS)
def test_a_url_that_cannot_be_used_is_refused_and_not_shown(cli, command, url, says):
    answer = cli(command, url)

    assert (answer.exit_code, answer.stderr) == (2, f"Error: URL: {says}\n")


def test_the_url_for_tokens_is_held_to_the_same(deployment, cli, monkeypatch):
    monkeypatch.setenv(METRICS_SECRET, SECRET)

    answer = cli("report", deployment.url, "--client", "monitor", "--token-url", "http://auth.example.com/token")

    assert answer.stderr.startswith("Error: --token-url: sends the token over plain http")


def test_a_token_file_and_a_client_exclude_each_other(deployment, cli, tmp_path):
    (tmp_path / "token.txt").write_text("x")

    answer = cli("report", deployment.url, "--token-file", "token.txt", "--client", "monitor")

    assert (answer.exit_code, answer.stderr.splitlines()[-1]) == (
        2,
        "Error: --token-file and --client exclude each other.",
    )


# What else answers at a URL

METRICS = "# TYPE others_total counter\nothers_total 1.0\n"
NO_METRICS = "answers, but with no metrics of oauth_mw: is it the metrics_path?"
ANSWERS = {
    "a page": ("200 OK", "<html>hidden</html>", 1, NO_METRICS),
    "metrics of others": ("200 OK", METRICS, 1, NO_METRICS),
    "nothing": ("200 OK", "", 1, NO_METRICS),
    "more than metrics": ("200 OK", "# " + "x" * 1000, 1, "answers with more than 0 MB"),
    "a redirect": ("302 Found", "", 1, "redirects (302): give the URL that it leads to"),
    "not found": ("404 Not Found", "", 1, "is not there (404): is it the metrics_path?"),
    "too many": ("429 Too Many Requests", "", 1, "answers 429"),
    "an outage": (
        "503 Service Unavailable",
        "",
        4,
        "answers 503: its store does not answer, or a proxy before it has no worker",
    ),
    "a fault": ("500 Internal Server Error", "hidden", 4, "answers 500"),
}


@pytest.mark.parametrize(("status", "body", "exit_code", "says"), ANSWERS.values(), ids=ANSWERS)
def test_something_else_is_said(cli, monkeypatch, status, body, exit_code, says):
    def app(environ, start_response):
        start_response(status, [("Content-Type", "text/plain"), ("Location", "/hidden")])
        return [body.encode()]

    monkeypatch.setattr(fetching, "MOST_BYTES", 500)
    with serving() as (url, set_app):
        set_app(app)

        answer = cli("report", f"{url}/here")

    assert (answer.exit_code, answer.stderr) == (exit_code, f"Error: {url}/here {says}\n")


def test_an_outage_of_the_store_is_said(monitored, cli, monkeypatch):
    def fail(*given):
        raise StoreUnavailable("hidden")

    monkeypatch.setattr(monitored.store, "find_verifiers", fail)

    answer = cli("report", monitored.url)

    token_url = monitored.url.replace("/metrics", "/oauth/token")
    assert (answer.exit_code, answer.stderr) == (
        4,
        f"Error: {token_url} answers 503: its store does not answer, or a proxy before it has no worker\n",
    )


def test_a_port_that_is_closed_and_one_that_is_silent_are_said(cli, deployment):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/metrics"
        late = cli("report", url, "--timeout", "0.05")
    closed = cli("report", url)

    assert (late.exit_code, late.stderr) == (4, f"Error: {url} does not answer within 0.05 s\n")
    assert (closed.exit_code, closed.stderr) == (4, f"Error: {url} cannot be reached: Connection refused\n")


# Each byte is in time, and the answer has no end.
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
ENDLESS = {
    "status lines": (CONTINUE, CONTINUE),
    "a header": (b"HTTP/1.1 200 OK\r\nX-Header: ", b"1"),
    "the length of a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1"),
    "a body": (b"HTTP/1.1 200 OK\r\n\r\n# ", b"1"),
}


@pytest.mark.parametrize(("begins", "goes_on"), ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_an_end_is_not_waited_for(cli, deployment, begins, goes_on):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                connection.sendall(begins)
                while not over.wait(0.02):
                    connection.sendall(goes_on)

        over = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/metrics"
        late = cli("report", url, "--timeout", "0.2")
        over.set()
        thread.join()

    assert (late.exit_code, late.stderr) == (4, f"Error: {url} does not answer within 0.2 s\n")


def test_an_answer_that_is_cut_off_is_none(cli, deployment):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\noauth_mw_store_up 1\n"
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/metrics"
        refused = cli("report", url)
        thread.join()

    assert (refused.exit_code, refused.stderr) == (
        4,
        f"Error: {url} cannot be reached: it ended its answer too early\n",
    )


# TLS


@pytest.fixture
def encrypted(monitored, tmp_path):
    """The URL of the deployment over TLS, whose certificate lies in ``own.pem``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path / "own.pem", "localhost"))

    class Encrypting(WSGIServer):
        def get_request(self):
            connection, address = super().get_request()
            return context.wrap_socket(connection, server_side=True), address

        def handle_error(self, request, client_address):
            pass

    with make_server("127.0.0.1", 0, monitored, Encrypting, Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"https://localhost:{server.server_port}/metrics"
        server.shutdown()
        thread.join()


def test_a_certificate_is_accepted_only_from_an_authority_that_is_trusted(encrypted, monitored, cli):
    monitored.metrics.count()

    refused, accepted = cli("report", encrypted), cli("report", encrypted, "--ca-file", "own.pem")

    assert (refused.exit_code, "cannot be reached: its certificate is not accepted" in refused.stderr) == (4, True)
    assert (accepted.exit_code, accepted.stderr) == (0, "")


def test_what_must_be_installed_is_named(monitored, cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)

    answer = cli("top", monitored.url)

    assert (answer.exit_code, answer.stderr) == (2, "Error: top: needs rich: pip install 'oauth_mw[top]'\n")


def test_top_needs_a_terminal(monitored, cli):
    answer = cli("top", monitored.url)

    assert (answer.exit_code, answer.stderr) == (
        1,
        "Error: this is no terminal that can show a screen: use `oauth-mw report`\n",
    )
