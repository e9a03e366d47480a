"""The benchmarks can be run. What they measure is not checked here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "benchmarks"
PROGRAMS = sorted(path for path in FOLDER.glob("*.py") if "__main__" in path.read_text("utf-8"))

pytestmark = pytest.mark.slow


def run(program, *arguments):
    return subprocess.run([sys.executable, program, *arguments], capture_output=True, text=True, timeout=300)


def test_each_benchmark_says_what_it_takes():
    code = """
import runpy, sys
for program in sys.argv[1:]:
    sys.argv = [program, "--help"]
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        assert not end.code, program
"""
    answer = run("-c", f"import sys; sys.path.insert(0, {str(FOLDER)!r}){code}", *PROGRAMS)

    assert (answer.returncode, answer.stderr, answer.stdout.count("usage: ")) == (0, "", len(PROGRAMS))


def test_the_refusals_of_every_kind_of_client_are_measured():
    answer = run(FOLDER / "client_ids.py", "--quick", "memory", "sqlite")

    rows = [line.split("|")[1].strip() for line in answer.stdout.splitlines() if " × (" in line]
    kinds = ["unknown too", "known", "five secrets", "many scopes", "many attributes", "disabled", "deleted"]
    assert (rows, answer.stderr) == ([f"{kind}: {each}" for kind in ("memory", "sqlite") for each in kinds], "")
