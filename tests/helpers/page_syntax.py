"""Parse what pages show of programs that are not here."""

from __future__ import annotations

import configparser
import re
from typing import Any


def sections(text: str) -> configparser.RawConfigParser:
    """A file of sections, such as an ini of another library. Each option belongs to one."""
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return parser


def nginx(text: str) -> list[Any]:
    """The directives of nginx: each is a list of words, and the last may be a list of directives."""
    pieces = re.findall(r"""#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[;{}]|(?:\$\{\w+\}|[^\s;{}])+""", text)
    open_blocks: list[list[Any]] = [[]]
    words: list[Any] = []
    for piece in pieces:
        if piece == ";":
            assert words, "a ; after no directive"
            open_blocks[-1].append(words)
            words = []
        elif piece == "{":
            block: list[Any] = []
            open_blocks[-1].append([*words, block])
            open_blocks.append(block)
            words = []
        elif piece == "}":
            assert not words, f"no ; after {words}"
            open_blocks.pop()
        elif not piece.startswith("#"):
            words.append(piece)
    assert not words, f"no ; after {words}"
    (directives,) = open_blocks
    return directives
