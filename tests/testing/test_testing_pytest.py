"""The plugin of pytest, in test suites of users."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PLUGIN = 'import pytest\n\npytest_plugins = ["oauth_mw.testing.pytest"]\n'


@pytest.fixture
def run(tmp_path):
    """Run pytest over files in a folder of their own, and return its exit status and output."""

    def run(files: dict[str, str], **variables: str) -> tuple[int, str]:
        for name, text in files.items():
            (tmp_path / name).write_text(text, "utf-8")
        path = f"{tmp_path}{os.pathsep}{HERE}"
        own = {"PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
        env = {**os.environ, **own, **variables}
        command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--rootdir=."]
        ended = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
        return ended.returncode, ended.stdout + ended.stderr

    return run


MISSING = PLUGIN + "\n@pytest.fixture\ndef app(database):\n    return database\n"
OTHER_NAME = (
    PLUGIN
    + """
from oauth_mw import OAuthMiddleware

@pytest.fixture
def oauth_app():
    return OAuthMiddleware(None, store="memory://")
"""
)
USES = "def test_it(oauth):\n    assert oauth.token_for()\n"
DJANGO = {"DJANGO_SETTINGS_MODULE": "django_site.settings", "STORE": "memory://"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("conftest", "variables", "words"),
    [
        pytest.param(OTHER_NAME, {}, "1 passed", id="a fixture of another name"),
        pytest.param(PLUGIN, DJANGO, "1 passed", id="Django's setting"),
        pytest.param(PLUGIN, {}, "pass the app, or define a fixture app or oauth_app", id="no app"),
        pytest.param(MISSING, {}, "fixture 'database' not found", id="a fixture that app lacks"),
        pytest.param("", {}, "fixture 'oauth' not found", id="a plugin that was not asked for"),
    ],
)
def test_the_app_is_what_a_fixture_or_djangos_setting_says(run, conftest, variables, words):
    status, output = run({"conftest.py": conftest, "test_it.py": USES}, **variables)

    assert words in output, output
