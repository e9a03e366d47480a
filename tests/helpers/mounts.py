"""A second name for a file, as in a container that mounts only that file."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

_SCRIPT = """
mount --bind "$1" "$2" || exit 99
if [ -n "$3" ]; then mount -t tmpfs none /proc || exit 99; fi
shift 3
exec "$@"
"""


@cache
def why_no_mounts() -> str:
    """Why nothing can be mounted here; empty when it can."""
    try:
        done = subprocess.run(["unshare", "-m", "true"], capture_output=True)
    except OSError:
        return "there is no unshare"
    return "" if done.returncode == 0 else "nothing may be mounted here"


def mounted(source: Path, target: Path, code: str, *arguments: str, hidden: bool = False) -> str:
    """Run Python code with ``source`` mounted at ``target``, which is created; return what it prints.

    :param hidden: so that the code cannot see the mounts.
    """
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    python = [sys.executable, "-c", code, *arguments]
    return _said(_SCRIPT, source, target, "hidden" if hidden else "", *python)


def read_only(folder: Path, code: str, *arguments: str) -> str:
    """Run Python code with ``folder`` mounted read-only; return what it prints."""
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 99; shift; exec "$@"'
    return _said(script, folder, sys.executable, "-c", code, *arguments)


def _said(script: str, *arguments: str | Path) -> str:
    command = ["unshare", "-m", "sh", "-c", script, "sh", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, done.stderr
    return done.stdout
