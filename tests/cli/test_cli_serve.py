from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from helpers.support import basic, bearer, created

APP = """
import threading

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ.get('oauth_mw.client_id')} {environ['wsgi.multithread']}".encode()]

both = threading.Barrier(2, timeout=10)

def meeting(environ, start_response):
    both.wait()
    return app(environ, start_response)

def broken(environ, start_response):
    1 / 0
"""

INI = """
[filter:oauth]
use = egg:oauth_mw
store = sqlite:///from-ini.db
public_paths = /health
realm = shop
"""


@dataclass
class Served:
    """A running ``serve``: where it listens, and the process."""

    url: str
    process: subprocess.Popen[str]
    errors: Path

    def get(self, path: str, headers: dict[str, str] | None = None, data: bytes | None = None) -> tuple[int, str, Any]:
        try:
            with urlopen(Request(self.url + path, data, headers or {}), timeout=10) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode(), refusal.headers


def fill(folder: Path) -> Path:
    """Put a module that has apps, and an ini, into a folder."""
    (folder / "shop.py").write_text(APP)
    (folder / "app.ini").write_text(INI)
    return folder


@contextmanager
def starting(shop: Path) -> Iterator[Callable[..., Served]]:
    """Start ``serve`` with these words in that folder; it is stopped at the end."""
    started: list[subprocess.Popen[str]] = []
    # A shell starts its background jobs deaf to Ctrl-C, and they their children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(*words: str) -> Served:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "oauth_mw", "serve", *words, "--port", str(port)]
        errors = shop / "errors"
        with errors.open("w") as written:
            process = subprocess.Popen(command, cwd=shop, stdout=subprocess.PIPE, stderr=written, text=True)
        started.append(process)
        wait_for("serving ", process, errors)
        return Served(f"http://127.0.0.1:{port}", process, errors)

    yield start
    signal.signal(signal.SIGINT, before)
    for process in started:
        with process:
            process.kill()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return fill(tmp_path)


@pytest.fixture
def serve(shop: Path) -> Iterator[Callable[..., Served]]:
    with starting(shop) as start:
        yield start


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One that runs for all tests that look at its answers and its log."""
    with starting(fill(tmp_path_factory.mktemp("served"))) as start:
        yield start("shop:app", "--store", "memory://")


def wait_for(text: str, process: subprocess.Popen[str], errors: Path) -> str:
    """What was written, once ``text`` is part of it."""
    deadline = time.monotonic() + 20
    while text not in errors.read_text():
        if time.monotonic() > deadline or process.poll() is not None:
            raise AssertionError(errors.read_text())
        time.sleep(0.02)
    return errors.read_text()


def add_client(shop: Path, store: str = "oauth.db") -> dict[str, str]:
    command = [sys.executable, "-m", "oauth_mw", "--store", f"sqlite:///{store}", "client", "add", "x", "--json"]
    answer = subprocess.run([*command, "--scope", "read"], cwd=shop, capture_output=True, check=True)
    made = json.loads(answer.stdout)
    return basic(made["client_id"], made["client_secret"])


def issue(served: Served, credentials: dict[str, str]) -> dict[str, str]:
    _, text, _ = served.get("/oauth/token", credentials, b"grant_type=client_credentials")
    return bearer(json.loads(text)["access_token"])


def test_serve_says_where_it_listens_and_guards_an_app_with_a_client_added_meanwhile(serve, shop):
    served = serve("shop:app", "--store", "sqlite:///oauth.db")
    made, said = created(f"sqlite:///{shop}/oauth.db"), served.errors.read_text()
    status, text, _ = served.get("/any", issue(served, add_client(shop)))

    assert said.startswith(f"{made}serving shop:app on {served.url}")
    assert (status, text.endswith(" True")) == (200, True)
    assert served.get("/any")[0] == 401


@pytest.mark.slow
def test_flags_are_the_options_of_the_middleware(serve, shop):
    rules = ["GET /a read", "* /a write", "GET /b any of write admin"]
    words = [word for rule in rules for word in ("--required-scopes", rule)]
    served = serve(
        "shop:app", "--store", "sqlite:///oauth.db", "--public-paths", "/x /y", "--public-paths", "/z", *words
    )
    token = issue(served, add_client(shop))

    found = {path: served.get(path, token)[0] for path in ("/x", "/y", "/z", "/a", "/b")}

    assert found == {"/x": 200, "/y": 200, "/z": 200, "/a": 200, "/b": 403}
    assert served.get("/a", token, b"")[0] == 403


@pytest.mark.slow
def test_options_come_from_an_ini_and_flags_go_before_it(serve, shop):
    served = serve("shop:app", "--config", "app.ini", "--realm", "flag")

    status, _, headers = served.get("/any")

    assert (status, headers["WWW-Authenticate"]) == (401, 'Bearer realm="flag"')
    assert served.get("/health")[0] == 200
    assert (shop / "from-ini.db").exists()


@pytest.mark.slow
def test_requests_run_in_threads(serve):
    served = serve("shop:meeting", "--store", "memory://", "--public-paths", "/*")
    first = subprocess.Popen([sys.executable, "-c", f"import urllib.request as r; r.urlopen('{served.url}')"])

    status = served.get("/")[0]

    assert (status, first.wait(timeout=10)) == (200, 0)


def test_a_refusal_arrives_although_the_body_is_left_unread(served):
    assert served.get("/any", data=bytes(2_000_000))[0] == 401


def test_the_log_leaves_queries_out_and_says_why_requests_are_refused(served):
    served.get("/any?access_token=hidden")

    logged = wait_for('"GET /any" 401', served.process, served.errors)
    assert "missing_token" in logged
    assert "hidden" not in logged


# Each with the end of its section: waitress answers no sooner.
MALFORMED = [
    b"nothing\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /hidden HTTP/1.1 hidden\r\n\r\n",
    b"GET /hidden HTTP/hidden\r\n\r\n",
    b"get /hidden http/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03hidden\r\n\r\n",
    b"hidden" * 12_000 + b"\r\n\r\n",
]


def test_a_malformed_request_line_is_refused_and_no_part_of_it_is_logged(served):
    place = urlsplit(served.url)

    for line in MALFORMED:
        with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
            connection.sendall(line)
            assert connection.recv(65536).split()[1] in (b"400", b"401", b"431")

    served.get("/last")
    logged = wait_for('"GET /last" 401', served.process, served.errors)
    assert "Traceback" not in logged and "hidden" not in logged


def test_a_path_is_logged_in_one_line_as_it_was_sent(served):
    served.get("/a%0Ab%1B%C3%A9?c=hidden")

    wait_for('"GET /a%0Ab%1B%C3%A9" 401', served.process, served.errors)
    assert "hidden" not in served.errors.read_text()


def test_an_exception_of_the_app_is_a_500_with_a_traceback_and_without_the_query(serve):
    served = serve("shop:broken", "--store", "memory://", "--public-paths", "/*")

    status = served.get("/x?token=hidden")[0]

    logged = wait_for("ZeroDivisionError", served.process, served.errors)
    assert (status, "hidden" in logged) == (500, False)


@pytest.mark.slow
def test_it_listens_on_ipv6_and_takes_a_free_port(shop):
    command = [sys.executable, "-m", "oauth_mw", "serve", "shop:app", "--store", "memory://"]
    with subprocess.Popen([*command, "--host", "::1", "--port", "0"], cwd=shop, stderr=subprocess.PIPE) as process:
        try:
            url = process.stderr.readline().decode().split()[3].rstrip(",")
            with pytest.raises(HTTPError, match="401"):
                urlopen(f"{url}/any", timeout=10)
        finally:
            process.kill()

    assert url.startswith("http://[::1]:") and not url.endswith(":0")


@pytest.mark.skipif(os.name != "posix", reason="needs a reset")
def test_a_client_that_hangs_up_leaves_no_traceback(served):
    place = urlsplit(served.url)

    for line in (b"nothing\r\n\r\n", b"GET /", b""):
        with socket.create_connection((place.hostname, place.port)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close by a reset
            connection.sendall(line)

    served.get("/hung-up")
    assert "Traceback" not in wait_for('"GET /hung-up" 401', served.process, served.errors)


@pytest.mark.slow
def test_scripts_are_told_the_url(serve):
    served = serve("shop:app", "--store", "memory://", "--json")
    served.process.terminate()

    told = json.load(served.process.stdout)
    assert told == {"app": "shop:app", "url": served.url, "store": "memory://"}


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_an_interrupt_stops_it_without_a_traceback(serve):
    served = serve("shop:app", "--store", "memory://")

    served.process.send_signal(signal.SIGINT)

    assert served.process.wait(timeout=10) == 0
    assert "Traceback" not in served.errors.read_text()
