from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from helpers.support import SECRET, basic, bearer, created
from oauth_mw import admin, open_store
from oauth_mw.cli import main
from oauth_mw.config import OPTIONS

APP = """
import threading

both = threading.Barrier(2, timeout=10)

def app(environ, start_response):
    if environ["PATH_INFO"] == "/broken":
        1 / 0
    if environ["PATH_INFO"] == "/meeting":
        both.wait()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(environ.get("oauth_mw.client_id")).encode()]
"""

INI = """
[filter:oauth]
use = egg:oauth_mw
store = sqlite:///from-ini.db
token_path = /from-ini
realm = shop
"""
RULES = ["GET /a read", "* /a write", "GET /b any of write admin"]
FLAGS = [word for rule in RULES for word in ("--required-scopes", rule)]
FLAGS += ["--realm", "flag", "--public-paths", "/x /broken", "--public-paths", "/meeting"]


@dataclass
class Served:
    """A running ``serve``: what it printed for scripts, and the process."""

    announced: dict[str, str]
    process: subprocess.Popen[str]
    errors: Path

    def get(self, path: str, headers: dict[str, str] | None = None, data: bytes | None = None) -> tuple[int, str, Any]:
        try:
            with urlopen(Request(self.announced["url"] + path, data, headers or {}), timeout=10) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode(), refusal.headers

    def logged(self, text: str) -> str:
        """What was logged, once ``text`` is part of it."""
        deadline = time.monotonic() + 20
        while text not in self.errors.read_text():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(self.errors.read_text())
            time.sleep(0.02)
        return self.errors.read_text()

    def connect(self) -> socket.socket:
        place = urlsplit(self.announced["url"])
        return socket.create_connection((place.hostname, place.port), timeout=10)


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[Served]:
    """Start ``serve`` with these words in a folder that has an app and an ini."""
    (folder / "shop.py").write_text(APP)
    (folder / "app.ini").write_text(INI)
    command = [sys.executable, "-m", "oauth_mw", "serve", "shop:app", "--port", "0", "--json", *words]
    # A shell starts its background jobs deaf to Ctrl-C, and they their children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True)
    signal.signal(signal.SIGINT, before)
    with process:
        try:
            lines = iter(process.stdout.readline, "}\n")
            yield Served(json.loads("".join(lines) + "}"), process, folder / "errors")
        finally:
            process.kill()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    """One that runs for all tests that look at its answers and its log."""
    with serving(folder, "--config", "app.ini", *FLAGS) as served:
        yield served


@pytest.fixture(scope="module")
def token(served: Served, folder: Path) -> dict[str, str]:
    """The header with a token of a client that was registered meanwhile."""
    store = open_store(f"sqlite:///{folder}/from-ini.db")
    admin.add_client(store, "reader", client_id="reader", secret=SECRET, scope="read")
    store.close()
    _, text, _ = served.get("/from-ini", basic("reader", SECRET), b"grant_type=client_credentials")
    return bearer(json.loads(text)["access_token"])


def test_it_says_what_it_serves_where_and_for_development_only(served, folder):
    store = f"sqlite:///{folder}/from-ini.db"
    url = served.announced["url"]

    assert served.announced == {"app": "shop:app", "url": url, "store": store}
    assert url.startswith("http://127.0.0.1:") and not url.endswith(":0")
    assert served.logged("stops").startswith(f"{created(store)}serving shop:app on {url}, for development only")


def test_a_token_opens_the_app_and_none_is_refused(served, token):
    assert served.get("/any", token)[:2] == (200, "reader")
    assert served.get("/any")[0] == 401


def test_flags_are_the_options_of_the_middleware(served, token):
    found = {path: served.get(path, token)[0] for path in ("/x", "/a", "/b")}

    assert found == {"/x": 200, "/a": 200, "/b": 403}
    assert served.get("/a", token, b"")[0] == 403


def test_flags_override_the_ini(served):
    assert served.get("/any")[2]["WWW-Authenticate"] == 'Bearer realm="flag"'


def test_requests_run_in_threads(served):
    statuses = []
    first = threading.Thread(target=lambda: statuses.append(served.get("/meeting")[0]))
    first.start()
    statuses.append(served.get("/meeting")[0])
    first.join()

    assert statuses == [200, 200]


def test_a_refusal_arrives_although_the_body_is_left_unread(served):
    assert served.get("/any", data=bytes(2_000_000))[0] == 401


def test_the_log_leaves_queries_out_and_says_why_requests_are_refused(served):
    served.get("/a%0Ab%1B%C3%A9?c=hidden")
    served.get("/query?access_token=hidden")

    logged = served.logged('"GET /query" 401')
    assert '"GET /a%0Ab%1B%C3%A9" 400' in logged and "refused GET /query 401 missing_token: no Auth" in logged
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
    for line in MALFORMED:
        with served.connect() as connection:
            connection.sendall(line)
            assert connection.recv(65536).split()[1] in (b"400", b"401", b"431")

    served.get("/last")
    logged = served.logged('"GET /last" 401')
    assert "Traceback" not in logged and "hidden" not in logged


@pytest.mark.skipif(os.name != "posix", reason="needs a reset")
def test_a_client_that_hangs_up_leaves_no_traceback(served):
    for line in (b"nothing\r\n\r\n", b"GET /", b""):
        with served.connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close by a reset
            connection.sendall(line)

    served.get("/hung-up")
    assert "Traceback" not in served.logged('"GET /hung-up" 401')


def test_an_exception_of_the_app_is_a_500_with_a_traceback_and_without_the_query(served):
    """The last of those that look at the log: from here on it has a traceback."""
    status = served.get("/broken?token=hidden")[0]

    assert (status, "hidden" in served.logged("ZeroDivisionError")) == (500, False)


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_it_listens_on_ipv6_and_an_interrupt_stops_it_without_a_traceback(tmp_path):
    with serving(tmp_path, "--store", "memory://", "--host", "::1") as served:
        status = served.get("/any")[0]

        served.process.send_signal(signal.SIGINT)

        assert (status, served.process.wait(timeout=10)) == (401, 0)
        assert served.announced["url"].startswith("http://[::1]:")
        assert "Traceback" not in served.errors.read_text()


# What cannot be served


FAULTY = """
from oauth_mw import OAuthMiddleware

number = 5

def app(environ, start_response): ...

async def asgi(scope, receive, send): ...

def wrapped():
    return OAuthMiddleware(app, store="memory://")
"""


@pytest.fixture
def serve(cli, tmp_path, monkeypatch):
    """Run a ``serve`` that ends by itself."""
    (tmp_path / "shop_faults.py").write_text(FAULTY)
    (tmp_path / "broken_faults.py").write_text("\n1 / 0\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    return lambda app, *words, **options: cli("serve", app, "--port", "0", *words, **options)


SHOP = "shop_faults:app"
TWICE = ["--required-scopes", "* /a a", "--required-scopes", "GET /a b"]
FAULTS = {
    "no app": (["shop_faults"], "Error: shop_faults: expected MODULE:APP"),
    "no module": ([":app"], "Error: :app: expected MODULE:APP"),
    "no such module": (["nowhere:app"], "No module named 'nowhere'"),
    "no such app": (["shop_faults:nothing"], "has no attribute 'nothing'"),
    "no function": (["shop_faults:number"], "it cannot be called"),
    "a factory": (["shop_faults:wrapped"], "if it is a factory, write 'shop_faults:wrapped()'"),
    "a factory that fails": (["shop_faults:number()"], "cannot be called: TypeError: "),
    "ASGI": (["shop_faults:asgi"], "Error: shop_faults:asgi: is an ASGI app "),
    "wrapped already": (["shop_faults:wrapped()"], "Error: token_path: an OAuthMiddleware with this one"),
    "broken": (["broken_faults:app"], "division by zero ({folder}/broken_faults.py, line 2)"),
    "a number": ([SHOP, "--cache-size", "many"], "Error: cache_size: "),
    "a path": ([SHOP, "--public-paths", "health"], "Error: public_paths: "),
    "rules": ([SHOP, *TWICE], "Error: required_scopes: "),
    "a store": ([SHOP, "--store", "mysql://h/db"], "Error: store: "),
}


@pytest.mark.parametrize(("words", "says"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_served_is_one_line_and_no_store_is_made(serve, tmp_path, words, says):
    answer = serve(*words)

    assert answer.exit_code == 2
    assert answer.stderr.count("\n") == 1 and says.format(folder=tmp_path) in answer.stderr
    assert not (tmp_path / "oauth.db").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [([], "${FOLDER}: the folder ${FOLDER} does not exist"), (["--store", "memory://x"], "memory:// takes nothing")],
)
def test_a_fault_names_the_variable_of_the_ini_that_it_is_of(serve, ini, monkeypatch, words, says):
    monkeypatch.setenv("FOLDER", "/nowhere/at-all")
    config = ini(store="sqlite:///${FOLDER}/oauth.db")

    answer = serve(SHOP, "--config", config, "--port", "0", *words, store=None)

    assert answer.stderr.startswith(f"Error: store: {says}")


def test_without_a_store_it_says_how_to_name_one(serve):
    answer = serve("shop_faults:app", store=None)

    assert (answer.exit_code, "OAUTH_MW_STORE" in answer.stderr) == (2, True)


def test_an_app_that_is_wrapped_already_needs_no_store_here(serve):
    answer = serve("shop_faults:wrapped()", store=None)

    assert (answer.exit_code, "contains an OAuthMiddleware already" in answer.stderr) == (2, True)


def test_a_port_in_use_is_refused_and_no_store_made(serve, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = serve("shop_faults:app", "--port", str(taken.getsockname()[1]))

    assert answer.exit_code == 1
    assert answer.stderr.startswith("Error: cannot listen on 127.0.0.1, port ")
    assert not (tmp_path / "oauth.db").exists()


def test_without_waitress_it_says_what_to_install_and_no_store_is_made(serve, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "waitress", None)

    answer = serve("shop_faults:app")

    assert (answer.exit_code, answer.stderr) == (2, "Error: serve: needs waitress: pip install 'oauth_mw[serve]'\n")
    assert not (tmp_path / "oauth.db").exists()


def test_each_option_is_a_flag():
    flags = {flag for parameter in main.commands["serve"].params for flag in parameter.opts}

    # A secret has no option: other users could read it in the process list.
    assert {name for name in OPTIONS if "--" + name.replace("_", "-") not in flags} == {"key_encryption_secret"}
