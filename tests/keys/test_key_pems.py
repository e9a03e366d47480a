"""Private keys as PEMs: how they are encrypted, and what can be read."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from oauth_mw.keys.keypair import ALGORITHMS, from_pem, make

PASSWORD = "correct horse staple é"
HEX_ROUNDS = "0203" + (600_000).to_bytes(3).hex()  # as an integer in DER


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_pem_is_read_back_with_its_password(algorithm):
    key = make(algorithm)

    assert from_pem(key.pem(PASSWORD), PASSWORD).kid == key.kid


def test_each_guess_of_a_password_costs_600_000_rounds_and_no_two_pems_of_a_key_are_alike():
    key = make("ES256")
    first, second = (key.pem(PASSWORD).splitlines() for _ in range(2))

    assert (first[0], first[-1]) == ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----END ENCRYPTED PRIVATE KEY-----")
    assert HEX_ROUNDS in b64decode("".join(first[1:-1])).hex()
    assert set(first[1:-1]) & set(second[1:-1]) == set()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the command openssl")
def test_openssl_reads_it(algorithm):
    key = make(algorithm)

    command = ["openssl", "pkey", "-passin", f"pass:{PASSWORD}"]
    read = subprocess.run(command, input=key.pem(PASSWORD), capture_output=True, text=True)

    assert read.stdout == key.pem(), read.stderr


@pytest.mark.parametrize("password", ["ab", "password12345678", "x" * 500])
def test_what_others_encrypted_is_read_whatever_the_password(password):
    native, encryption = generate_private_key(SECP256R1()), BestAvailableEncryption(password.encode())

    pem = native.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()

    assert from_pem(pem, password).algorithm == "ES256"


def test_without_its_password_it_is_not_read():
    pem = make("ES256").pem(PASSWORD)

    for password in (None, "", "another horse staple"):
        with pytest.raises(ValueError, match="no PEM of a private key that can be read"):
            from_pem(pem, password)
