"""Servers on a Unix socket, behind a proxy: each client has an address of its own."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig

import pytest
from hosting import HERE, SECRETS, START_SECONDS, STOP_SECONDS, prepare_store
from wire import FORM, GRANT_BODY

from helpers.engines_base import wait_until
from helpers.support import basic

pytestmark = pytest.mark.slow

GUNICORN = ["gunicorn", "--no-control-socket", "--bind=unix:app.sock", "guarded_app:app"]
MODULE = [sys.executable, "-m"]
UWSGI = [os.path.join(sysconfig.get_path("scripts"), "pyuwsgi"), "--http-socket=app.sock", "--module=guarded_app:app"]
COMMANDS = {
    "gunicorn": [*MODULE, *GUNICORN],
    "gunicorn-gthread": [*MODULE, *GUNICORN, "-kgthread", "--threads=4"],
    "gunicorn-gevent": [*MODULE, *GUNICORN, "-kgevent"],
    "uwsgi": [*UWSGI, "--master", "--die-on-term"],
    # It removes the header otherwise.
    "waitress": [
        *MODULE,
        "waitress",
        "--unix-socket=app.sock",
        "--no-clear-untrusted-proxy-headers",
        "guarded_app:app",
    ],
}
WRONG, RIGHT = basic("alpha", "no" + SECRETS["alpha"]), basic("alpha", SECRETS["alpha"])
HERE_AND_THERE = "203.0.113.7", "198.51.100.9"


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.host)


@pytest.fixture(params=COMMANDS)
def ask(request, tmp_path, monkeypatch):
    """The status of a token request by way of the socket, with headers as a proxy sends them."""
    if request.param == "uwsgi" and importlib.util.find_spec("pyuwsgi") is None:
        pytest.skip("pyuwsgi is not installed: it has no wheel for this Python or platform")
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    prepare_store("sqlite:///oauth.db")
    # Of a minute's window, the end may come in the middle of a test.
    options = {"store": "sqlite:///oauth.db", "trusted_proxies": "unix 10.0.0.0/8", "throttle": "20/day 100/day"}
    environment = {**os.environ, "PYTHONPATH": f"{HERE}:{os.environ['PYTHONPATH']}"}
    server = subprocess.Popen(
        COMMANDS[request.param],
        env={**environment, "GUARDED_APP_OPTIONS": json.dumps(options)},
        start_new_session=True,
    )

    def ask(headers, *forwarded):
        connection = Connection("app.sock")
        headers = {"Host": "localhost", "Content-Type": FORM, **headers}
        try:
            connection.putrequest("POST", "/oauth/token", skip_host=True)
            for name, value in [*headers.items(), *(("X-Forwarded-For", each) for each in forwarded)]:
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(GRANT_BODY)))
            connection.endheaders(GRANT_BODY.encode())
            return connection.getresponse().status
        finally:
            connection.close()

    def answers():
        try:
            return bool(ask({}))
        except OSError:
            return False

    try:
        wait_until(answers, request.param, START_SECONDS)
        yield ask
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(STOP_SECONDS)


def test_wrong_credentials_are_counted_for_the_address_that_the_proxy_names(ask):
    here, there = HERE_AND_THERE

    assert [ask(WRONG, f"192.0.2.{at}, {here}") for at in range(21)] == [401] * 20 + [429]
    assert ask(WRONG, f"{here}, {there}, 10.0.0.2") == 401
    assert ask(WRONG, f"192.0.2.9, {here}", "10.0.0.2") == 429  # two lines
    assert ask(RIGHT, here) == 200
