"""What the README and the pages claim about the code is what the code says."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys

import click
import pytest
from webtest import TestApp

from helpers.pages import PAGES, ROOT, fence, read
from helpers.support import echo, issue
from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.cli import main
from oauth_mw.config import OPTIONS
from oauth_mw.keys import lead_seconds
from oauth_mw.keys.keypair import ALGORITHMS


def shown(default: object) -> str:
    if default is dataclasses.MISSING:
        return "required"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if default is None or default in ("", ()):
        return ""
    if isinstance(default, tuple):
        return f"`{' '.join(default)}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def options_table() -> str:
    rows = [f"| `{name}` | {shown(each.default)} | {each.metadata['help']} |" for name, each in OPTIONS.items()]
    return "\n".join(["| option | default | what it does |", "| --- | --- | --- |", *rows])


def test_the_options_table_is_that_of_the_code():
    assert options_table() in read("examples/options/README.md")


def test_the_common_options_have_these_defaults():
    common = re.findall(r"^\| `(\w+)` \| (.*?) \| .* \|$", read("README.md").partition("## Options")[2], re.MULTILINE)

    assert len(common) == 10
    assert [(name, shown(OPTIONS[name].default)) for name, _ in common] == [
        (name, text.strip()) for name, text in common
    ]


def length(**options: str) -> int:
    store = open_store("memory://")
    client, secret = admin.add_client(store, "Nightly report job", scope="reports:read")
    return len(issue(TestApp(OAuthMiddleware(echo, store=store, **options)), client.client_id, secret))


def test_tokens_are_as_long_as_it_says():
    options = {"issuer": "https://example.com", "token_format": "jwt"}
    lengths = [f"{name} {length(signing_algorithm=name, **options)}" for name in ALGORITHMS]

    assert f"| {length()} | {', '.join(lengths)} |" in read("examples/jwt/README.md")


REFUSE_ONE = """
from webtest import TestApp
TestApp(OAuthMiddleware(None, store="memory://")).get("/any", status=401)
"""


@pytest.mark.parametrize(
    ("changes", "logged"),
    [
        pytest.param({}, True, id="as it says"),
        pytest.param({"False": "True"}, True, id="named"),
        pytest.param(
            {'"oauth_mw": {"level": "INFO"}': "", '"root": {': '"root": {"level": "INFO", '}, True, id="false"
        ),
        pytest.param({"False": "True", '"oauth_mw": {"level": "INFO"}': ""}, False, id="neither"),
    ],
)
def test_refusals_are_logged_as_it_says(changes, logged):
    config = fence("README.md", "python", "import logging.config\n")
    for before, after in changes.items():
        assert before in config
        config = config.replace(before, after)

    code = f"from oauth_mw import OAuthMiddleware\n{config}{REFUSE_ONE}"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ("missing_token" in answer.stderr) is logged


INI = """
[handlers]
keys = console

[formatters]
keys =

[logger_root]
level = WARNING
handlers = console

[handler_console]
class = StreamHandler
args = (sys.stderr,)
"""


def test_refusals_are_logged_by_an_ini_as_it_says(tmp_path):
    lines = fence("README.md", "ini", "[loggers]")
    (tmp_path / "app.ini").write_text(lines + INI)
    code = "import logging.config\nlogging.config.fileConfig('app.ini')\nfrom oauth_mw import OAuthMiddleware\n"

    answer = subprocess.run(
        [sys.executable, "-c", code + REFUSE_ONE], capture_output=True, text=True, check=True, cwd=tmp_path
    )

    assert answer.stderr == (
        "refused GET /any 401 missing_token: no Authorization header; needed: -; client: -; token: -\n"
    )


SPEED = {
    r"costs ([\d.]+) times one that is written by hand": "accepted, cached token, no rules",
    r"with a million live tokens ([\d.]+) times": "growth of a cached check",
    r"behind gunicorn ([\d.]+) times": "the same with the middleware",
}


@pytest.mark.parametrize(("sentence", "row"), SPEED.items(), ids=SPEED.values())
def test_the_speed_is_that_of_the_benchmarks(sentence, row):
    (ratio,) = re.findall(sentence, read("README.md"))

    assert f"| {row} | {ratio} " in read("tests/benchmarks/README.md")


def test_a_benchmark_that_is_shown_is_there():
    scripts = {path for page in PAGES for path in re.findall(r"\.venv/bin/python (\S+\.py)", read(page))}

    assert len(scripts) > 4
    assert [path for path in scripts if not (ROOT / path).exists()] == []


SHOWN = sorted(
    {line for page in PAGES for line in re.findall(r"(?:^\$ |`)oauth-mw ([^`\n]+)", read(page), re.MULTILINE)}
)


@pytest.mark.parametrize("line", SHOWN)
def test_a_command_that_is_shown_is_there(line):
    command: click.Command = main
    for word in line.split():
        if isinstance(command, click.Group) and (called := command.get_command(click.Context(command), word)):
            command = called
        elif word.startswith("-"):
            assert any(word in (*each.opts, *each.secondary_opts) for each in command.params), word
    assert not isinstance(command, click.Group)


def test_a_key_is_published_as_long_as_is_said():
    assert f"published for {lead_seconds(OPTIONS['revocation_lag_seconds'].default)} seconds before it signs" in read(
        "examples/keys/README.md"
    )
