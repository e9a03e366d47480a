from __future__ import annotations

import socket
import sys

import pytest

from oauth_mw.cli import main
from oauth_mw.config import OPTIONS

APP = """
def app(environ, start_response):
    raise AssertionError

number = 5
"""


@pytest.fixture
def serve(cli, tmp_path, monkeypatch):
    """Run a ``serve`` that ends by itself."""
    (tmp_path / "shop_faults.py").write_text(APP)
    (tmp_path / "broken_faults.py").write_text("\n1 / 0\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    return lambda app, *words, **options: cli("serve", app, *words, **options)


APPS = {
    "no app": ("shop_faults", "expected MODULE:APP"),
    "no module": (":app", "expected MODULE:APP"),
    "no such module": ("nowhere:app", "No module named 'nowhere'"),
    "no such app": ("shop_faults:nothing", "has no attribute 'nothing'"),
    "no function": ("shop_faults:number", "it cannot be called"),
    "broken": ("broken_faults:app", "division by zero ({folder}/broken_faults.py, line 2)"),
}


@pytest.mark.parametrize(("app", "says"), APPS.values(), ids=APPS)
def test_an_app_that_cannot_be_served_is_one_line(serve, tmp_path, app, says):
    answer = serve(app)

    assert answer.exit_code == 2
    assert answer.stderr.count("\n") == 1 and says.format(folder=tmp_path) in answer.stderr
    assert not (tmp_path / "oauth.db").exists()


WRONG = {
    "cache_size": ["--cache-size", "many"],
    "public_paths": ["--public-paths", "health"],
    "required_scopes": ["--required-scopes", "* /a a", "--required-scopes", "GET /a b"],
    "store": ["--store", "mysql://h/db"],
}


@pytest.mark.parametrize(("option", "words"), WRONG.items(), ids=WRONG)
def test_a_wrong_option_is_named_and_no_store_made(serve, tmp_path, option, words):
    answer = serve("shop_faults:app", *words)

    assert (answer.exit_code, answer.stderr.startswith(f"Error: {option}: ")) == (2, True)
    assert not (tmp_path / "oauth.db").exists()


def test_without_a_store_it_says_how_to_name_one(serve):
    answer = serve("shop_faults:app", store=None)

    assert (answer.exit_code, "OAUTH_MW_STORE" in answer.stderr) == (2, True)


def test_a_port_in_use_is_refused_and_no_store_made(serve, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = serve("shop_faults:app", "--port", str(taken.getsockname()[1]))

    assert answer.exit_code == 1
    assert answer.stderr.startswith("Error: cannot listen on 127.0.0.1, port ")
    assert not (tmp_path / "oauth.db").exists()


def test_without_waitress_it_says_what_to_install_and_no_store_is_made(serve, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "waitress", None)

    answer = serve("shop_faults:app")

    assert (answer.exit_code, answer.stderr) == (2, "Error: serve: needs waitress: pip install 'oauth_mw[serve]'\n")
    assert not (tmp_path / "oauth.db").exists()


def test_each_option_is_a_flag():
    flags = {flag for parameter in main.commands["serve"].params for flag in parameter.opts}

    # What only the environment may hold is no flag: others could read it there.
    assert {name for name in OPTIONS if "--" + name.replace("_", "-") not in flags} == {"key_encryption_secret"}
