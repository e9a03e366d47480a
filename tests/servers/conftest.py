from __future__ import annotations

import json
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from click.testing import CliRunner
from hosting import SECRETS, Server, running

from oauth_mw.cli import main
from oauth_mw.cli.doctor.cures import FAULTS
from oauth_mw.environment import DOCTOR_SECRET

REPORTED = 8000
FAULT_NAMES = {fault.says: name for name, fault in FAULTS.items()}

# One of each family; the others, which have the parser of one of these, run with the slow tests.
IN_EVERY_RUN = ("gunicorn-preload", "waitress", "uwsgi")
SLOW = ("gunicorn-gthread", "gunicorn-gevent", "uwsgi-threads")


@pytest.fixture(scope="session", params=[*IN_EVERY_RUN, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def server(request, tmp_path_factory):
    """Every kind of server in turn, each one started once for all tests."""
    with running(request.param, tmp_path_factory.mktemp(request.param)) as started:
        yield started


@pytest.fixture
def start(tmp_path):
    """Start a server of the kind ``name`` for one test alone; again in the same folder, over the same store."""
    with ExitStack() as stack:
        yield lambda name, **options: stack.enter_context(running(name, tmp_path, **options))


@pytest.fixture(scope="session")
def app(tmp_path_factory):
    """An app that stands behind proxies."""
    with running("waitress", tmp_path_factory.mktemp("app")) as started:
        yield started


@pytest.fixture
def faults(monkeypatch):
    """The faults that are found at a URL, by the checks that found them."""
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(DOCTOR_SECRET, SECRETS["alpha"])

    def faults(url, *words, path="/reports"):
        answer = CliRunner().invoke(main, ["doctor", url, "--path", path, *words, "--timeout", "60", "--json"])
        assert answer.exit_code in (0, 2), answer.output
        found = json.loads(answer.stdout)["findings"]
        return {each["check"]: (each["verdict"], FAULT_NAMES[each["fault"]]) for each in found if each["fault"]}

    return faults


@pytest.fixture
def threads():
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of a server's output with a test that failed."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Server):
                report.sections.append((f"output of {value.name}", value.output()[-REPORTED:]))
    return report
