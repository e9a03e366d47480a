"""Real engines for tests: started, stopped, paused and killed at will, and never left behind."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from helpers import engine_supervisor
from helpers.scratch import scratch

DEADLINE = 30.0


def package_folder(name: str) -> Path:
    """The folder of a package. It is not imported, which costs time and warnings: only its binaries are needed."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"no package {name}: the extra 'test' has it")
    return Path(spec.submodule_search_locations[0])


def free_port() -> int:
    """A port below those that the kernel gives to clients, which could take it while the engine is down.

    The bus of a Redis cluster uses the port that is 10,000 above it.
    """
    while True:
        port = random.SystemRandom().randrange(12_000, 22_000)
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_until(what: Callable[[], object], named: str, seconds: float = DEADLINE) -> None:
    """Poll ``what`` until it is true; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {named}")
        time.sleep(0.003)


class Engine:
    """One server in a temporary folder of its own; a context manager that starts it, and removes all at the end.

    :param settings: the engine's own, with ``_`` for ``-``; changes take effect at the next start.
    """

    stop_signal = signal.SIGTERM
    user: dict[str, Any] = {}  # to run as, in arguments of subprocess; empty for this process's own

    def __init__(self, **settings: object) -> None:
        self.settings = settings
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="engine-", dir=scratch()))  # short: it holds a Unix socket
        self.pid = 0
        self._supervisor: subprocess.Popen[str] | None = None
        if self.user:
            os.chown(self.folder, self.user["user"], self.user["group"])

    def command(self) -> list[str]:
        """Prepare a start; return the command that runs the engine in the foreground."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Whether it answers."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it, for the first time or again on the same data and port, and wait until it answers."""
        command = [str(os.getpid()), str(self.folder), json.dumps(self.user), *self.command()]
        with open(self.folder / "log", "a", encoding="utf-8") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-I", "-S", engine_supervisor.__file__, *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # a Ctrl-C in the terminal does not reach it
            )
        with self._supervisor.stdout as said:
            self.pid = int(said.readline() or 0)
        wait_until(lambda: self._supervisor.poll() is not None or self.is_ready(), f"the start of {command[3:]}")
        if self._supervisor.poll() is not None:
            raise RuntimeError(f"{command[3]} ended at once: {self.log()[-2000:]}")

    def log(self) -> str:
        """Its output so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def pids(self) -> list[int]:
        """All its processes."""
        return engine_supervisor.descendants(self._supervisor.pid) if self._supervisor else []

    def stop(self) -> None:
        """Shut it down in an orderly way, even if clients are connected."""
        self.resume()
        self._send(self.stop_signal)

    def kill(self) -> None:
        """``kill -9`` for all its processes at one moment, as when the power fails."""
        if self._supervisor:
            engine_supervisor.kill_all(self._supervisor.pid)
        self._wait()

    def pause(self) -> None:
        """Stop all its processes: connections stay open, and nothing answers."""
        engine_supervisor.stop_all(self._supervisor.pid)

    def resume(self) -> None:
        engine_supervisor.send(self.pids(), signal.SIGCONT)

    def close(self) -> None:
        """Kill it if it runs, and remove its folder."""
        self.kill()
        engine_supervisor.remove(str(self.folder))

    def _send(self, number: int) -> None:
        if self._supervisor:
            os.kill(self.pid, number)
        self._wait()

    def _wait(self) -> None:
        if self._supervisor:
            self._supervisor.wait(DEADLINE)
        self._supervisor = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Group:
    """Several servers that belong together; a context manager. ``_start`` enters each on ``_opened``."""

    def __init__(self) -> None:
        self._opened = ExitStack()

    def _start(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._opened.close()
