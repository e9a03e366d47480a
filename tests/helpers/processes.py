"""Other processes that work on a store, for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

# Whatever hangs in there ends by itself, so that a test that waits for it fails.
_START = """
import os, signal, sys
signal.alarm(60)
from oauth_mw.stores import open_store
from oauth_mw.model import TokenRecord
from helpers.changes import end_client
store = open_store(sys.argv[1], create=True)
"""
WITHOUT_FCNTL = "import sys\nsys.modules['fcntl'] = None\n"


class Process:
    """Python code, with the URL of a store; its standard input and output are lines to and from the test."""

    def __init__(self, code: str, url: str, environ: dict[str, str] | None = None) -> None:
        command, pipe = [sys.executable, "-c", code, url], subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environ)
        self.pid = self._process.pid

    def says(self) -> str:
        """Its next line; empty when it has ended."""
        return self._process.stdout.readline().rstrip("\n")

    def hears(self, line: str = "") -> None:
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def answers(self, line: str = "") -> str:
        self.hears(line)
        return self.says()

    def ends(self) -> int:
        """How it ended: an exit code, or the signal that killed it as a negative number."""
        self._process.stdin.close()
        return self._process.wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        with suppress(BrokenPipeError):
            self._process.stdin.close()


class Processes:
    """Start processes by ``processes(code)``; what still runs at the end is killed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._started: list[Process] = []

    def __call__(self, code: str, before: str = "") -> Process:
        """Start code that has ``store`` at hand."""
        return self.start(before + _START + code)

    def start(self, code: str, environ: dict[str, str] | None = None) -> Process:
        """
        :param environ: its environment, where that is not this process's.
        """
        self._started.append(Process(code, self._url, environ))
        return self._started[-1]

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._started:
            process.kill()


def forked(work: Callable[[], object]) -> int:
    """The process id of a forked child that does ``work``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 and later warn of a fork beside threads
        child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(60)
            code = 0 if work() else 2
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def exit_code_of(child: int) -> int:
    """0 when the work of a forked child returned something true, 1 when it raised."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
