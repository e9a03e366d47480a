"""The security model: the page shows what the attacks are answered, and names a test for each other statement."""

from __future__ import annotations

import re
import runpy

import pytest
from running_example import EXAMPLES

FOLDER = EXAMPLES / "security"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def printed():
    return runpy.run_path(str(FOLDER / "attacks.py"))["tables"]()


def test_the_page_shows_what_the_attacks_are_answered(printed):
    refused, works = printed.split("\n\n")

    assert f"\n\n{refused}\n\n" in PAGE
    assert f"\n\n{works}\n\n" in PAGE


def test_the_tests_that_the_page_names_are_there():
    named = re.findall(r"`(tests/[\w/]+\.py)`", PAGE)

    assert len(named) > 20
    assert [path for path in named if not (EXAMPLES.parent / path).is_file()] == []
