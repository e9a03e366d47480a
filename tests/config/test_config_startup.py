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


def test_an_own_path_that_equals_a_default_is_refused():
    assert "token_path" in refusal(revocation_path="/oauth/token")[1]


def test_all_own_paths_may_be_off():
    assert start(token_path="off", revocation_path="off", introspection_path="off")


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
def test_a_rule_or_public_path_that_is_an_own_path_is_refused(path):
    assert refusal(public_paths=[path])[0] == "public_paths"
    assert refusal(required_scopes=[("POST", path, "x")])[0] == "required_scopes"


def test_what_was_an_own_path_is_free_when_that_is_off():
    assert start(revocation_path="off", public_paths=["/oauth/revoke"])


@pytest.mark.parametrize("path", ["/*", "/oauth/*", "/oauth/{x}"])
def test_wider_patterns_over_own_paths_are_fine(path):
    assert start(public_paths=[path])
    assert start(required_scopes=[("GET", path, "x")])


DEAD = {
    "the same again": [("GET", "/a", "x"), ("GET", "/a", "y")],
    "after all methods": [("*", "/a", "x"), ("GET", "/a", "y")],
    "below a wider one": [("GET", "/a/*", "x"), ("GET", "/a/b", "y")],
    "slash or none": [("GET", "/a", "x"), ("GET", "/a/", "y")],
    "HEAD after GET": [("GET", "/a", "x"), ("HEAD", "/a", "y")],
    "two together": [("GET", "/a", "x"), ("POST", "/a", "x"), ("GET,POST", "/a", "y")],
    "a placeholder": [("GET", "/a/{id}", "x"), ("GET", "/a/b", "y")],
    "the rest twice": [("*", "/*", "x"), ("GET", "/*", "y")],
}


@pytest.mark.parametrize("rules", DEAD.values(), ids=DEAD)
def test_a_rule_that_can_never_match_is_refused(rules):
    option, message = refusal(required_scopes=rules)

    assert option == "required_scopes"
    assert rules[-1][1] in message and rules[0][1] in message


COVERED = {
    "the same": ("/a", [("*", "/a", "x")]),
    "below": ("/a/b", [("*", "/a/*", "x")]),
    "with all below": ("/a/b/*", [("GET", "/a/*", "x")]),
    "one method is enough": ("/a", [("POST", "/a", "x")]),
}


@pytest.mark.parametrize(("path", "rules"), COVERED.values(), ids=COVERED)
def test_a_public_path_that_rules_cover_is_refused(path, rules):
    option, message = refusal(public_paths=[path], required_scopes=rules)

    assert option == "public_paths"
    assert path in message


def test_a_rule_for_the_rest_covers_no_public_path():
    assert start(public_paths=["/health"], required_scopes=[("*", "/*", "x")])


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


def test_a_relative_store_is_relative_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start(store="sqlite:///oauth.db")

    assert (tmp_path / "oauth.db").is_file()


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_the_files_are_their_owners_alone(tmp_path):
    app = start(store=sqlite(tmp_path / "oauth.db"))

    assert app
    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {"0o600"}
