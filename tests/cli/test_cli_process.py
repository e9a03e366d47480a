"""The command line as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from helpers.support import SECRET
from oauth_mw import __version__, admin, open_store

pytestmark = pytest.mark.slow

CLOSED = ["sh", "-c", 'exec "$@" <&-', "sh"]


@pytest.fixture
def run(tmp_path):
    """Run a command on a store with the client ``x``."""
    store = open_store(f"sqlite:///{tmp_path}/oauth.db", create=True)
    admin.add_client(store, "x", client_id="x")
    store.close()

    def run(*words, before=(), python=("-m", "oauth_mw"), **options):
        environ = {**os.environ, "OAUTH_MW_STORE": "sqlite:///oauth.db"}
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.run(
            [*before, sys.executable, *python, *words], cwd=tmp_path, env=environ, text=True, **options
        )

    return run


def test_python_m_is_the_command(run):
    assert run("--version").stdout == f"oauth_mw {__version__}\n"


def test_a_secret_is_read_from_standard_input(run):
    made = run("client", "add", "old", "--secret-file", "-", "--json", input=SECRET + "\n")

    assert (made.returncode, SECRET in made.stdout + made.stderr) == (0, False)
    assert json.loads(made.stdout)["secrets"][0]["weak"] is False


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
@pytest.mark.parametrize(("words", "exit_code"), [("token inspect", 3), ("client add y --secret-file -", 1)])
def test_a_closed_standard_input_is_an_empty_one(run, words, exit_code):
    refused = run(*words.split(), before=CLOSED)

    assert refused.returncode == exit_code
    assert refused.stderr.count("\n") == 1


def test_no_question_is_answered_by_an_empty_input(run):
    refused = run("client", "delete", "x", stdin=subprocess.DEVNULL)

    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("words", [["client", "--help"], ["serve", "no:app"]], ids=" ".join)
def test_nothing_heavy_is_imported_before_a_store_is_opened(run, words):
    code = "import sys; from oauth_mw.cli import main\ntry: main()\nfinally: sys.exit('sqlalchemy' in sys.modules)"

    assert run(*words, python=("-c", code)).returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
def test_a_full_disk_is_no_traceback(run):
    with open("/dev/full", "w") as full:
        answer = run("client", "list", stdout=full)

    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: ")
