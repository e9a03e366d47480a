"""The tests that stand beside the programs of the frameworks, and the development servers of Flask and Django."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import contextmanager
from subprocess import PIPE, STDOUT, Popen

import httpx
import pytest
from running_example import FRAMEWORKS, START_SECONDS, environment, listens, run

from helpers.engines_base import free_port, wait_until
from oauth_mw import admin, open_store

pytestmark = pytest.mark.slow

FORM = {"grant_type": "client_credentials"}


@pytest.fixture
def folder(tmp_path):
    """A copy, in which stores may be made."""
    return shutil.copytree(FRAMEWORKS, tmp_path / "frameworks", ignore=shutil.ignore_patterns("*.db*", "__pycache__"))


# The tests beside the programs


def test_the_tests_of_the_programs_pass(folder):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir=."]

    ended = run(command, environment(folder, PYTEST_ADDOPTS="", PYTEST_PLUGINS=""), folder)

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_tests_of_the_django_project_pass(folder):
    env = environment(folder, STORE="memory://")

    ended = run([sys.executable, "-W", "error", "manage.py", "test"], env, folder / "django_project")

    assert ended.returncode == 0, ended.stdout + ended.stderr


# Development servers


@pytest.fixture
def store(folder):
    store = open_store(f"sqlite:///{folder}/oauth.db", create=True)
    yield store
    store.close()


@pytest.fixture
def job(store):
    """The id and secret of a client."""
    client, secret = admin.add_client(store, "job", scope="reports:read")
    return client.client_id, secret


@contextmanager
def serving(command, folder, store, **variables):
    """Run a development server, and return its URL and its process."""
    port = free_port()
    command = [sys.executable, *(word.format(port=port) for word in command)]
    env = environment(folder, STORE=store.url, **variables)
    with Popen(command, cwd=folder, env=env, stdout=PIPE, stderr=STDOUT, text=True, start_new_session=True) as started:
        try:
            wait_until(lambda: started.poll() is not None or listens(port), " ".join(command), START_SECONDS)
            assert started.poll() is None, started.communicate()[0]
            yield f"http://127.0.0.1:{port}"
        finally:
            end(started)


def status(url, path, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(url + path, headers=headers, trust_env=False, timeout=60).status_code


def token_of(url, client):
    return httpx.post(f"{url}/oauth/token", data=FORM, auth=client, trust_env=False, timeout=60).json()["access_token"]


def end(started):
    """End a server and the children that its reloader has started."""
    os.killpg(started.pid, signal.SIGTERM)
    started.communicate(timeout=START_SECONDS)


FLASK = ["-m", "flask", "--app", "flask_app", "run", "--debug", "--port", "{port}"]
RUNSERVER = ["django_project/manage.py", "runserver", "{port}"]


@pytest.mark.parametrize("command", [FLASK, RUNSERVER], ids=["flask run --debug", "manage.py runserver"])
def test_a_development_server_serves_it_behind_the_middleware(folder, store, job, command):
    with serving(command, folder, store) as url:
        token = token_of(url, job)
        statuses = [status(url, *request) for request in (["/"], ["/", token], ["/reports", token], ["/health"])]

    assert statuses == [401, 200, 200, 200]


def test_flasks_reloader_starts_it_anew_with_the_same_tokens(folder, store, job):
    with serving(FLASK, folder, store) as url:
        token = token_of(url, job)
        program = folder / "flask_app.py"
        program.write_text(program.read_text("utf-8").replace('"hello {', '"good day {'), "utf-8")

        def greeted():
            try:
                return (
                    "good day"
                    in httpx.get(url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60).text
                )
            except httpx.TransportError:
                return False

        wait_until(greeted, "the reloader", START_SECONDS)


# Settings of a project that daphne serves: with the asgi.py that Django makes, and with that of the example.
DAPHNE = "from mysite.settings import *\nINSTALLED_APPS = ['daphne', *INSTALLED_APPS]\n"
OWN = DAPHNE + "ASGI_APPLICATION = 'djangos.application'\n"
DJANGOS = "from django.core.asgi import get_asgi_application\n\napplication = get_asgi_application()\n"


@pytest.mark.parametrize(
    ("settings", "words", "expected"),
    [
        pytest.param(OWN, [], 200, id="Django's asgi.py is open"),
        pytest.param(DAPHNE, [], 401, id="ours is closed"),
        pytest.param(OWN, ["--noasgi"], 401, id="so is Django's runserver without ASGI"),
    ],
)
def test_under_daphne_the_middleware_is_there_only_if_asgi_py_serves_it(folder, store, settings, words, expected):
    project = folder / "django_project"
    (project / "with_daphne.py").write_text(settings, "utf-8")
    (project / "djangos.py").write_text(DJANGOS, "utf-8")

    with serving([*RUNSERVER, *words, "--noreload"], folder, store, DJANGO_SETTINGS_MODULE="with_daphne") as url:
        answered = status(url, "/notes")

    assert answered == expected


def test_under_daphne_with_djangos_asgi_py_a_view_with_the_decorator_does_not_run(folder, store):
    project = folder / "django_project"
    (project / "with_daphne.py").write_text(OWN, "utf-8")
    (project / "djangos.py").write_text(DJANGOS, "utf-8")

    with serving([*RUNSERVER, "--noreload"], folder, store, DJANGO_SETTINGS_MODULE="with_daphne") as url:
        answered = [status(url, path) for path in ("/audit", "/reports")]

    assert answered == [500, 500]
