"""Editors and type checkers know the options."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import pytest

from oauth_mw.config import OPTIONS, Options

ROOT = Path(__file__).parents[2]
HINTS = get_type_hints(Options)

CALL = """
from flask import Flask
from oauth_mw import OAuthMiddleware

app = Flask("x").wsgi_app
{call}
"""

RIGHT = """
OAuthMiddleware(app, store="memory://")
OAuthMiddleware(app, store="memory://", realm=None, cache_size=5, leeway_seconds=1 / 3, preflight="on")
OAuthMiddleware(app, store="memory://", public_paths=["/a"], required_scopes=[("GET", "/b", "c"), "* /d e"])
"""

WRONG = {
    "an unknown name": ('store="memory://", realms="x"', 'Unexpected keyword argument "realms"'),
    "an old name": ('store="memory://", odd_paths="pass"', 'Unexpected keyword argument "odd_paths"'),
    "a wrong type": ('store="memory://", cache_size=[5]', 'Argument "cache_size"'),
    "a wrong list": ('store="memory://", public_paths=[5]', "List item 0"),
    "no store": ('realm="x"', 'Missing named argument "store"'),
}


def mypy(folder: Path, code: str) -> str:
    (folder / "call.py").write_text(CALL.format(call=code))
    options = ["--strict", "--follow-imports=silent", "--cache-dir", folder.parent / "mypy", folder / "call.py"]
    answer = subprocess.run([sys.executable, "-m", "mypy", *options], cwd=ROOT, capture_output=True, text=True)
    return answer.stdout + answer.stderr


def test_the_types_are_of_the_options_in_the_table():
    assert [*HINTS] == [name for name in OPTIONS if name != "store"]


def test_the_type_of_an_option_takes_an_inis_text_its_default_and_none():
    for name, hint in HINTS.items():
        default = OPTIONS[name].default
        kinds = [get_origin(each) or each for each in get_args(hint)]

        assert default is not MISSING and isinstance(default, tuple(kinds)), name
        assert str in kinds and type(None) in kinds and (Sequence in kinds) >= isinstance(default, tuple), name


@pytest.mark.slow
def test_right_calls_pass_the_type_checker(tmp_path):
    assert mypy(tmp_path, RIGHT).startswith("Success")


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_call_is_an_error_of_the_type_checker(tmp_path, arguments, says):
    answer = mypy(tmp_path, f"OAuthMiddleware(app, {arguments})")

    assert says in answer and "Found 1 error" in answer
