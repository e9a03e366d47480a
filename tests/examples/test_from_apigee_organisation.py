"""A whole Apigee organisation is imported, called, exported, applied to an empty store, and called again."""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from running_example import START_SECONDS, environment, listens

from helpers.apigee_organisation import ENVIRONMENT, PROXIES, Call, Organisation, organisation
from helpers.engines_base import free_port, wait_until
from oauth_mw.cli import main

pytestmark = pytest.mark.slow
SITE = Path(__file__).with_name("apigee_site.py")
ELSEWHERE = {"probe"}  # the scope of a product of another environment
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
try:
    CLI = CliRunner(mix_stderr=False)  # click 8.1
except TypeError:
    CLI = CliRunner()


@contextmanager
def served(folder: Path, store: str) -> Iterator[http.client.HTTPConnection]:
    """A connection to the app behind gunicorn."""
    port = free_port()
    words = [
        "-w2",
        "--preload",
        "-kgthread",
        "--threads=2",
        "--no-control-socket",
        f"--bind=127.0.0.1:{port}",
        "apigee_site:app",
    ]
    env = environment(
        folder, OAUTH_MW_STORE=store, PYTHONPATH=os.pathsep.join([str(SITE.parent), os.environ["PYTHONPATH"]])
    )
    with (folder / "output").open("ab") as output:
        process = subprocess.Popen([sys.executable, "-m", "gunicorn", *words], env=env, stdout=output, stderr=output)
        try:
            wait_until(lambda: process.poll() is not None or listens(port), "gunicorn", START_SECONDS)
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)) as connection:
                yield connection
        finally:
            process.terminate()
            process.wait(START_SECONDS)


class Verdicts(NamedTuple):
    """The scope of a token of each key that is issued one, and the status of each call."""

    scopes: dict[str, set[str]]
    calls: dict[Call, int]


def verdicts(connection: http.client.HTTPConnection, site: Organisation, calls: list[Call]) -> Verdicts:
    """What is answered to old clients, which send their old ids and secrets."""

    def ask(method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def token(key_id: str, secret: str) -> dict[str, str]:
        login = base64.b64encode(f"{key_id}:{secret}".encode()).decode()
        path = "/oauth/token?grant_type=client_credentials"
        status, body = ask("POST", path, {**FORM, "Authorization": f"Basic {login}"})
        return json.loads(body) if status == 200 else {}

    tokens = {key_id: token(key_id, secret) for key_id, secret in site.keys.items()}
    bearers = {key_id: {"Authorization": f"Bearer {each.get('access_token')}"} for key_id, each in tokens.items()}
    return Verdicts(
        {key_id: {*each["scope"].split()} for key_id, each in tokens.items() if each},
        {each: ask(each.method, each.path, bearers[each.key_id])[0] for each in calls},
    )


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    """What was said and answered: the organisation, its calls, the import, and the verdicts before and after."""
    folder = tmp_path_factory.mktemp("apigee")
    site = organisation(time.time())
    calls = [*site.calls(at_most=2)]

    def cli(store, *words):
        answer = CLI.invoke(main, ["--store", f"sqlite:///{folder}/{store}.db", *words], catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        return answer.stdout

    files = [
        *map(str, site.write(folder)),
        *(f"--base-path={name}={path}" for name, path in {**PROXIES, "legacy": "-"}.items()),
    ]
    said = cli("first", "import", "apigee", *files, f"--environment={ENVIRONMENT}", "--allow-weak-secret", "--json")
    with served(folder, f"sqlite:///{folder}/first.db") as connection:
        before = verdicts(connection, site, calls)
    cli("first", "client", "export", "-o", f"{folder}/clients.toml")
    cli("second", "client", "apply", f"{folder}/clients.toml")
    with served(folder, f"sqlite:///{folder}/second.db") as connection:
        after = verdicts(connection, site, calls)
    return site, calls, json.loads(said), before, after


def test_no_client_reaches_more_than_before(rehearsal):
    site, calls, _, before, _ = rehearsal

    assert [each for each in calls if before.calls[each] == 200 and not each.verdict] == []


def test_each_client_reaches_what_it_did_before(rehearsal):
    site, calls, _, before, _ = rehearsal
    wanted = [each for each in calls if each.verdict and each.key_id not in site.odd]

    assert [each for each in wanted if before.calls[each] != 200] == []
    assert len(wanted) > 250


def test_a_token_has_the_scope_that_it_had(rehearsal):
    site, *_, before, _ = rehearsal
    wanted = {key_id: site.apigee.scopes(key_id) - ELSEWHERE for key_id in before.scopes}

    assert before.scopes == wanted
    assert len(wanted) > 100


def test_each_key_that_no_client_can_stand_for_is_named_with_a_reason(rehearsal):
    site, _, said, *_ = rehearsal
    reasons = {
        each["client_id"]: each["problems"] + each["incomplete"] + each["closed"]
        for each in said["clients"]
        if not each["enabled"]
    }

    assert {key_id: why for key_id, why in site.odd.items() if not reasons.get(key_id)} == {}


def test_an_export_gives_the_same_verdicts(rehearsal):
    _, _, _, before, after = rehearsal

    assert after == before
    assert Counter(before.calls.values())[200] > 250
