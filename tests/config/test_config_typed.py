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
OAuthMiddleware(app, store="memory://")
OAuthMiddleware(app, store="memory://", realm=None, cache_size=5, leeway_seconds=1 / 3, preflight="on")
OAuthMiddleware(app, store="memory://", public_paths=["/a"], required_scopes=[("GET", "/b", "c"), "* /d e"])
"""

WRONG = {
    'store="memory://", realms="x"': 'Unexpected keyword argument "realms"',
    'store="memory://", odd_paths="pass"': 'Unexpected keyword argument "odd_paths"',
    'store="memory://", cache_size=[5]': 'Argument "cache_size"',
    'store="memory://", public_paths=[5]': "List item 0",
    'realm="x"': 'Missing named argument "store"',
}


def test_the_types_are_of_the_options_in_the_table():
    assert [*HINTS] == [name for name in OPTIONS if name != "store"]


def test_the_type_of_an_option_takes_an_inis_text_its_default_and_none():
    for name, hint in HINTS.items():
        default = OPTIONS[name].default
        kinds = [get_origin(each) or each for each in get_args(hint)]

        assert default is not MISSING and isinstance(default, tuple(kinds)), name
        assert str in kinds and type(None) in kinds and (Sequence in kinds) >= isinstance(default, tuple), name


@pytest.mark.slow
def test_wrong_calls_and_no_right_ones_are_errors_of_the_type_checker(tmp_path):
    code = CALL + "".join(f"OAuthMiddleware(app, {arguments})\n" for arguments in WRONG)
    (tmp_path / "call.py").write_text(code)
    options = ["--strict", "--follow-imports=silent", "--cache-dir", tmp_path / "mypy", tmp_path / "call.py"]
    answer = subprocess.run([sys.executable, "-m", "mypy", *options], cwd=ROOT, capture_output=True, text=True)
    errors = [line for line in answer.stdout.splitlines() if "error:" in line]

    assert len(errors) == len(WRONG), answer.stdout
    for at, (error, says) in enumerate(zip(errors, WRONG.values(), strict=True), CALL.count("\n") + 1):
        assert f"call.py:{at}: " in error and says in error
