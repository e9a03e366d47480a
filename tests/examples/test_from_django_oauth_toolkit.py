"""Moving from django-oauth-toolkit: both sites answer a client alike, but for the differences that the page names."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from running_example import EXAMPLES, environment, run

FOLDER = EXAMPLES / "from-django-oauth-toolkit"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
SITE = str(Path(__file__).with_name("toolkit_site.py"))


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """What both sites answer, and what was printed in between."""
    folder = tmp_path_factory.mktemp("site")
    path = os.pathsep.join([str(FOLDER), os.environ["PYTHONPATH"]])
    stores = {"DATABASE": f"{folder}/site.db", "OAUTH_MW_STORE": f"sqlite:///{folder}/oauth.db"}

    def output(*command):
        ended = run([sys.executable, *command], environment(folder, PYTHONPATH=path, **stores), folder)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    before = json.loads(output(SITE, "before"))
    printed = output(str(FOLDER / "move_clients.py"))
    removed = output(str(FOLDER / "before.py"), "migrate", "oauth2_provider", "zero")
    after = json.loads(output(SITE, "after", before["token"]))
    return SimpleNamespace(before=before, after=after, printed=printed, removed=removed)


@pytest.mark.slow
def test_a_client_gets_the_same_answers(moved):
    assert moved.before["same"] == moved.after["same"]
    assert moved.after["same"]["read"] == {"reports for": "reader"}


@pytest.mark.slow
def test_the_page_names_what_differs(moved):
    before, after = moved.before["changed"], moved.after["changed"]
    rows = [f"| {text} | {before[text]} | {after[text]} |" for text in before]

    assert "\n".join(rows) in PAGE


def without_secrets(text):
    return re.sub(r"new secret: \w{43}$", "new secret: …", text, flags=re.MULTILINE)


@pytest.mark.slow
def test_a_secret_that_was_hashed_is_replaced_as_the_page_shows(moved):
    assert without_secrets(moved.printed) == "moved hashed with a new secret: …\nmoved reader\n"
    assert f"python move_clients.py\n{without_secrets(moved.printed)}```" in without_secrets(PAGE)


def test_the_page_shows_a_part_of_the_site():
    (shown,) = re.findall(r"```python shown\n(.*?)```", PAGE, re.DOTALL)

    assert shown in (FOLDER / "after.py").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_tables_can_be_removed(moved):
    assert "Unapplying oauth2_provider.0001_initial... OK" in moved.removed
