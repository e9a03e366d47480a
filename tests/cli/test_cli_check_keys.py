"""What ``oauth-mw check`` says about signing keys."""

from __future__ import annotations

import json

import pytest

from oauth_mw import admin, open_store

SECRET = "correct horse battery"
ISSUER = "issuer = https://auth.example"


@pytest.fixture
def check(cli, tmp_path):
    """Check an ini with these lines; its store is ``oauth.db`` beside it."""

    def check(*lines):
        text = ["[filter:oauth]", "use = egg:oauth_mw", "store = sqlite:///%(here)s/oauth.db", *lines]
        (tmp_path / "app.ini").write_text("\n".join(text))
        (tmp_path / "app.ini").chmod(0o600)
        return cli("check", "app.ini", "--json", store=None)

    return check


@pytest.fixture
def made(url):
    """A store whose key is encrypted."""
    store = open_store(url, create=True)
    admin.rotate_key(store, secret=SECRET)
    store.close()


def warnings(answer):
    assert answer.exit_code == 0, answer.stderr
    return json.loads(answer.stdout)["warnings"]


def test_all_is_well_with_a_key_that_the_secret_opens(check, made):
    assert warnings(check(ISSUER, f"key_encryption_secret = {SECRET}")) == []


def test_a_secret_that_is_not_set_or_another_is_told(check, made):
    not_set, other = (check(ISSUER, *more) for more in ([], ["key_encryption_secret = another horse battery"]))

    assert [each.partition(",")[0] for each in warnings(not_set)][0] == "key_encryption_secret: is not set"
    assert "does not decrypt" in warnings(other)[0]


def test_a_weak_secret_is_refused_with_what_to_do_and_not_shown(check, made):
    answer = check(ISSUER, "key_encryption_secret = password12345678")

    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("Error: key_encryption_secret: ") and "openssl rand -hex 32" in answer.stderr
    assert "password12345678" not in answer.stderr


def test_a_store_that_is_not_there_has_no_key_yet(check):
    found = warnings(check(ISSUER, f"key_encryption_secret = {SECRET}"))

    assert [each.partition(": ")[0] for each in found] == ["store", "token_format"]


def test_without_an_issuer_nothing_is_signed_and_nothing_told(check, made):
    assert warnings(check()) == []


def test_a_comment_behind_the_secret_is_refused_without_either(check, made):
    answer = check(f"key_encryption_secret = {SECRET} # hidden")

    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("Error: key_encryption_secret: a comment behind a value")
    assert "hidden" not in answer.stderr and SECRET not in answer.stderr
