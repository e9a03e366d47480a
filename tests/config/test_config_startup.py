"""A configuration that cannot work stops the start, never a request."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from helpers.support import echo
from oauth_mw import ConfigError, OAuthMiddleware


def start(**options):
    return OAuthMiddleware(echo, **{"store": "memory://", **options})


def refusal(**options):
    with pytest.raises(ConfigError) as found:
        start(**options)
    return found.value.option, str(found.value)


PATHS = ["token_path", "revocation_path", "introspection_path"]


@pytest.mark.parametrize(("first", "second"), [(a, b) for a in PATHS for b in PATHS if a != b])
def test_two_equal_own_paths_are_refused(first, second):
    option, message = refusal(**{first: "/same", second: "/same"})

    assert {option} <= {first, second}
    assert first in message and second in message and "/same" in message


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
def test_a_rule_or_public_path_that_is_an_own_path_is_refused_unless_that_is_off(path):
    assert refusal(public_paths=[path])[0] == "public_paths"
    assert refusal(required_scopes=[("POST", path, "x")])[0] == "required_scopes"
    assert start(token_path="off", revocation_path="off", introspection_path="off", public_paths=[path])


def sqlite(path):
    return f"sqlite:///{path}"


def test_a_missing_folder_is_refused(tmp_path):
    option, message = refusal(store=sqlite(tmp_path / "missing" / "oauth.db"))

    assert option == "store"
    assert "missing" in message and "exist" in message


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    folder = Path("/proc/self") if os.geteuid() == 0 else tmp_path  # nothing stops root but such a folder
    if folder == tmp_path:
        tmp_path.chmod(0o500)
    option, message = refusal(store=sqlite(folder / "oauth.db"))

    assert option == "store"
    assert str(folder) in message


def test_a_file_that_is_no_database_is_refused(tmp_path):
    content = b"no database, but long enough to be looked at" * 50
    (tmp_path / "oauth.db").write_bytes(content)

    assert refusal(store=sqlite(tmp_path / "oauth.db"))[0] == "store"
    assert (tmp_path / "oauth.db").read_bytes() == content


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    assert refusal(store=sqlite(tmp_path))[0] == "store"


def test_a_newer_schema_is_refused(tmp_path):
    path = tmp_path / "oauth.db"
    start(store=sqlite(path))
    with sqlite3.connect(path) as connection:
        (table,) = connection.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%log_floor%'").fetchone()
        connection.execute(f"UPDATE {table} SET version = version + 1")
    connection.close()

    option, message = refusal(store=sqlite(path))
    assert option == "store"
    assert "version" in message


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_a_relative_store_is_relative_to_the_working_directory_and_its_owners_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = start(store="sqlite:///oauth.db")

    assert app and (tmp_path / "oauth.db").is_file()
    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {"0o600"}
