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

# Code that hangs ends by itself, so that a test that waits for it fails.
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

    def __init__(self, process: subprocess.Popen[str] | _Fork) -> None:
        self._process = process
        self.pid = process.pid

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


class _Fork:
    """Like ``Popen``, but a forked child of this process, which need not import everything again."""

    _ends: set[int] = set()  # of the parent; a child that kept one would keep the input of another child open

    def __init__(self, code: str, url: str) -> None:
        (child_in, stdin), (stdout, child_out) = os.pipe(), os.pipe()
        self._own = {stdin, stdout}
        self._ends.update(self._own)

        def work() -> bool:
            for end in self._ends:
                with suppress(OSError):
                    os.close(end)
            os.dup2(child_in, 0)
            os.dup2(child_out, 1)
            sys.stdin, sys.stdout, sys.argv = open(0), open(1, "w"), ["-c", url]
            exec(code, {"__name__": "__main__"})
            return True

        self.pid = forked(work)
        os.close(child_in)
        os.close(child_out)
        self.stdin, self.stdout = open(stdin, "w"), open(stdout)
        self._code: int | None = None

    def wait(self) -> int:
        self._ends.difference_update(self._own)
        if self._code is None:
            self._code = exit_code_of(self.pid)
        return self._code

    def kill(self) -> None:
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)


class Processes:
    """Start processes by ``processes(code)``; what still runs at the end is killed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._started: list[Process] = []

    def __call__(self, code: str, before: str = "") -> Process:
        """Start code that has ``store`` at hand, in a new interpreter."""
        return self.start(before + _START + code)

    def fork(self, code: str) -> Process:
        """Start code that has ``store`` at hand, in a child of this process.

        Not for SQLite while this process uses a connection, see :mod:`oauth_mw.stores.sql.sqlite.fork`.
        """
        if not hasattr(os, "fork"):
            return self(code)
        self._started.append(Process(_Fork(_START + code, self._url)))
        return self._started[-1]

    def start(self, code: str, environ: dict[str, str] | None = None) -> Process:
        """
        :param environ: its environment, where that is not this process's.
        """
        command, pipe = [sys.executable, "-c", code, self._url], subprocess.PIPE
        popen = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environ)
        self._started.append(Process(popen))
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
    """0 if the work of a forked child returned something true, 1 if it raised, else 2."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
