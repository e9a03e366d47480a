"""Examples in processes of their own, started and ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from helpers.engines_base import free_port, wait_until

EXAMPLES = Path(__file__).parents[2] / "examples"
FRAMEWORKS = EXAMPLES / "frameworks"
START_SECONDS = 90
STOP_SECONDS = 10


# What the shell that runs the tests may hold and an example would read.
_FOREIGN = "STORE PORT BASE_URL CLIENT_ID CLIENT_SECRET OAUTHLIB_INSECURE_TRANSPORT PYTHONUNBUFFERED".split()


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """That of a shell whose home is ``folder``."""
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return {**kept, "HOME": str(folder), "NO_PROXY": "*", "no_proxy": "*", **variables}


@contextmanager
def process(script: Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The script, started in its folder's parent and ended with the block, whatever happens in it."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, str(script)], env=env, cwd=script.parents[1], text=True, **pipes) as started:
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.communicate(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                started.kill()


def first_lines(started: subprocess.Popen[str], count: int) -> list[str]:
    """What it prints first; fewer when it ends before, or hangs."""
    assert started.stdout
    watchdog = threading.Timer(START_SECONDS, started.kill)
    watchdog.start()
    try:
        return [line.rstrip("\n") for line in islice(started.stdout, count)]
    finally:
        watchdog.cancel()


@contextmanager
def server(script: Path, env: Mapping[str, str]) -> Iterator[str]:
    """The URL at which the script serves, once it listens."""
    port = free_port()
    with process(script, {**env, "PORT": str(port)}) as started:
        wait_until(lambda: started.poll() is not None or listens(port), script.name, START_SECONDS)
        if started.poll() is not None:
            raise RuntimeError(f"{script.name} does not serve: {started.communicate()}")
        yield f"http://127.0.0.1:{port}"


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(command: list[str], env: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=START_SECONDS)
