"""What servers log of refused requests, as the pages say."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hosting import START_SECONDS
from wire import ask, bearer, issue

from helpers.engines_base import free_port, wait_until
from helpers.pages import ROOT, fence

pytestmark = pytest.mark.slow

# What gunicorn is given on each of these pages.
PAGES = ["examples/logs/README.md", "examples/servers/README.md"]
LINE = "refused GET /reports 401 missing_token: no Authorization header; needed: reports:read; client: -; token: -"

ACCESS = {
    '127.0.0.1 "GET /mine" 200 alpha "-"',
    '127.0.0.1 "GET /admin/x" 403 - "alpha insufficient_scope"',
    '127.0.0.1 "GET /none" 401 - "missing_token"',
}


@pytest.mark.servers
@pytest.mark.parametrize("page", PAGES)
def test_the_access_log_of_gunicorn_names_the_client_and_what_was_refused(start, monkeypatch, page):
    command = fence(page, "console", "$ gunicorn ").removeprefix("$ gunicorn ").removesuffix(" hello:app\n")
    monkeypatch.setenv("GUNICORN_CMD_ARGS", command.replace("examples/", f"{ROOT}/examples/"))
    server = start("gunicorn")
    token = issue(server)

    for path, headers in (("/mine", bearer(token)), ("/admin/x", bearer(token)), ("/none?a=hidden", {})):
        ask(server, "GET", path, headers)

    # A worker writes the line after the answer, so the other worker may be first.
    wait_until(lambda: ACCESS <= set(server.output().splitlines()), "the lines")


@pytest.fixture
def debugged(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The URL of Flask's debug server with the README's example and its two lines, and the file of its output."""
    example, lines = fence("README.md", "python", "# hello.py"), fence("README.md", "python", "import logging\n")
    (tmp_path / "hello.py").write_text(f"{example}\n{lines}")
    port, output = free_port(), tmp_path / "output"
    command = [sys.executable, *shlex.split(f"-m flask --app hello run --debug --port {port}")]
    with output.open("wb") as file:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=file, stderr=file, start_new_session=True)
    try:
        wait_until(lambda: "Debugger PIN" in output.read_text(), "flask", START_SECONDS)
        yield f"http://127.0.0.1:{port}", output
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


USUAL = """
[handlers]
keys = console

[formatters]
keys = plain

[logger_root]
level = WARNING
handlers = console

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain

[formatter_plain]
format = %(message)s
"""
SERVE_INI = fence("examples/servers/README.md", "console", "$ pserve").replace("$ ", "").splitlines()


@pytest.mark.servers
@pytest.mark.parametrize("command", SERVE_INI)
def test_what_serves_an_ini_applies_its_logging(tmp_path, command):
    port, scripts, apps = str(free_port()), sysconfig.get_path("scripts"), ROOT / "examples/frameworks"
    sections = fence("README.md", "ini", "[loggers]")
    (tmp_path / "app.ini").write_text("\n".join([(apps / "paste_app.ini").read_text("utf-8"), sections, USUAL]))
    environment = {**os.environ, "PYTHONPATH": str(apps), "PYTHONUNBUFFERED": "1"}
    words = shlex.split(f"{scripts}/{command.replace('8080', port)}")
    with (tmp_path / "output").open("wb") as file:
        process = subprocess.Popen(
            words, cwd=tmp_path, env=environment, stdout=file, stderr=file, start_new_session=True
        )
    try:
        wait_until(lambda: status_of(f"http://127.0.0.1:{port}/reports") == 401, command, START_SECONDS)
        wait_until(lambda: LINE in (tmp_path / "output").read_text().splitlines(), "the line")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def status_of(url: str) -> int:
    """The status of a GET; 0 while the server does not answer."""
    try:
        return httpx.get(url, trust_env=False, timeout=60).status_code
    except httpx.TransportError:
        return 0


def test_two_lines_show_refusals_beside_the_debug_server_of_flask(debugged):
    url, output = debugged

    httpx.get(f"{url}/reports", trust_env=False, timeout=60)

    wait_until(lambda: "GET /reports HTTP" in output.read_text(), "the line of the request")
    assert output.read_text().splitlines().count(LINE) == 1
