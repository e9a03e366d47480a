"""A script that runs one engine for a process of tests.

All processes of the engine stay descendants of this one. When the tests end, even by ``kill -9``, it kills all of them,
stopped ones too, and removes the engine's folder.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
IPC_RMID = 0


def descendants(ancestor: int, states: str = "RSDTtI") -> list[int]:
    """The processes below ``ancestor`` that are in one of ``states`` (of proc(5)); zombies are none."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
            state, parent, *_ = file.read().rpartition(")")[2].split()
            found[int(name)] = state, int(parent)
    below = [ancestor]
    for each in below:  # grows while it is walked
        below += [pid for pid, (_, parent) in found.items() if parent == each]
    return [pid for pid in below[1:] if found[pid][0] in states]


def send(pids: list[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def stop_all(ancestor: int) -> None:
    """Send SIGSTOP to all descendants, and to those that they start meanwhile, until all are stopped."""
    deadline = time.monotonic() + 5  # a process that waits for a disk stops late
    while (running := descendants(ancestor, "RSDI")) and time.monotonic() < deadline:
        send(running, signal.SIGSTOP)
        time.sleep(0.001)


def kill_all(ancestor: int) -> None:
    """Kill all descendants. They are stopped first, so that none reacts to the death of another."""
    stop_all(ancestor)
    while found := descendants(ancestor):
        send(found, signal.SIGKILL)
        time.sleep(0.001)


def remove(folder: str) -> None:
    """Remove an engine's folder, and the System V segment that a killed PostgreSQL leaves."""
    with suppress(OSError, ValueError, IndexError), open(f"{folder}/data/postmaster.pid", encoding="utf-8") as file:
        ctypes.CDLL(None).shmctl(int(file.read().splitlines()[6].split()[1]), IPC_RMID, None)
    shutil.rmtree(folder, ignore_errors=True)


def main(tests: int, folder: str, user: dict[str, Any], command: list[str]) -> None:
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})

    def before_it_begins() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})

    engine = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=2, preexec_fn=before_it_begins, **user
    )
    print(engine.pid, flush=True)
    while descendants(os.getpid()):
        signal.sigtimedwait({signal.SIGCHLD}, 0.5)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if os.getppid() != tests:
            kill_all(os.getpid())
            remove(folder)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), sys.argv[4:])
