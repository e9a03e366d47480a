"""Run a deployment under load, with an outage of its store, and print what its metrics say, once a second.

    python examples/operations/run.py > examples/operations/run.json

It is gunicorn with two workers on an SQLite store. A client requests tokens, calls with them, revokes them, and calls
with revoked ones. The outage is the store's folder, which is moved away. plot.py draws what is printed.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

from prometheus_client.parser import text_string_to_metric_families

from oauth_mw import admin, open_store

SECONDS, OUTAGE = 60.0, (20.0, 40.0)
GRACE_SECONDS = 5
CALLERS, CALLS_PER_SECOND = 2, 20  # of each caller
LIVE_TOKENS = 20
GUNICORN = Path(__file__).parents[1] / "servers" / "gunicorn.conf.py"
APP = f"""
from oauth_mw import OAuthMiddleware

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]

app = OAuthMiddleware(
    app,
    store="sqlite:///data/oauth.db",
    outage_grace_seconds={GRACE_SECONDS},
    metrics_path="/metrics",
    public_paths=["/metrics"],
)
"""
# What is kept of a scrape: a name for a series.
KEPT = {
    "accepted": ("oauth_mw_checks_total", {"outcome": "accepted"}),
    "refused": ("oauth_mw_checks_total", {"outcome": "refused"}),
    "unavailable": ("oauth_mw_checks_total", {"outcome": "unavailable"}),
    "issued": ("oauth_mw_tokens_issued_total", {"format": "opaque"}),
    "revoked": ("oauth_mw_tokens_revoked_total", {}),
    "hits": ("oauth_mw_cache_hits_total", {}),
    "misses": ("oauth_mw_cache_misses_total", {}),
    "up": ("oauth_mw_store_up", {}),
    "behind": ("oauth_mw_revocation_log_behind_seconds", {}),
}


class Deployment:
    """A running gunicorn, and the requests of its clients."""

    def __init__(self, port: int, data: Path, credentials: str) -> None:
        self.port, self.data, self.credentials = port, data, credentials
        self.live: deque[str] = deque()
        self.revoked: deque[str] = deque(maxlen=5)

    def ask(self, path: str, authorization: str = "", form: dict[str, str] | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Authorization": authorization} if authorization else {}
        body = None
        if form is not None:
            body, headers["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
        try:
            connection.request("GET" if form is None else "POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def issue(self) -> None:
        status, body = self.ask("/oauth/token", self.credentials, {"grant_type": "client_credentials"})
        if status == 200:
            self.live.append(json.loads(body)["access_token"])

    def revoke(self) -> None:
        if len(self.live) > LIVE_TOKENS:
            token = self.live[0]
            if self.ask("/oauth/revoke", self.credentials, {"token": token})[0] == 200:
                self.revoked.append(self.live.popleft())

    def call(self) -> None:
        tokens = self.revoked if self.revoked and random.random() < 0.1 else self.live
        self.ask("/reports", f"Bearer {random.choice(tokens)}")

    def scrape(self) -> dict[str, float]:
        _, text = self.ask("/metrics")
        found = {
            (name, tuple(labels.items())): value
            for family in text_string_to_metric_families(text.decode())
            for name, labels, value, *_ in family.samples
        }
        return {kept: found[name, tuple(labels.items())] for kept, (name, labels) in KEPT.items()}


@contextmanager
def deployed() -> Iterator[Deployment]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        store = open_store(f"sqlite:///{folder}/data/oauth.db", create=True)
        client, secret = admin.add_client(store, "Load")
        store.close()
        credentials = base64.b64encode(f"{client.client_id}:{secret}".encode()).decode()
        (folder / "loaded.py").write_text(APP)
        port = free_port()
        options = [
            "--config",
            str(GUNICORN),
            "--bind",
            f"127.0.0.1:{port}",
            "--workers",
            "2",
            "--access-logfile",
            os.devnull,
        ]
        command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--log-level=error", *options, "loaded:app"]
        environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder / "counts")}
        with (folder / "errors").open("wb") as errors:
            process = subprocess.Popen(command, cwd=folder, env=environ, stderr=errors)
        try:
            deployment = Deployment(port, folder / "data", f"Basic {credentials}")
            if not starts(deployment, process):
                raise RuntimeError((folder / "errors").read_text())
            yield deployment
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def starts(deployment: Deployment, process: subprocess.Popen[bytes]) -> bool:
    while process.poll() is None:
        with suppress(OSError):
            deployment.ask("/metrics")
            return True
        time.sleep(0.1)
    return False


@contextmanager
def repeated(work: Callable[[], None], per_second: float) -> Iterator[None]:
    """Do the work in a thread, so many times a second."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(1 / per_second):
            with suppress(OSError):
                work()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def record(seconds: float = SECONDS, outage: tuple[float, float] = OUTAGE) -> dict[str, object]:
    """What the metrics say each second, and when the outage began and ended."""
    begin, end = outage
    samples, seen = [], []
    with deployed() as deployment:
        for _ in range(LIVE_TOKENS):
            deployment.issue()
        load = [repeated(deployment.issue, 4), repeated(deployment.revoke, 2)]
        load += [repeated(deployment.call, CALLS_PER_SECOND) for _ in range(CALLERS)]
        away = deployment.data.with_name("away")
        with load[0], load[1], load[2], load[3]:
            started = time.monotonic()
            while (now := time.monotonic() - started) < seconds:
                if len(seen) == 0 and now >= begin:
                    deployment.data.rename(away)
                    seen.append(round(now, 1))
                elif len(seen) == 1 and now >= end:
                    away.rename(deployment.data)
                    seen.append(round(now, 1))
                found = {name: round(value, 2) for name, value in deployment.scrape().items()}
                samples.append({"t": round(time.monotonic() - started, 2), **found})
                time.sleep(max(0.0, len(samples) - (time.monotonic() - started)))
    return {"outage": seen, "grace": GRACE_SECONDS, "samples": samples}


if __name__ == "__main__":
    print(json.dumps(record()).replace('{"t"', '\n{"t"'))
