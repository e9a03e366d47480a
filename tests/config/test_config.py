"""Options as Python values and as ini strings: both mean the same, and what cannot work is refused by name."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import MISSING
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import pytest

from helpers.support import echo
from helpers.wsgi_client import CheckedApp
from oauth_mw import ConfigError, OAuthMiddleware
from oauth_mw.config import OPTIONS, configure
from oauth_mw.model import MAX_LIFETIME
from oauth_mw.options import Options

MEMORY = {"store": "memory://"}
ISSUER = "https://auth.example"
GOOD = "v9Q2mX7tLr4KpZ8w"

# Option, what an ini says, the same in Python.
SAME = [
    ("token_path", "/t", "/t"),
    ("token_path", "\n/t\n/v1/t\n", ["/t", "/v1/t"]),
    ("token_path", "off", ["off"]),
    ("revocation_path", "/r", "/r"),
    ("revocation_path", "off", "off"),
    ("introspection_path", "/i", "/i"),
    ("jwks_path", "/k", "/k"),
    ("metadata", "off", False),
    ("metadata", " oauth", True),
    ("metadata", "\nopenid\noauth\n", ["oauth", "openid"]),
    ("metadata", "oauth, openid", ("openid", "oauth")),
    ("scopes_supported", "on", True),
    ("access_token_lifetime", " 600 ", 600),
    ("default_scope", "a  b:c a", ("a", "b:c")),
    ("default_scope", "", []),
    ("scope_policy", "narrow", "narrow"),
    ("grant_type_in", "body query header", ["body", "query", "header"]),
    ("compatibility", "apigee", "apigee"),
    ("audience_parameter", "t", True),
    ("token_prefix", "acme_", "acme_"),
    ("client_auth_methods", "client_secret_post", ["client_secret_post"]),
    ("token_format", "jwt", "jwt"),
    ("signing_algorithm", "RS256", "RS256"),
    ("issuer", "https://a.example/x", "https://a.example/x"),
    ("public_url", "https://b.example:8443", "https://b.example:8443"),
    ("audience", "urn:a https://api.example/x?y=z\n urn:a", ["urn:a", "https://api.example/x?y=z"]),
    ("key_encryption_secret", "correct horse battery", "correct horse battery"),
    ("signing_key_lifetime", "3600", 3600),
    ("signing_key_files", "new.pem  old.pem", ["new.pem", "old.pem"]),
    ("public_paths", "\n/health\n/docs/*\n", ("/health", "/docs/*")),
    ("required_scopes", "GET /a/* r\n* /a/* w x", [("GET", "/a/*", "r"), ("*", "/a/*", "w x")]),
    ("required_scopes", "\nGET,POST  /a/{id}   any of r w\n\n", [("GET,POST", "/a/{id}", "any of r w")]),
    ("ambiguous_paths", "pass", "pass"),
    ("trust_vhm_root", "true", True),
    ("trusted_proxies", "10.0.0.0/8  unix ::1 127.0.0.1", ["10.0.0.0/8", "unix", "::1/128", "127.0.0.1/32", "::1"]),
    ("trusted_proxies", "::ffff:10.0.0.0/104 fd00::/8", ("10.0.0.0/8", "fd00::/8")),
    ("trusted_proxies", "", []),
    ("forwarded_header", "X-Real-IP", "X-Real-IP"),
    ("throttle", "5/second 1000/hour", ["5/second", "1000/hour"]),
    ("throttle", "off", False),
    ("throttle", "on", ("20/minute", "100/minute")),
    ("rate_limit", " 100/minute ", "100/minute"),
    ("rate_limit", "off", None),
    ("preflight", "true", True),
    ("cors_origins", "https://a.example  http://[::1]:3000", ["https://a.example", "http://[::1]:3000"]),
    ("cors_origins", "*", ("*",)),
    ("cors_origins", "", []),
    ("cors_headers", "X-Trace  If-Match", ["X-Trace", "If-Match"]),
    ("cors_max_age_seconds", "0", 0),
    ("on_refusal", "shop.errors:body", "shop.errors:body"),
    ("on_event", "shop.audit:record", "shop.audit:record"),
    ("audit_accepted", "on", True),
    ("request_id_key", "HTTP_X_REQUEST_ID", "HTTP_X_REQUEST_ID"),
    ("on_issue", "shop.tokens:attributes", "shop.tokens:attributes"),
    ("on_issue_public", "tier  region", ["tier", "region"]),
    ("on_lifetime", "shop.tokens:seconds", "shop.tokens:seconds"),
    ("delay_auth_decision", "yes", True),
    ("remote_user", "OFF", False),
    ("authorization_header", "x-Api-Token2", "x-Api-Token2"),
    ("strip_authorization", "1", True),
    ("realm", "the vault", "the vault"),
    ("cache_size", "100", 100),
    ("leeway_seconds", "0.5", Fraction(1, 2)),
    ("revocation_lag_seconds", "0.0", 0),
    ("revocation_lag_seconds", "0.05", Decimal("0.05")),
    ("outage_grace_seconds", "0.30000000000000004", 0.1 + 0.2),
    ("store_timeout_seconds", "0.5", 0.5),
    ("health_path", "/health", "/health"),
    ("health_path", "off", None),
    ("metrics_path", "/metrics", "/metrics"),
    ("metrics_path", "off", None),
    ("metrics_client_ids", "on", True),
]


@pytest.mark.parametrize(("name", "text", "value"), SAME, ids=[f"{name}={text!r}" for name, text, _ in SAME])
def test_an_ini_string_means_the_python_value(name, text, value):
    options = {**MEMORY, "issuer": ISSUER}

    assert configure({**options, name: text}) == configure({**options, name: value})


def test_none_is_the_default_of_every_option():
    assert configure({**MEMORY, **dict.fromkeys(OPTIONS.keys() - {"store"})}) == configure(MEMORY)


@pytest.mark.parametrize("value", [True, False])
def test_words_for_true_and_false(value):
    words = "true True yes on y t 1" if value else "false False no off n f 0"

    assert {configure({**MEMORY, "preflight": word}).preflight for word in (*words.split(), f" {value} ")} == {value}


BAD = {
    "store": [None, 5, b"memory://", ["memory://"], "", "memory", "memory:///x", "mysql://h/d", "sqlite://"]
    + ["sqlite:///", "sqlite:///oauth.db\n", " memory://", '"memory://"'],
    "token_path": [5, "", "oauth/token", "/ä", "/a;b", "/%41", b"/a", "/a # b", "/a, /b", "/a,/b", "/a off"]
    + ["/a//b", "/a/../b", "/a/*", "/a/{id}", [], ["/a", 5], ["/a /b"], ["/a\n"], ["/a", "/a"]],
    "revocation_path": [True, False, "", "x", "//"],
    "introspection_path": [5, "no", "/a\\b", "/a,"],
    "jwks_path": [False, "", "jwks"],
    "metadata": ["", "sometimes", 1, "/metadata", "openid", "oauth, x", "OAuth", "oauth; openid", b"oauth", []]
    + [["openid"], ["oauth", "x"], ["oauth", []], ["oauth openid"]],
    "scopes_supported": ["", "read write", ["read"], 1],
    "access_token_lifetime": ["", "x", "0", 0, -1, "-1", "+5", "1.5", 1.5, "1_0", "1h", True, MAX_LIFETIME + 1, "٣"]
    + [[]],
    "default_scope": [5, True, 'a"b', "ä", ["a b"], ["a", 5], ["a\tb"], {"a": 1}, [""], "a,b", ["a,"], "#a", "a ; b"]
    + [["a\\b"]],
    "scope_policy": ["", "Narrow", "loose", True, {}, ["strict"]],
    "grant_type_in": ["", [], "cookie", "body,query", ["body", "x"], 5],
    "compatibility": ["", "Apigee", "axway", True],
    "audience_parameter": ["", "audience", 1],
    "token_prefix": [5, "a b", "ä", "a=b", "x" * 33, 'a"', "a,b", {}],
    "client_auth_methods": ["", [], "none", "client_secret_jwt", "private_key_jwt", "client_secret_basic,x", 5],
    "token_format": ["", "JWT", True, ["jwt"]],
    "signing_algorithm": ["", "none", "HS256", "es256", "Ed25519", ["ES256"], 256],
    "issuer": ["", 5, "auth.example", "https://auth.example/?x", b"https://auth.example", ["https://auth.example"]],
    "public_url": ["", "/mount", "http://api.example", "https://api.example/#x"],
    "audience": ["", [], 5, "reports", "/reports", "https://a.example/#x", ["urn:a b"], ["urn:a", 5], "urn:ä", "urn:"],
    "key_encryption_secret": ["", GOOD[:-1], GOOD * 12 + GOOD[:9], "v9Q2mX7t\nLr4KpZ8w", 1234567890123456, [GOOD]]
    + ["password12345678", "v9Q2v9Q2v9Q2v9Q2", "abcdefghijklmnop"],
    "signing_key_lifetime": ["", 3599, "0", -1, "1d", 10**9, True],
    "signing_key_files": ["", [], 5, "a.pem a.pem", ["a\0.pem"]],
    "public_paths": [5, "health", ["/a//b"], "/a/../b", "/a/*/b", "/a*", "/%41", [5], "/<id>", "/{a}{b}"],
    "required_scopes": [5, "GET /a", "get /a r", "GET a r", [("GET", "/a")], [("GET", "/a", 5)], 'GET /a "r"', [5]],
    "ambiguous_paths": ["", "allow", True],
    "trust_vhm_root": ["", "X-Vhm-Root", 2],
    "trusted_proxies": [5, "proxy.example", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8,::1", "0.0.0.0/0", "::/0", "Unix"]
    + ["010.0.0.1", "fe80::1%eth0", "10.0.0.1:80", "*", ["10.0.0.0/8 ::1"], True, "unix:/run/x.sock", ["٣.0.0.1"]],
    "rate_limit": ["", "100", 100, "100/week", "0/minute", "1.5/second", "1e3/hour", "100 / minute", ["1/day"], False],
    "forwarded_header": ["", "X_Forwarded_For", "X-Forwarded-For:", "X-A, X-B", "ä", "x" * 65, ["X-Real-IP"], b"X-A"]
    + ["HTTP_X_REAL_IP", True, "X-Real-IP\n"],
    "throttle": [
        "",
        "20/minute",
        "20/minute, 100/minute",
        "0/minute 100/minute",
        "20 100",
        "off off",
        20,
        [20, 100],
        [],
    ]
    + ["20/minute 100/minute 1000/day", ["20/minute 100/minute"], "20/week 100/week", {"a": 1}, None.__class__],
    "preflight": ["", "maybe", 2, 1.0, "tru", []],
    "cors_origins": ["https://a.example/", "https://A.example", "https://a.example:443", "a.example", "null", 5]
    + ["* https://a.example", "https://*.example", "https://a.example:99999", "http://ä.example", ["https://a b"]],
    "cors_headers": ["X Trace:", ["a b"], "ä", 5, "X-Trace,"],
    "cors_max_age_seconds": ["", -1, 86_401, "1h", True],
    "on_refusal": ["", "shop.errors", "shop:errors:body", "shop:", 5, True],
    "on_event": ["", "shop.audit", "shop:audit:record", 5, True],
    "audit_accepted": ["", "some", 3],
    "on_issue": ["", "shop.tokens", "shop:tokens:body", 5, True],
    "on_issue_public": ["tier,region", ["a b"], "scope", "ä", 5],
    "on_lifetime": ["", "shop.tokens", "shop:tokens:body", 5, True],
    "request_id_key": ["", "X-Request-ID", "HTTP_X_REQUEST_ID\n", "a b", "HTTP_AUTHORIZATION", "HTTP_COOKIE", 5]
    + ["QUERY_STRING", "REQUEST_URI", "RAW_URI", "HTTP_X_API_TOKEN", "oauth_mw.token", "x" * 101],
    "delay_auth_decision": ["", "sometimes", 1],
    "remote_user": ["root", 0, (), "true ; yes"],
    "authorization_header": ["", "authorization", "Cookie", "X-", "X_Token", "XToken", "X-a b", "X-ä", "X-A\n", "X-a:b"]
    + ["x-vhm-ROOT", "X-" + "a" * 63, "X-A, X-B", "Proxy-Authorization", "HTTP_X_TOKEN", ["X-Token"], b"X-Token", True],
    "strip_authorization": ["2", 1],
    "realm": ["", 'a"b', "a\\b", "ä", "a\r\nb", "x" * 201, 5],
    "cache_size": ["", "x", 0, 1, -1, 1.5, 10**9, True],
    "leeway_seconds": ["", -1, 61, "1m", True, -5e-324, 1j, Decimal("sNaN"), 10**400, "9" * 400],
    "revocation_lag_seconds": ["", "x", -1, "nan", 3601, True, [], 0.0001, 0.049, "0.0001", 5e-324, math.nan],
    "outage_grace_seconds": ["", "x", -1, "nan", "inf", 10**9, True, [], math.inf, math.nan, "1e-05", "1_0", "\u0663"],
    "store_timeout_seconds": ["", 0, -1, "nan", "1h", 10**6, False],
    "health_path": [True, "", "health", "/health/*", "/a//b"],
    "metrics_path": [True, "", "metrics", "/metrics/*", "/a//b"],
    "metrics_client_ids": ["", "all", 1],
}


@pytest.mark.parametrize(("name", "values"), BAD.items(), ids=BAD)
def test_a_wrong_value_is_refused_by_the_options_name(name, values):
    for value in values:
        with pytest.raises(ConfigError, match=f"^{name}: ") as refusal:
            OAuthMiddleware(echo, **{**MEMORY, "issuer": ISSUER, name: value})

        assert refusal.value.option == name
        assert len(str(refusal.value)) < 500


def test_every_option_is_tried_with_right_and_wrong_values():
    assert {name for name, _, _ in SAME} | {"store"} == BAD.keys() == OPTIONS.keys()


def test_there_are_at_most_60_options():
    assert len(OPTIONS) <= 60


def test_a_duration_says_so_by_its_name():
    numbers = {name for name, each in OPTIONS.items() if "int" in each.type or "float" in each.type}

    assert {name for name in numbers if not name.endswith(("_seconds", "_lifetime"))} == {"cache_size"}


NAMES = {
    "public_path": r"unknown option.*\bpublic_paths\b",
    "token_lifetime": r"unknown option.*\baccess_token_lifetime\b",
    "Realm": r"unknown option.*\brealm\b",
    "stor": r"unknown option.*\bstore\b",
    "odd_paths": "is called ambiguous_paths now$",
    "zzz": "unknown option$",
}


@pytest.mark.parametrize(("name", "says"), NAMES.items(), ids=NAMES)
def test_an_unknown_option_is_refused_with_the_nearest_name(name, says):
    with pytest.raises(ConfigError, match=f"^{name}: {says}"):
        OAuthMiddleware(echo, **MEMORY, **{name: "x"})


@pytest.mark.parametrize("url", [b"redis://:hidden@h/0", ["redis://:hidden@h/0"], ("redis://:hidden@h/0",)])
def test_a_store_of_another_type_is_refused_without_its_password(url):
    with pytest.raises(ConfigError, match="^store: expected") as refusal:
        configure({"store": url})

    assert "hidden" not in str(refusal.value)


MEANT = [
    ("public_paths", "/health ,/static/* ,", "/health /static/*"),
    ("public_paths", "/a,\n/b/,\n/c", "/a /b/ /c"),
    ("public_paths", ["/health,/static/*"], "/health /static/*"),
    ("public_paths", ["/health /static/*"], "/health /static/*"),
    ("token_path", "/a, /b", "/a /b"),
    ("default_scope", ["a;b", "c"], "a b c"),
    ("client_auth_methods", "client_secret_basic , client_secret_post", "client_secret_basic client_secret_post"),
    ("audience", "urn:a, urn:b", "urn:a urn:b"),
    ("audience", ["https://a.example,https://b.example"], "https://a.example https://b.example"),
    ("cors_origins", "https://a.example,https://b.example", "https://a.example https://b.example"),
    ("cors_headers", "X-Trace,If-Match", "X-Trace If-Match"),
    ("signing_key_files", "new.pem, old.pem", "new.pem old.pem"),
]


@pytest.mark.parametrize(("name", "value", "meant"), MEANT, ids=[f"{name}={value!r}" for name, value, _ in MEANT])
def test_a_list_with_commas_is_refused_with_what_was_meant(name, value, meant):
    with pytest.raises(ConfigError) as refusal:
        OAuthMiddleware(echo, store="memory://", **{name: value})

    assert refusal.value.option == name
    assert str(refusal.value).endswith(f"did you mean {meant!r}?")


def test_a_comma_within_a_word_is_part_of_it():
    app = CheckedApp(OAuthMiddleware(echo, store="memory://", public_paths="/a,b", audience="https://a.example/x,y"))

    app.get("/a,b", status=200)


# The types of the options, for editors and type checkers

ROOT = Path(__file__).parents[2]
HINTS = get_type_hints(Options)

CALL = """
from flask import Flask
from oauth_mw import OAuthMiddleware

app = Flask("x").wsgi_app
OAuthMiddleware(app, store="memory://")
OAuthMiddleware(app, store="memory://", realm=None, cache_size=5, leeway_seconds=1 / 3, preflight="on")
OAuthMiddleware(app, store="memory://", public_paths=["/a"], required_scopes=[("GET", "/b", "c"), "* /d e"])
"""

WRONG = {
    'store="memory://", realms="x"': 'Unexpected keyword argument "realms"',
    'store="memory://", odd_paths="pass"': 'Unexpected keyword argument "odd_paths"',
    'store="memory://", cache_size=[5]': 'Argument "cache_size"',
    'store="memory://", public_paths=[5]': "List item 0",
    'realm="x"': 'Missing named argument "store"',
}


def test_the_types_are_of_the_options_in_the_table():
    assert [*HINTS] == [name for name in OPTIONS if name != "store"]


def test_the_type_of_an_option_takes_an_inis_text_its_default_and_none():
    for name, hint in HINTS.items():
        default = OPTIONS[name].default
        kinds = [get_origin(each) or each for each in get_args(hint)]

        assert default is not MISSING and isinstance(default, tuple(kinds)), name
        assert str in kinds and type(None) in kinds and (Sequence in kinds) >= isinstance(default, tuple), name


@pytest.mark.slow
def test_wrong_calls_and_no_right_ones_are_errors_of_the_type_checker(tmp_path):
    code = CALL + "".join(f"OAuthMiddleware(app, {arguments})\n" for arguments in WRONG)
    (tmp_path / "call.py").write_text(code)
    options = ["--strict", "--follow-imports=silent", "--cache-dir", tmp_path / "mypy", tmp_path / "call.py"]
    answer = subprocess.run([sys.executable, "-m", "mypy", *options], cwd=ROOT, capture_output=True, text=True)
    errors = [line for line in answer.stdout.splitlines() if "error:" in line]

    assert len(errors) == len(WRONG), answer.stdout
    for at, (error, says) in enumerate(zip(errors, WRONG.values(), strict=True), CALL.count("\n") + 1):
        assert f"call.py:{at}: " in error and says in error
