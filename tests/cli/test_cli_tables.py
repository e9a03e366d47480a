"""What a terminal shows: nothing wider than itself, with colours unless they are not wanted."""

from __future__ import annotations

import json
import re

import pytest

from oauth_mw import admin

LONG = "The job that copies every report of the night into the archive of the other company"
SCOPE = " ".join(f"reports:{number}:read" for number in range(20))


@pytest.fixture
def shown(on_terminal, monkeypatch):
    """What a terminal of 80 columns shows of a command."""
    for name in ("COLUMNS", "NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)

    def shown(*words):
        _, text, _ = on_terminal(*words, screen=True)
        return text.decode().replace("\r\n", "\n")

    return shown


@pytest.fixture
def plain(shown, monkeypatch):
    """The same without colours."""

    def plain(*words):
        monkeypatch.setenv("NO_COLOR", "1")
        return shown(*words)

    return plain


@pytest.fixture
def client_id(opened):
    made = admin.add_client(opened, LONG, scope=SCOPE, audiences=[f"https://{n}.example.com/" for n in range(9)])
    for label in (LONG, ""):
        admin.add_secret(opened, made.client.client_id, label=label, not_after=2**31)
    opened.note_uses({(made.client.client_id, ""): 2**31})
    return made.client.client_id


COMMANDS = ["client list", "client show ID", "secret list ID", "store info", "client update ID --name x"]


@pytest.mark.parametrize("words", COMMANDS)
def test_no_line_is_wider_than_the_terminal(plain, client_id, words):
    text = plain(*words.replace("ID", client_id).split())

    lines = [line for line in text.splitlines() if "sqlite:///" not in line]  # a word that is longer than a line
    assert lines
    assert max(map(len, lines)) <= 80


def test_a_cell_that_is_wrapped_keeps_all_of_its_words(plain, client_id):
    heads, *lines = plain("client", "list").splitlines()

    for head, end, cell in ("NAME", "STATE", LONG), ("SCOPE", None, SCOPE):
        parts = [line[heads.index(head) : heads.index(end) if end else None].strip() for line in lines]
        assert cell in " ".join(filter(None, parts))
    assert re.search(rf"^{client_id} .* \d{{4}}-\d\d-\d\d ", "\n".join(lines), re.MULTILINE)


def test_a_table_of_long_words_is_shown_row_by_row(plain, opened):
    pytest.importorskip("joserfc")
    key = admin.rotate_key(opened, algorithm="ES256", secret=None, at_once=True)

    text = plain("key", "list")

    assert re.search(rf"^KEY +{key.kid}$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 80


BOLD, YELLOW, RED = "\x1b[1m", "\x1b[33m", "\x1b[31m"


def test_heads_and_errors_are_coloured(shown, client_id):
    assert shown("client", "list").startswith(f"{BOLD}CLIENT_ID")
    assert f"{RED}{BOLD}Error:" in shown("client", "show", "nowhere")
    assert f"{YELLOW}{BOLD}warning:" in shown("client", "add", "x", "--id", "a:b")


def test_no_colour_is_shown_where_none_is_wanted(plain, client_id):
    assert "\x1b" not in plain("client", "list") + plain("client", "show", "nowhere")


def test_what_is_no_terminal_has_neither_colours_nor_wrapped_lines(cli, client_id):
    heads, *rows = cli("client", "list").stdout.splitlines()

    assert len(rows) == 2
    assert any(LONG in row and SCOPE in row for row in rows)
    assert heads.startswith("CLIENT_ID ")


def test_json_is_the_same_on_a_terminal(shown, client_id, printed):
    assert json.loads(shown("client", "list", "--json")) == printed("client", "list")
