from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from pwd import getpwnam
from tempfile import TemporaryDirectory

import pytest

from helpers.builders import issued, registered
from helpers.processes import Processes, exit_code_of, forked
from oauth_mw import open_store

FDS = "/proc/self/fd"


@pytest.fixture
def path(tmp_path):
    """Where the database will be, in a folder of its own."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "oauth.db"


@pytest.fixture
def counter(path):
    return path.with_name("oauth.db-oauth_mw")


@pytest.fixture
def store(request, path, clock):
    """A store with a client. The module may name the timeout, ``TIMEOUT``, and the client, ``MINE``."""
    timeout = getattr(request.module, "TIMEOUT", 5.0)
    with closing(open_store(f"sqlite:///{path}", create=True, timeout=timeout, clock=clock)) as store:
        store.add_client(getattr(request.module, "MINE", registered()))
        yield store


@pytest.fixture
def key(store):
    """The key of a live token."""
    return issued(store)


@pytest.fixture
def start(store):
    """Call it with code to start a new interpreter; ``start.fork`` starts a child of the tests, which is quicker."""
    with Processes(store.url) as start:
        yield start


@pytest.fixture
def sql(path):
    """Call it to execute a statement over another connection; it returns the rows."""

    def run(statement, *values):
        with closing(sqlite3.connect(path)) as database, database:
            return database.execute(statement, values).fetchall()

    return run


@pytest.fixture
def open_files(tmp_path):
    """Call it for the files of the test that this process has open."""
    if not os.path.isdir(FDS):
        pytest.skip("only Linux shows open files")

    def found():
        names = []
        for fd in os.listdir(FDS):
            with suppress(OSError):
                names.append(os.readlink(f"{FDS}/{fd}"))
        return [name for name in names if name.startswith(str(tmp_path))]

    return found


@pytest.fixture
def public_folder():
    """A folder that every user may enter, unlike pytest's own."""
    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture
def as_nobody():
    """Call it to do work in a child process that is not root; it returns the exit code."""

    def run(work):
        def child():
            if os.geteuid() == 0:
                os.setuid(getpwnam("nobody").pw_uid)
            return work()

        return exit_code_of(forked(child))

    return run
