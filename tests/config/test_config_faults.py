"""All faults of a configuration are reported together, each once, by the names of the options."""

from __future__ import annotations

import pytest

from helpers.support import echo
from oauth_mw import ConfigError, OAuthMiddleware


def faults_of(**options):
    with pytest.raises(ConfigError) as refusal:
        OAuthMiddleware(echo, **{"store": "memory://", **options})
    assert refusal.value.option == refusal.value.faults[0][0]
    assert str(refusal.value).splitlines() == [f"{name}: {text}" for name, text in refusal.value.faults]
    return refusal.value.faults


TOGETHER = {
    "wrong values": ({"realm": 5, "cache_size": "x", "preflight": "maybe"}, ["realm", "cache_size", "preflight"]),
    "names and values": ({"realms": "x", "realm": 5, "odd_paths": "pass"}, ["realms", "realm", "odd_paths"]),
    "no store": ({"store": None, "realm": 5}, ["realm", "store"]),
    "rules": ({"required_scopes": ["GET /a", "* /b b", "get /c c"]}, ["required_scopes"] * 2),
    "public paths": ({"public_paths": ["/a//b", "/c", "d"]}, ["public_paths"] * 2),
    "rules that never match": (
        {"required_scopes": ["* /a a", "GET /a b", "* /b b", "GET /b c"], "public_paths": ["/b", "/oauth/token"]},
        ["public_paths", "required_scopes", "required_scopes", "public_paths"],
    ),
    "rules for CherryPy": (
        {"ambiguous_paths": "refuse cherrypy", "required_scopes": ["* /a/index x", "* /b x", "GET /b y", "* /__c x"]},
        ["required_scopes"] * 3,
    ),
    "own paths": (
        {"token_path": "/a", "revocation_path": "/a", "introspection_path": "/a"},
        ["revocation_path", "introspection_path"],
    ),
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
}


@pytest.mark.parametrize(("options", "names"), TOGETHER.values(), ids=TOGETHER)
def test_all_faults_are_reported_together(tmp_path, monkeypatch, options, names):
    monkeypatch.chdir(tmp_path)

    assert [name for name, _ in faults_of(**options)] == names
    assert list(tmp_path.iterdir()) == []


ONCE = {
    "an own path is not compared by its default": ({"token_path": 5, "revocation_path": "/oauth/token"}, "token_path"),
    "nor with rules": ({"token_path": 5, "required_scopes": ["* /oauth/token a"]}, "token_path"),
    "a wrong issuer is not missing": ({"issuer": "x", "token_format": "jwt"}, "issuer"),
    "a wrong name makes no document": (
        {"issuer": "https://a.example", "audience": 5, "jwks_path": "/.well-known/oauth-protected-resource"},
        "audience",
    ),
    "a wrong rule leaves the rest unjudged": ({"required_scopes": ["* /a a", "GET /a a", "GET"]}, "required_scopes"),
    "an unknown option": ({"odd_paths": "pass"}, "odd_paths"),
    "a wrong store is not missing": ({"store": 5}, "store"),
    "a wrong file is not read": ({"issuer": "https://a.example", "signing_key_files": 5}, "signing_key_files"),
}


@pytest.mark.parametrize(("options", "name"), ONCE.values(), ids=ONCE)
def test_nothing_follows_from_a_fault(options, name):
    ((found, _),) = faults_of(**options)

    assert found == name


def test_a_store_that_does_not_answer_is_no_fault_of_the_configuration():
    ((name, _),) = faults_of(store="redis://127.0.0.1:1/0", realm=5, store_timeout_seconds=1)

    assert name == "realm"


def test_a_fault_of_the_store_is_found_beside_others(tmp_path):
    (tmp_path / "oauth.db").write_bytes(b"no database, but long enough to be looked at" * 50)

    assert [name for name, _ in faults_of(store=f"sqlite:///{tmp_path}/oauth.db", realm=5)] == ["realm", "store"]
