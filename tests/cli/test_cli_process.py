"""The command line as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing

import pytest

from helpers.support import SECRET
from oauth_mw import __version__, admin, open_store

pytestmark = pytest.mark.slow

METERED = """
from oauth_mw import OAuthMiddleware
app = OAuthMiddleware(lambda *args: [], store="sqlite:///oauth.db", metrics_path="/m", public_paths=["/m"])
"""
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


OWN_ENGINE = [
    "client list",
    "key list",
    "store info",
    "check app.ini",
    "explain GET / --config app.ini",
    "serve --help",
]


@pytest.mark.parametrize("words", OWN_ENGINE)
def test_an_sqlite_store_needs_no_other_engine_and_no_http(run, tmp_path, words):
    code = """
import sys
from oauth_mw.cli import main
try:
    main()
finally:
    others = {"webob", "cryptography", "redis", "sqlalchemy.orm", "sqlalchemy.dialects.postgresql"}
    sys.exit(len(others & sys.modules.keys()))
"""
    (tmp_path / "app.ini").write_text("[filter:oauth]\nuse = egg:oauth_mw\nstore = sqlite:///%(here)s/oauth.db\n")

    assert run(*words.split(), python=("-c", code)).returncode == 0


QUICK = ["--version", "--help", "client --help", "report --help", "top --help"]


@pytest.mark.parametrize("words", QUICK)
def test_nothing_but_click_is_imported_for_help(run, words):
    code = """
import sys
from oauth_mw.cli import main
try:
    main()
finally:
    others = {"webob", "oauth_mw.middleware", "oauth_mw.stores", "prometheus_client", "rich", "urllib.request"}
    sys.exit(len(others & sys.modules.keys()))
"""
    assert run(*words.split(), python=("-c", code)).returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
def test_a_full_disk_is_no_traceback(run):
    with open("/dev/full", "w") as full:
        answer = run("client", "list", stdout=full)

    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: ")


# A shell command that runs oauth-mw with an output that cannot be written.
UNWRITABLE = {
    "a full disk": 'exec "$@" >/dev/full',
    "a closed output": 'exec "$@" >&-',
    "a closed pipe": '{ sleep 1; "$@"; echo $? >rc; } | true; exit $(cat rc)',
}


@pytest.fixture
def left(tmp_path):
    """The clients that are in the store when it is called."""

    def left():
        store = open_store(f"sqlite:///{tmp_path}/oauth.db")
        with closing(store):
            return {each.client_id: len(each.secrets) for each in admin.list_clients(store)}

    return left


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
@pytest.mark.parametrize("shell", UNWRITABLE.values(), ids=UNWRITABLE)
@pytest.mark.parametrize(
    "words", ["client add y", "secret add x --json", pytest.param("client rotate x", marks=pytest.mark.long)]
)
def test_a_secret_that_cannot_be_printed_is_removed_again(run, left, words, shell):
    refused = run(*words.split(), before=["sh", "-c", shell, "sh"])

    assert left() == {"x": 1}
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: the secret could not be printed (") and refused.stderr.count("\n") == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
def test_a_client_whose_secret_is_known_stays_although_nothing_is_printed(run, left):
    with open("/dev/full", "w") as full:
        run("client", "add", "y", "--id", "y", "--secret-file", "-", stdout=full, input=SECRET)

    assert left() == {"x": 1, "y": 1}


def test_a_command_that_imports_the_app_is_no_worker_in_its_metrics(run, tmp_path, monkeypatch):
    (tmp_path / "metered.py").write_text(METERED)
    (tmp_path / "counts").mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "counts"))

    assert run("check", "metered:app").returncode == 0
    assert os.listdir(tmp_path / "counts") == []
