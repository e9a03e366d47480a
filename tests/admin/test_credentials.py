"""Secrets: generated, judged, kept and compared."""

from __future__ import annotations

import re
from hashlib import sha256

import pytest

from oauth_mw import AdminError, credentials
from oauth_mw.credentials import (
    MAX_SECRETS,
    check_secret,
    hash_secret,
    live_secret,
    matching_verifier,
    new_client_id,
    new_secret,
    verifiers_of,
)
from oauth_mw.model import Client, ClientSecret

GOOD = "v9Q2mX7tLr4KpZ8w"


def client_with(*secrets: ClientSecret) -> Client:
    return Client("reader", "Reader", secrets=secrets)


def matching(text: str, client: Client, now: float = 0) -> ClientSecret | None:
    verifier = matching_verifier(text, verifiers_of(client))
    return live_secret(client, verifier, now) if verifier else None


@pytest.mark.parametrize("make", [new_client_id, new_secret])
def test_what_is_generated_encodes_to_itself(make):
    assert re.fullmatch(r"[A-Za-z0-9]{20,}", make())


def test_generated_secrets_have_256_bits():
    assert 62 ** len(new_secret()) >= 2**256


def test_two_hashes_of_a_secret_differ():
    assert hash_secret(GOOD).digest != hash_secret(GOOD).digest


def test_any_of_the_live_secrets_matches():
    first, second = hash_secret(GOOD), hash_secret(GOOD + "2")

    assert matching(GOOD + "2", client_with(first, second)) == second


@pytest.mark.parametrize(("now", "good"), [(99, True), (100, False)], ids=["before", "at its end"])
def test_a_secret_ends_with_its_time(now, good):
    assert (matching(GOOD, client_with(hash_secret(GOOD, not_after=100)), now) is not None) is good


@pytest.mark.parametrize("near", [GOOD[:-1], GOOD + "\0", GOOD.lower(), " " + GOOD, GOOD + "\n", "ü", ""])
def test_a_near_miss_is_no_match(near):
    assert matching(near, client_with(hash_secret(GOOD))) is None


def test_nobody_has_no_secret():
    assert matching_verifier(GOOD, b"") is None


@pytest.mark.parametrize("count", [1, MAX_SECRETS, MAX_SECRETS + 2])
def test_blank_verifiers_fit_no_secret(count):
    assert matching_verifier(GOOD, bytes(48 * count)) is None


def test_a_secret_that_the_client_has_no_more_does_not_match():
    verifier = verifiers_of(client_with(hash_secret(GOOD)))

    assert live_secret(client_with(hash_secret(GOOD)), verifier, 0) is None


def test_a_hash_shows_nothing_of_itself():  # L-02
    secret = hash_secret(GOOD)

    assert secret.digest.hex() not in repr(secret) and repr(secret.digest) not in repr(secret)


@pytest.mark.parametrize(
    "weak",
    [
        "short",
        "aaaaaaaaaaaaaaaaaaaa",
        "abcabcabcabcabcabc",
        "passwordpassword1",
        "abcdefghijklmnop",
        "a-reader-4Kp9Zw2m",
    ],
)
def test_a_guessable_secret_is_refused_unless_it_is_let_through(weak):
    with pytest.raises(AdminError, match="weak"):
        check_secret(weak, "reader")

    assert check_secret(weak, "reader", allow_weak=True) is True


def test_a_good_secret_is_not_weak():
    assert check_secret(GOOD, "reader") is False


@pytest.mark.parametrize("bad", ["", "tab\tin it, long enough", "umlaut ü, long enough", "x" * 1025])
def test_a_secret_that_cannot_be_sent_is_never_let_through(bad):
    with pytest.raises(AdminError, match="printable"):
        check_secret(bad, "reader", allow_weak=True)


@pytest.mark.parametrize("known", [0, 1, 2, MAX_SECRETS], ids=["unknown", "one secret", "two secrets", "all secrets"])
@pytest.mark.parametrize("presented", [GOOD, GOOD[:-1]], ids=["right", "wrong"])
def test_known_and_unknown_clients_cost_the_same_hashes(known, presented, monkeypatch):
    secrets = [hash_secret(GOOD + "2" * number) for number in range(known)]
    verifiers, hashes = verifiers_of(client_with(*secrets)), []
    monkeypatch.setattr(credentials, "sha256", lambda data: (hashes.append(len(data)), sha256(data))[1])

    matching_verifier(presented, verifiers)

    assert hashes == [16 + len(presented)] * MAX_SECRETS
