"""A Django project's own tests use Django's client, with the middleware in front of its views."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python beside the project, in which alone its settings are."""
    path = os.pathsep.join([str(HERE), os.environ["PYTHONPATH"]])
    env = {**os.environ, "PYTHONPATH": path, **variables}
    return subprocess.run([sys.executable, *arguments], env=env, capture_output=True, text=True)


@pytest.mark.slow
def test_the_projects_own_tests_pass(tmp_path):
    store = f"sqlite:///{tmp_path}/oauth.db"
    suite = "-m", "django", "test", "django_site", "--settings=django_site.settings"
    written = sum(len(re.findall("    def test_", path.read_text())) for path in HERE.glob("django_site/tests*.py"))

    ended = run("-W", "error", *suite, STORE=store)

    assert (ended.returncode, written > 15) == (0, True), ended.stderr
    assert f"Ran {written} tests" in ended.stderr


NO_APP = "from oauth_mw.testing import sandbox\nwith sandbox(): pass"
NO_SETTING = "from django.conf import settings\nsettings.configure()\n" + NO_APP
NO_DJANGO = "import sys\nsys.modules['django'] = None\n" + NO_APP


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param(NO_APP, "no app is given, and Django has no settings: pass the app", id="no settings"),
        pytest.param(NO_SETTING, "no app is given, and Django's setting WSGI_APPLICATION is not set", id="no setting"),
        pytest.param(NO_DJANGO, "no app is given, and Django is not installed: pass the app", id="no Django"),
    ],
)
def test_without_an_app_djangos_setting_is_needed(code, words):
    assert f"LookupError: {words}" in run("-c", code).stderr
