"""Variables in the values of an ini: a fault names the variable, and a URL encodes its value wherever the ini lies."""

from __future__ import annotations

import pytest

from helpers.support import echo
from oauth_mw import ConfigError
from oauth_mw.config import OPTIONS
from oauth_mw.errors import Faults
from oauth_mw.paste import filter_factory, ini_options

BAD = dict.fromkeys(OPTIONS, 'hidden",; hidden//') | {
    "key_encryption_secret": "hidden",
    "signing_key_files": "hidden " * 2,
}


def faults_of(**section):
    with pytest.raises(ConfigError) as refusal:
        filter_factory({}, **{"store": "memory://", **section})(echo)
    return refusal.value.faults


@pytest.mark.parametrize("name", OPTIONS)
def test_a_fault_names_the_variable_and_not_its_value(monkeypatch, name):
    monkeypatch.setenv("VALUE", BAD[name])

    ((option, text), *_) = faults_of(**{name: "${VALUE}"})

    assert (option, text.startswith("${VALUE}: "), "hidden" in text) == (name, True, False)


TOGETHER = {
    "paths": ({"token_path": "/hidden", "revocation_path": "${A}"}, "/hidden", "${A}: ${A} is taken by token_path"),
    "rules": (
        {"required_scopes": "${A}"},
        "* /hidden a\nGET /hidden b",
        "${A}: one of the paths can never match; in the ini itself it would be named",
    ),
    "rules and a public path": (
        {"required_scopes": "${A}", "public_paths": "/hidden"},
        "* /hidden a",
        "${A}: one of the paths can never match; in the ini itself it would be named",
    ),
    "files": (
        {"issuer": "https://a.example", "signing_key_files": "/gone/${A}.pem"},
        "hidden",
        "${A}: /gone/${A}.pem: it cannot be read (No such file or directory)",
    ),
    "a store": ({"store": "mysql://${A}/x"}, "hidden", "${A}: expected "),
    "a part of a word": ({"store": "x${A}"}, "hidden", "${A}: expected "),
    "an encoded value": ({"store": "mysql://h/${A}/"}, "hidden \\é", "${A}: expected "),
    "a value with a quote": ({"store": "x${A}"}, "hidden\\\"'", "${A}: expected "),
    "a part of a file": (
        {"issuer": "https://a.example", "signing_key_files": "/gone${A}.pem"},
        "hidden",
        "${A}: /gone${A}.pem: it cannot be read",
    ),
    "a module": (
        {"on_refusal": "${A}"},
        "hidden.module:name",
        f"${{A}}: it cannot be used; the option means: {OPTIONS['on_refusal'].metadata['help']}",
    ),
    "a line break": ({"store": "redis://:${A}@h/0"}, "hidden\n", "${A}: the value has a line break"),
    "a URL in quotes": ({"store": "${A}"}, "'redis://:hidden@h/0'", "${A}: expected a store URL, without quotes"),
    "a database": ({"store": "${A}"}, "redis://:hidden@h/hidden", "${A}: Redis URL: expected a number from 0 to 10000"),
    "a whole URL": ({"store": "${A}"}, "mysql://user:hidden@hidden/x", "${A}: expected "),
}


@pytest.mark.parametrize(("section", "value", "says"), TOGETHER.values(), ids=TOGETHER)
def test_a_fault_of_several_options_names_it_too(monkeypatch, section, value, says):
    monkeypatch.setenv("A", value)

    ((_, text),) = faults_of(**section)

    assert text.startswith(says) and "hidden" not in text


@pytest.mark.parametrize("here", ["/", "/cache", "/my cache"])
def test_a_url_encodes_a_value_wherever_the_ini_lies(monkeypatch, here):
    monkeypatch.setenv("A", "p@/")
    url = f"rediss://:${{A}}@cache{here}?ssl_ca_certs={here}/ca.pem"

    assert ini_options({"here": here}, {"store": url}, Faults())["store"] == url.replace("${A}", "p%40%2F")
