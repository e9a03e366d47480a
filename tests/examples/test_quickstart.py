"""The quickstart: two lines that a shell runs as they are."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from running_example import EXAMPLES, START_SECONDS, STOP_SECONDS, environment, first_lines, process, run

pytestmark = pytest.mark.slow

PRINTED = re.compile(
    r"""Serving a Flask app with one view at (?P<url>http://127\.0\.0\.1:\d+)/\. Every path needs a token\.

In another shell:

(?P<lines>TOKEN=\$\(curl .*-u (?P<client_id>[a-z0-9]+):(?P<secret>[A-Za-z0-9]+) .*
curl .*)

Issued tokens and refused requests are logged here\. Press Ctrl-C to stop\."""
)
NO_TOKEN = "refused GET / 401 missing_token: no Authorization header; needed: -; client: -; token: -\n"


@dataclass(frozen=True)
class Quickstart:
    """A running quickstart and what it printed."""

    process: subprocess.Popen[str]
    lines: str
    client_id: str
    secret: str
    url: str

    def token_status(self, secret: str) -> int:
        ask = {"url": f"{self.url}/oauth/token", "data": {"grant_type": "client_credentials"}}
        return httpx.post(**ask, auth=(self.client_id, secret), trust_env=False, timeout=60).status_code

    def stop(self) -> tuple[int, str, str]:
        """Press Ctrl-C once it serves; the exit code, and what else was written to either stream."""
        httpx.get(self.url, trust_env=False, timeout=60)
        self.process.send_signal(signal.SIGINT)
        stdout, stderr = self.process.communicate(timeout=STOP_SECONDS)
        return self.process.returncode, stdout, stderr


@pytest.fixture(scope="module")
def start():
    """Start a copy on a port that is free: the store lies beside the script."""

    def start(script: Path) -> Quickstart:
        started = stack.enter_context(process(script, environment(script.parent, PORT="0")))
        printed = "\n".join(first_lines(started, 8))
        found = PRINTED.fullmatch(printed)
        assert found, printed
        return Quickstart(started, **found.groupdict())

    # A shell starts its background jobs deaf to Ctrl-C, and they their children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with ExitStack() as stack:
        yield start
    signal.signal(signal.SIGINT, before)


def copied_to(folder: Path) -> Path:
    return Path(shutil.copy(EXAMPLES / "quickstart.py", folder))


@pytest.fixture(scope="module")
def running(tmp_path_factory, start):
    return start(copied_to(tmp_path_factory.mktemp("a checkout")))


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_two_lines_work_in_a_shell(running, shell, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"needs {shell}")

    ended = run([shell, "-euc", running.lines], environment(tmp_path), tmp_path)

    assert (ended.returncode, ended.stdout) == (0, f"Hello, client {running.client_id}!\n")


@pytest.mark.parametrize("path", ["/", "/elsewhere"])
def test_without_a_token_it_is_closed(running, path):  # B-01
    answer = httpx.get(running.url + path, trust_env=False, timeout=60)

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="api"')


def test_the_store_lies_beside_the_script(running):
    beside = Path(running.process.args[1]).parent

    assert {path.name for path in beside.iterdir()} >= {"quickstart.py", ".quickstart.db"}


def test_ctrl_c_ends_it_quietly_and_a_later_start_gives_the_same_client_a_new_secret(start, tmp_path):
    script = copied_to(tmp_path)
    first = start(script)
    ended = first.stop()

    second = start(script)

    assert ended == (0, "", NO_TOKEN)
    assert second.client_id == first.client_id
    assert (second.token_status(first.secret), second.token_status(second.secret)) == (401, 200)


def test_a_port_that_is_taken_is_named_in_one_line_and_what_runs_is_left_alone(running, tmp_path):
    port = running.url.rpartition(":")[2]

    with process(copied_to(tmp_path), environment(tmp_path, PORT=port)) as refused:
        stdout, stderr = refused.communicate(timeout=START_SECONDS)

    assert (refused.returncode, stdout, stderr.count("\n")) == (1, "", 1)
    assert f"port {port}" in stderr
    assert running.token_status(running.secret) == 200
