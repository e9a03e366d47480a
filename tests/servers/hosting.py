"""Real servers in processes of their own: how each is started, and how it is ended."""

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
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from oauth_mw import admin, open_store

HERE = Path(__file__).parent
START_SECONDS = 30
STOP_SECONDS = 10

# Characters that a form or a URL would encode stand in none of these.
SECRETS = {"alpha": "Zr8kQ2vX9mB4tR8wZ1nC", "beta": "Hw5pL7cD3xN6jF2yV9gS"}
OPTIONS: dict[str, object] = {
    "public_paths": ["/health", "/public", "/public/*"],
    "required_scopes": [["*", "/admin/*", "admin"]],
}


def gunicorn(*arguments: str) -> Callable[[int], list[str]]:
    base = [sys.executable, "-m", "gunicorn", "--no-control-socket"]
    return lambda port: [*base, f"--bind=127.0.0.1:{port}", *arguments, "guarded_app:app"]


def waitress(port: int) -> list[str]:
    return [sys.executable, "-m", "waitress", f"--listen=127.0.0.1:{port}", "--threads=8", "guarded_app:app"]


def wsgiref(port: int) -> list[str]:
    return [sys.executable, str(HERE / "guarded_app.py")]


def uwsgi(*arguments: str) -> Callable[[int], list[str]]:
    """The app is loaded in the master and forked; answers keep the connection open."""
    base = [os.path.join(sysconfig.get_path("scripts"), "pyuwsgi"), "--master", "--die-on-term", "--need-app"]
    options = ["--module=guarded_app:app", "--socket-timeout=5"]
    return lambda port: [*base, *options, f"--http11-socket=127.0.0.1:{port}", *arguments]


def hypercorn(port: int) -> list[str]:
    return [sys.executable, "-m", "hypercorn", f"--bind=127.0.0.1:{port}", "guarded_app:app"]


@dataclass(frozen=True)
class Kind:
    """A server and the way it is run.

    :param processes: how many answer requests.
    :param keeps_alive: it leaves the connection open after an answer.
    :param ends_input: it decodes chunked bodies, and says so with ``wsgi.input_terminated``.
    :param module: what must be installed.
    """

    command: Callable[[int], list[str]]
    processes: int = 1
    keeps_alive: bool = True
    ends_input: bool = True
    module: str = "gunicorn"


KINDS = {
    "gunicorn": Kind(gunicorn("-w4"), processes=4, keeps_alive=False),
    "gunicorn-preload": Kind(gunicorn("-w4", "--preload"), processes=4, keeps_alive=False),
    "gunicorn-gthread": Kind(gunicorn("-kgthread", "--threads=8")),
    "gunicorn-gevent": Kind(gunicorn("-kgevent")),
    "waitress": Kind(waitress, module="waitress"),
    "uwsgi": Kind(uwsgi("--processes=2"), processes=2, ends_input=False, module="pyuwsgi"),
    "uwsgi-threads": Kind(
        uwsgi("--processes=2", "--enable-threads", "--threads=4"), processes=2, ends_input=False, module="pyuwsgi"
    ),
    "hypercorn": Kind(hypercorn, ends_input=False, module="hypercorn"),
    "wsgiref": Kind(wsgiref, keeps_alive=False, ends_input=False, module="wsgiref"),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A running server. What must never stand in its output is collected in ``confidential``."""

    name: str
    folder: Path
    port: int
    store_url: str
    process: subprocess.Popen[bytes]
    confidential: set[str] = field(default_factory=lambda: set(SECRETS.values()))

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def output(self) -> str:
        return (self.folder / "output").read_text(errors="replace")

    def is_ready(self, timeout: float = 2.0) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def stop(self) -> bool:
        """End the whole process group, paused workers included; false when it had to be killed."""
        for number in (signal.SIGTERM, signal.SIGCONT):
            _signal(self.process.pid, number)
        try:
            self.process.wait(STOP_SECONDS)
            return True
        except subprocess.TimeoutExpired:
            return False
        finally:
            _signal(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def check_output(self) -> None:
        """Nothing went wrong behind the answers, and nothing confidential was written (L-01, L-02)."""
        output = self.output()
        assert "Traceback (most recent call last)" not in output, f"{self.name} wrote a traceback"
        leaked = sum(text in output for text in self.confidential)
        assert leaked == 0, f"{self.name} wrote {leaked} tokens or secrets"


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass


def needs(kind: Kind) -> None:
    if importlib.util.find_spec(kind.module) is None:
        pytest.skip(f"{kind.module} is not installed: it has no wheel for this Python or platform")


def store_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'oauth.db'}"


def prepare_store(url: str) -> None:
    """A store with the clients ``alpha`` and ``beta``."""
    store = open_store(url, create=True)
    for client_id, secret in SECRETS.items():
        if store.find_client(client_id) is None:
            admin.add_client(store, client_id, scope="read write", client_id=client_id, secret=secret)
    store.close()


@contextmanager
def running(name: str, folder: Path, *, port: int = 0, **options: object) -> Iterator[Server]:
    """A server of the kind ``name`` with its output in ``folder``, which is judged at the end.

    Its store lies there too, unless ``options`` name another.

    :param port: where options name it; 0 is any.
    """
    needs(KINDS[name])
    url = str(options.get("store", store_in(folder)))
    prepare_store(url)
    server = _start(name, folder, port or free_port(), {**OPTIONS, **options, "store": url})
    try:
        yield server
    finally:
        ended = server.stop()
    server.check_output()
    assert ended, f"{name} did not end"


def _start(name: str, folder: Path, port: int, settings: dict[str, object]) -> Server:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "PYTHONUNBUFFERED": "1",
        "GUARDED_APP_PORT": str(port),
        "GUARDED_APP_OPTIONS": json.dumps(settings),
    }
    with open(folder / "output", "ab") as output:
        process = subprocess.Popen(
            KINDS[name].command(port),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Server(name, folder, port, str(settings["store"]), process)
    deadline = time.monotonic() + START_SECONDS
    while not server.is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            server.stop()
            pytest.fail(f"{name} did not start:\n{server.output()}")
        time.sleep(0.05)
    return server
