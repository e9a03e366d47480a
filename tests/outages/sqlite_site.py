"""An SQLite store that a fault can strike."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest


class SQLiteSite:
    """A folder with a store in it, and another folder for what is taken away."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "data"
        self.folder.mkdir()
        self.aside = folder / "aside"
        self.path = self.folder / "oauth.db"
        self.url = f"sqlite:///{self.path}"
        monkeypatch.setattr("oauth_mw.stores.sql.sqlite.connections.CHECK_SECONDS", 0)

    def __enter__(self) -> SQLiteSite:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def serves(self, service: Any) -> None:
        """The worker whose connections a fault may need."""
        self.store = service.store

    def sql(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self.path, isolation_level=None))

    def elsewhere(self, code: str, *arguments: object) -> None:
        """Run code in another process: one that opens and closes the file itself would drop SQLite's locks here."""
        subprocess.run(_python(code, self.path, *arguments), check=True)

    @contextmanager
    def neighbour(self, code: str, *arguments: object) -> Iterator[None]:
        """Another process that has run ``code``, which ends by saying so."""
        with subprocess.Popen(_python(code, self.path, *arguments), stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout and process.stdout.readline(), "it did not get so far"
                yield
            finally:
                process.kill()


def without_fcntl(folder: Path, monkeypatch: pytest.MonkeyPatch) -> SQLiteSite:
    """As on Windows: no counter file and no queue of writers."""
    monkeypatch.setattr("oauth_mw.stores.sql.sqlite.connections.queueing", False)
    return SQLiteSite(folder, monkeypatch)


def _python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code, *map(str, arguments)]
