"""Secrets: checked, stored and compared."""

from __future__ import annotations

import pytest

from oauth_mw import AdminError
from oauth_mw.credentials import MAX_SECRETS, check_secret, hash_secret, live_secret, matching_verifier, verifiers_of
from oauth_mw.model import Client

GOOD = "v9Q2mX7tLr4KpZ8w"


@pytest.mark.parametrize("count", [0, 1, MAX_SECRETS, MAX_SECRETS + 2])
def test_blank_verifiers_fit_no_secret(count):
    assert matching_verifier(GOOD, bytes(48 * count)) is None


def test_a_secret_that_the_client_has_no_more_does_not_match():
    before, after = (Client("reader", "Reader", secrets=(hash_secret(GOOD),)) for _ in range(2))

    assert live_secret(after, verifiers_of(before), 0) is None


WEAK = "short aaaaaaaaaaaaaaaaaaaa abcabcabcabcabcabc passwordpassword1 abcdefghijklmnop a-reader-4Kp9Zw2m".split()
WEAK += "P@ssw0rd-P@ssw0rd1 your-256-bit-secret my-secret-key-2026 supersecretkey123 openssl-rand-hex-32".split()


@pytest.mark.parametrize("weak", WEAK)
def test_a_guessable_secret_is_refused_unless_it_is_let_through(weak):
    with pytest.raises(AdminError, match="weak"):
        check_secret(weak, "reader")

    assert check_secret(weak, "reader", allow_weak=True) is True
    assert check_secret(GOOD, "reader", allow_weak=True) is check_secret(GOOD, "reader") is False


@pytest.mark.parametrize("bad", ["", "tab\tin it, long enough", "umlaut ü, long enough", "x" * 1025])
def test_a_secret_that_cannot_be_sent_is_never_let_through(bad):
    with pytest.raises(AdminError, match="printable"):
        check_secret(bad, "reader", allow_weak=True)
