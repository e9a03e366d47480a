"""What ``oauth-mw check`` says about signing keys."""

from __future__ import annotations

import pytest

from oauth_mw import admin, open_store

SECRET = "correct horse battery"
ISSUER = "issuer = https://auth.example"


@pytest.fixture
def made(url):
    """A store whose key is encrypted."""
    store = open_store(url, create=True)
    admin.rotate_key(store, secret=SECRET)
    store.close()


def test_a_key_that_the_secret_opens_is_no_warning_and_one_that_it_does_not_open_is(found, made):
    good, not_set, other = (
        found(ISSUER, *more)["warnings"]
        for more in ([f"key_encryption_secret = {SECRET}"], [], ["key_encryption_secret = another horse battery"])
    )

    assert good == []
    assert not_set[0].startswith("key_encryption_secret: is not set,")
    assert "does not decrypt" in other[0]


def test_a_weak_secret_is_refused_with_what_to_do_and_not_shown(check, made):
    answer = check(ISSUER, "key_encryption_secret = password12345678")

    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("Error: key_encryption_secret: ") and "openssl rand -hex 32" in answer.stderr
    assert "password12345678" not in answer.stderr


def test_without_an_issuer_nothing_is_signed_and_no_key_is_named(found, made):
    assert found()["warnings"] == []


def test_a_comment_behind_the_secret_is_refused_without_either(check, made):
    answer = check(f"key_encryption_secret = {SECRET} # hidden")

    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("Error: key_encryption_secret: a comment behind a value")
    assert "hidden" not in answer.stderr and SECRET not in answer.stderr


def test_a_store_that_is_not_there_has_no_key_yet(found):
    warnings = found(ISSUER, f"key_encryption_secret = {SECRET}")["warnings"]

    assert [each.partition(": ")[0] for each in warnings] == ["store", "token_format"]
