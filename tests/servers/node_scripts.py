"""The scripts in ``node``: how their packages are installed, and how one is run."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hosting import HERE

INSTALL_SECONDS = 240
RUN_SECONDS = 30


def install(folder: Path) -> None:
    """Put the scripts and the packages that they use into a folder."""
    assert shutil.which("node") and shutil.which("npm"), "Node.js and npm are needed"
    shutil.copytree(HERE / "node", folder, dirs_exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    assert done.returncode == 0, done.stderr


def run(installed: Path, script: str, *arguments: str) -> Any:
    """What a script says in the end."""
    command = ["node", f"{script}.mjs", *arguments]
    done = subprocess.run(command, cwd=installed, capture_output=True, text=True, timeout=RUN_SECONDS)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def answering(installed: Path, script: str, *arguments: str) -> Iterator[Callable[[str], Any]]:
    """A script that answers each line with a line, and remembers what was before."""
    command = ["node", f"{script}.mjs", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=installed, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin and process.stdout and process.stderr
        stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
        killer = threading.Timer(RUN_SECONDS, process.kill)
        killer.start()

        def ask(line: str) -> Any:
            print(line, file=stdin, flush=True)
            return json.loads(stdout.readline() or f"null {stderr.read()}")

        try:
            yield ask
        finally:
            killer.cancel()
            process.kill()
