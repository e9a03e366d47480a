"""Real servers in processes of their own: how each is started, and how it is ended."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from helpers.engines_base import free_port, wait_until
from oauth_mw import admin, open_store

HERE = Path(__file__).parent
START_SECONDS = 60
STOP_SECONDS = 30

# Characters that a form or a URL would encode stand in none of these.
SECRETS = {"alpha": "Zr8kQ2vX9mB4tR8wZ1nC", "beta": "Hw5pL7cD3xN6jF2yV9gS"}
# Ids and secrets that hold what forms, URLs and shells take for something else, by what is odd about them. An id that
# clients may send raw cannot hold a colon (RFC 7617 §2).
ODD_CLIENTS = {
    "percent": ("a%41", "kq%2Fvx%41mz%zrt%25w9"),
    "plus": ("a+b", "kq+vxmz++rtw+97+hyn+"),
    "space": ("a b", "kq vx mz rtw  97 hyn"),
    "colon": ("a-b", "kq:vx::mzrtw:97:hyn:"),
    "ampersand": ("a&b=c", "kq&vx=mz&&rtw=97&hyn"),
    "slash": ("a/b", "kq/vx//mz/rtw/97/hyn"),
    "all": ("%+ &/=?#", "%+ :&/=?#;,@!$'\"\\<>%20~"),
}
CLIENTS = {**SECRETS, **dict(ODD_CLIENTS.values())}
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


def cheroot(port: int) -> list[str]:
    return [sys.executable, "-m", "cheroot", f"--bind=127.0.0.1:{port}", "guarded_app:app"]


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
    "gunicorn": Kind(gunicorn("-w2"), processes=2, keeps_alive=False),
    "gunicorn-preload": Kind(gunicorn("-w2", "--preload"), processes=2, keeps_alive=False),
    "gunicorn-metrics": Kind(
        gunicorn("-w2", f"--config={HERE.parents[1]}/examples/servers/gunicorn.conf.py"), processes=2, keeps_alive=False
    ),
    "gunicorn-gthread": Kind(gunicorn("-kgthread", "--threads=8")),
    "gunicorn-gevent": Kind(gunicorn("-kgevent")),
    "waitress": Kind(waitress, module="waitress"),
    "uwsgi": Kind(uwsgi("--processes=2"), processes=2, ends_input=False, module="pyuwsgi"),
    "uwsgi-threads": Kind(
        uwsgi("--processes=2", "--enable-threads", "--threads=4"), processes=2, ends_input=False, module="pyuwsgi"
    ),
    "hypercorn": Kind(hypercorn, ends_input=False, module="hypercorn"),
    "cheroot": Kind(cheroot, module="cheroot"),
    "wsgiref": Kind(wsgiref, keeps_alive=False, ends_input=False, module="wsgiref"),
}


PARSERS = ["gunicorn-preload", "waitress", "uwsgi", pytest.param("wsgiref", marks=pytest.mark.long)]
each_parser = pytest.mark.parametrize("server", PARSERS, indirect=True, scope="session")
forking = pytest.mark.parametrize("server", ["gunicorn-preload", "uwsgi"], indirect=True, scope="session")
by_waitress = pytest.mark.parametrize("server", ["waitress"], indirect=True, scope="session")


@dataclass
class Server:
    """A running server. What must never stand in its output is collected in ``confidential``."""

    name: str
    folder: Path
    port: int
    store_url: str
    process: subprocess.Popen[bytes]
    confidential: set[str] = field(default_factory=lambda: set(CLIENTS.values()))

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> set[int]:
        """The processes that the first one started, and those that these did."""
        return family(self.process.pid) - {self.process.pid}

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
            self._signal(number)
        try:
            self.process.wait(STOP_SECONDS)
            return True
        except subprocess.TimeoutExpired:
            return False
        finally:
            self._signal(signal.SIGKILL)
            self.process.wait()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def check_output(self) -> None:
        """Nothing went wrong behind the answers, and nothing confidential was written (L-01, L-02)."""
        output = self.output()
        assert "Traceback (most recent call last)" not in output, f"{self.name} wrote a traceback"
        leaked = sum(text in output for text in self.confidential)
        assert leaked == 0, f"{self.name} wrote {leaked} tokens or secrets"


def prepare_store(url: str) -> None:
    """A store with the clients of these tests."""
    with closing(open_store(url, create=True)) as store:
        for client_id, secret in CLIENTS.items():
            if store.find_client(client_id) is None:
                admin.add_client(store, client_id, scope="read write", client_id=client_id, secret=secret)


@contextmanager
def running(name: str, folder: Path, *, port: int = 0, **options: object) -> Iterator[Server]:
    """A server of the kind ``name`` with its output in ``folder``, which is checked at the end.

    Its store lies there too, unless ``options`` name another.

    :param port: where options name it; 0 is any.
    """
    if importlib.util.find_spec(KINDS[name].module) is None:
        pytest.skip(f"{KINDS[name].module} is not installed: it has no wheel for this Python or platform")
    url = str(options.get("store", f"sqlite:///{folder}/oauth.db"))
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
    with suppress(TimeoutError):
        wait_until(lambda: process.poll() is not None or server.is_ready(), name, START_SECONDS)
    if not server.is_ready():
        server.stop()
        pytest.fail(f"{name} did not start:\n{server.output()}")
    return server


# What the kernel says of processes

ESTABLISHED = "01"


def holders(port: int, processes: set[int]) -> dict[str, set[int]]:
    """By connection to this ``port``: those of ``processes`` that have it open."""
    rows = []
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}", encoding="ascii") as table:
            rows += [line.split() for line in table][1:]
    remote = f":{port:04X}"
    found: dict[str, set[int]] = {row[9]: set() for row in rows if row[2].endswith(remote) and row[3] == ESTABLISHED}
    for process in processes:
        for name in open_files(process):
            if name.startswith("socket:[") and name[8:-1] in found:
                found[name[8:-1]].add(process)
    return {inode: held_by for inode, held_by in found.items() if held_by}


def open_files(process: int) -> list[str]:
    folder, names = f"/proc/{process}/fd", []
    for each in os.listdir(folder):
        with suppress(OSError):
            names.append(os.readlink(f"{folder}/{each}"))
    return names


def family(process: int) -> set[int]:
    """A process and all that it started."""
    with open(f"/proc/{process}/task/{process}/children", encoding="ascii") as file:
        return {process}.union(*(family(int(child)) for child in file.read().split()))
