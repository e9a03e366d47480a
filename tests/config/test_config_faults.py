"""A configuration that cannot work stops the start: all faults are reported together, each once, by option."""

from __future__ import annotations

import os
from itertools import permutations
from pathlib import Path

import pytest

from helpers.support import echo
from oauth_mw import ConfigError, OAuthMiddleware


def start(**options):
    return OAuthMiddleware(echo, **{"store": "memory://", **options})


def faults_of(**options):
    with pytest.raises(ConfigError) as refusal:
        start(**options)
    assert refusal.value.option == refusal.value.faults[0][0]
    assert str(refusal.value).splitlines() == [f"{name}: {text}" for name, text in refusal.value.faults]
    return refusal.value.faults


PATHS = ["token_path", "revocation_path", "introspection_path"]
TOGETHER = {
    "wrong values": ({"realm": 5, "cache_size": "x", "preflight": "maybe"}, ["realm", "cache_size", "preflight"]),
    "names and values": ({"realms": "x", "realm": 5, "odd_paths": "pass"}, ["realms", "realm", "odd_paths"]),
    "no store": ({"store": None, "realm": 5}, ["realm", "store"]),
    "rules": (
        {"required_scopes": ["GET /a", "* /b b"], "public_paths": ["/a//b", "d"]},
        ["required_scopes", *["public_paths"] * 2],
    ),
    "rules that never match": (
        {"required_scopes": ["* /a a", "GET /a b", "* /b b", "GET /b c"], "public_paths": ["/b", "/oauth/token"]},
        ["public_paths", "required_scopes", "required_scopes", "public_paths"],
    ),
    "rules for CherryPy": (
        {"ambiguous_paths": "refuse cherrypy", "required_scopes": ["* /a/index x", "* /b x", "GET /b y", "* /__c x"]},
        ["required_scopes"] * 3,
    ),
    "own paths": (dict.fromkeys(PATHS, "/a"), PATHS[1:]),
    "keys and paths": (
        {"token_format": "jwt", "revocation_path": "/oauth/token", "signing_key_files": "a.pem"},
        ["issuer", "revocation_path", "signing_key_files"],
    ),
    "sources of keys": (
        {"issuer": "https://a.example", "signing_key_files": "a.pem", "signing_key_lifetime": 3600, "realm": ""},
        ["realm", "signing_key_lifetime", "signing_key_files"],
    ),
    "a store and a value": ({"store": "mysql://h/d", "realm": 5}, ["realm", "store"]),
    "a folder and a file": (
        {"store": "sqlite:////nowhere/oauth.db", "issuer": "https://a.example", "signing_key_files": "a.pem"},
        ["signing_key_files", "store"],
    ),
    "a value and paths beside it": (
        {"cache_size": 0, "token_path": "/x", "required_scopes": ["* /x a"]},
        ["cache_size", "required_scopes"],
    ),
    "a store that does not answer is none": (
        {"store": "redis://127.0.0.1:1/0", "realm": 5, "store_timeout_seconds": 0.1},
        ["realm"],
    ),
    # Nothing follows from a fault.
    "no own path is compared by its default": ({"token_path": 5, "revocation_path": "/oauth/token"}, ["token_path"]),
    "nor with rules": ({"token_path": 5, "required_scopes": ["* /oauth/token a"]}, ["token_path"]),
    "a wrong issuer is not missing": ({"issuer": "x", "token_format": "jwt"}, ["issuer"]),
    "a wrong name makes no document": (
        {"issuer": "https://a.example", "audience": 5, "jwks_path": "/.well-known/oauth-protected-resource"},
        ["audience"],
    ),
    "a wrong rule leaves the rest unjudged": ({"required_scopes": ["* /a a", "GET /a a", "GET"]}, ["required_scopes"]),
    "an unknown option": ({"odd_paths": "pass"}, ["odd_paths"]),
    "a wrong store is not missing": ({"store": 5}, ["store"]),
    "a wrong file is not read": ({"issuer": "https://a.example", "signing_key_files": 5}, ["signing_key_files"]),
}


@pytest.mark.parametrize(("options", "names"), TOGETHER.values(), ids=TOGETHER)
def test_all_faults_are_reported_together_and_once(tmp_path, monkeypatch, options, names):
    monkeypatch.chdir(tmp_path)

    assert [name for name, _ in faults_of(**options)] == names
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("first", "second"), [*permutations(PATHS, 2)])
def test_two_equal_own_paths_are_refused(first, second):
    ((option, message),) = faults_of(**{first: "/same", second: "/same"})

    assert option in (first, second)
    assert {first, second} <= {option, *message.split()} and "/same" in message


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
def test_a_rule_or_public_path_that_is_an_own_path_is_refused_unless_that_is_off(path):
    assert faults_of(public_paths=[path])[0][0] == "public_paths"
    assert faults_of(required_scopes=[("POST", path, "x")])[0][0] == "required_scopes"
    assert start(token_path="off", revocation_path="off", introspection_path="off", public_paths=[path])


def fault_of_store(path):
    """The fault of an SQLite file."""
    ((option, message),) = faults_of(store=f"sqlite:///{path}")
    assert option == "store"
    return message


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    folder = Path("/proc/self") if os.geteuid() == 0 else tmp_path  # nothing stops root but such a folder
    if folder == tmp_path:
        tmp_path.chmod(0o500)

    assert str(folder) in fault_of_store(folder / "oauth.db")


def test_a_file_that_is_no_database_or_a_folder_is_refused(tmp_path):
    content = b"no database, but long enough to be read" * 50
    (tmp_path / "oauth.db").write_bytes(content)

    assert fault_of_store(tmp_path / "oauth.db") and fault_of_store(tmp_path)
    assert [name for name, _ in faults_of(store=f"sqlite:///{tmp_path}/oauth.db", realm=5)] == ["realm", "store"]
    assert (tmp_path / "oauth.db").read_bytes() == content


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_a_relative_store_is_relative_to_the_working_directory_and_its_owners_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = start(store="sqlite:///oauth.db")

    assert app and (tmp_path / "oauth.db").is_file()
    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {"0o600"}
