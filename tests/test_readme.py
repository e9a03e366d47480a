"""What the README claims about the code is what the code says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from oauth_mw.config import OPTIONS

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def shown(default: object) -> str:
    if default is dataclasses.MISSING:
        return "required"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if default is None or default in ("", ()):
        return ""
    return (
        f"`{' '.join(default)}`"
        if isinstance(default, tuple)
        else f"`{default:g}`"
        if isinstance(default, float)
        else f"`{default}`"
    )


def options_table() -> str:
    rows = [f"| `{name}` | {shown(each.default)} | {each.metadata['help']} |" for name, each in OPTIONS.items()]
    return "\n".join(["| option | default | what it does |", "| --- | --- | --- |", *rows])


def test_the_options_table_is_that_of_the_code():
    assert options_table() in README
