"""Stores of schemas 2 and 3, and the code that made them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from helpers import postgres_raw, redis_raw
from helpers.processes import Process, Processes
from helpers.support import HandClock

FIXTURES = Path(__file__).parents[1] / "stores/upgrade/fixtures"
WHEEL = next(FIXTURES.glob("*.whl"))
FACTS = json.loads((FIXTURES / "schema2.json").read_text(encoding="utf-8"))

# A worker of the old code: each line that it reads is a token to check, or a client id and its secret.
_WORKER = """
import signal, sys
signal.alarm(60)
from base64 import b64encode
from webob import Request
from oauth_mw import OAuthMiddleware, middleware, model
assert "MOST_ALONE" in vars(model)
build = middleware.build
middleware.build = lambda app, options: build(app, options, lambda: NOW)
def app(environ, start_response):
    start_response("200 OK", [])
    return []
guarded = OAuthMiddleware(app, store=sys.argv[1], **OPTIONS)
def ask(words):
    if len(words) == 1:
        return Request.blank("/any", headers={"Authorization": "Bearer " + words[0]})
    login = b64encode(":".join(words).encode()).decode()
    form = {"grant_type": "client_credentials"}
    return Request.blank("/oauth/token", POST=form, headers={"Authorization": "Basic " + login})
print("ready", flush=True)
for line in sys.stdin:
    print(ask(line.split()).get_response(guarded).status_int, flush=True)
"""


def fill(url: str, file: str = "schema2") -> None:
    """Put the store of schema 2, or of another ``file``, where nothing is yet."""
    if url.startswith("sqlite:"):
        shutil.copy(FIXTURES / f"{file}.db", url.removeprefix("sqlite:///"))
    elif url.startswith("redis:"):
        lines = _read("schema2.redis", redis_raw.prefix_of(url)).splitlines()
        with closing(redis_raw.client_of(url)) as client:
            for line in lines:
                client.execute_command(*(part.encode("latin-1") for part in json.loads(line)))
    else:
        with postgres_raw.Raw(url) as raw:
            raw(_read(f"{file}.sql", raw("SELECT current_schema()")[0]))


def _read(file: str, place: str) -> str:
    """
    :param place: the schema, or the prefix, that takes the place of the fixture's own.
    """
    return re.sub(r"\bschema[23]_fixture\b", place, (FIXTURES / file).read_text(encoding="utf-8"))


def fill_3(url: str) -> None:
    """Put the store of schema 3 where nothing is yet; in Redis it is the present one."""
    fill(url, "schema3/schema3")


def facts_of_3() -> dict[str, Any]:
    """What is in each kind of the store of schema 3."""
    facts: dict[str, Any] = json.loads((FIXTURES / "schema3/schema3.json").read_text(encoding="utf-8"))
    return facts


def environ_of_3() -> dict[str, str]:
    """In which Python finds the code of schema 3."""
    return _environ(next((FIXTURES / "schema3").glob("*.whl")))


def made_by_old_code(url: str) -> dict[str, Any]:
    """Have the old code make such a store; return the facts of its content."""
    code = "import json, make_fixtures, sys; print(json.dumps(make_fixtures.Maker(sys.argv[1]).fill()))"
    environ = {**_old_environ(), "PYTHONPATH": str(FIXTURES.parent)}
    done = subprocess.run([sys.executable, "-c", code, url], env=environ, stdout=subprocess.PIPE, text=True, check=True)
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def run_old(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the old code."""
    command = [sys.executable, "-m", "oauth_mw", *words]
    return subprocess.run(command, env=_old_environ(), capture_output=True, text=True, timeout=60)


def start_old_worker(processes: Processes, **options: object) -> Process:
    """A worker of the old code whose clock stands still."""
    settings = f"NOW = {HandClock().now}\nOPTIONS = {options!r}\n"
    return processes.start(settings + _WORKER, environ=_old_environ())


def _old_environ() -> dict[str, str]:
    return _environ(WHEEL)


def _environ(wheel: Path) -> dict[str, str]:
    # The working directory may have the new code.
    return {**os.environ, "PYTHONPATH": _unpacked(wheel).name, "PYTHONSAFEPATH": "1"}


@cache
def _unpacked(file: Path) -> tempfile.TemporaryDirectory[str]:
    """The code of a wheel in a folder where Python keeps what it has compiled."""
    folder = tempfile.TemporaryDirectory()
    with zipfile.ZipFile(file) as wheel:
        wheel.extractall(folder.name)
    return folder
