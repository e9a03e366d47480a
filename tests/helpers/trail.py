"""Fixtures that read the audit trail."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from oauth_mw.audit import flush, log


class Lines(logging.Handler):
    """What the logger of the audit trail was given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events need not wait until their requests are answered."""
    monkeypatch.setattr("oauth_mw.background.PAUSE_SECONDS", 0)


@pytest.fixture
def handler(at_once: None) -> Iterator[Lines]:
    handler = Lines()
    log.addHandler(handler)
    yield handler
    flush()  # else the next test gets what is on its way
    log.removeHandler(handler)


@pytest.fixture
def lines(handler: Lines) -> Callable[..., list[str]]:
    """The lines of the audit trail so far."""

    def lines() -> list[str]:
        assert flush(10)
        return [record.getMessage() for record in handler.records]

    return lines


@pytest.fixture
def trail(lines: Callable[[], list[str]]) -> Callable[..., Any]:
    """The events of the audit trail so far; the member ``time`` is that of the clock, so it is left out."""

    def trail(*names: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in lines()]
        return [
            {key: each[key] for key in each if key != "time"} for each in found if each["event"] in names or not names
        ]

    return trail
