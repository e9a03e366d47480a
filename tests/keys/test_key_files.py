"""Signing keys from PEM files."""

from __future__ import annotations

import os
import shutil
import subprocess
from base64 import b64decode
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from oauth_mw import ConfigError
from oauth_mw.keys import MAX_PEM_BYTES
from oauth_mw.keys.files import FileKeys, access_warnings
from oauth_mw.keys.keypair import ALGORITHMS, Key, from_pem, make

PASSWORD = "correct horse é battery"
PRIVATE = "-----BEGIN PRIVATE KEY-----"
PARAMETERS = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"

NO_KEYS = {
    "empty": "",
    "no ASCII": "é",
    "cut": PRIVATE,
    "no key": f"{PRIVATE}\nAAAA\n-----END PRIVATE KEY-----",
    "no public key": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
    "long": "x" * MAX_PEM_BYTES,
}


@pytest.fixture
def put(tmp_path):
    """Write a file that its owner alone may read; a key as its private key."""

    def put(name, text):
        path = tmp_path / name
        path.write_text(text.pem() if isinstance(text, Key) else text, encoding="latin-1")
        path.chmod(0o600)
        return str(path)

    return put


@pytest.fixture(scope="module")
def keys():
    """Two keys on P-256."""
    return [make("ES256") for _ in range(2)]


@pytest.fixture(scope="module")
def encrypted_of():
    """A key for an algorithm, and its PEM, encrypted with PASSWORD."""

    @cache
    def encrypted(algorithm):
        key = make(algorithm)
        return key, key.pem(PASSWORD)

    return encrypted


def native(key, form=PrivateFormat.PKCS8):
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def public(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(scope="module")
def p256():
    return ec.generate_private_key(ec.SECP256R1())


def refused(*paths, password=None):
    with pytest.raises(ConfigError) as refusal:
        FileKeys(paths, password)
    assert refusal.value.option == "signing_key_files"
    return str(refusal.value)


def test_the_first_signs_all_verify_and_files_are_read_once(put, p256):
    first, second = make("ES256"), make("EdDSA")
    paths = [put("1", first), put("2", second), put("3", public(p256))]
    keys = FileKeys(paths, None)
    for path in paths:
        os.unlink(path)

    assert keys.signing(2**32 - 1).kid == first.kid
    assert [keys.find(each.kid).verify(b"m", each.sign(b"m")) for each in (first, second)] == [True, True]
    assert keys.find("unknown") is None
    assert [each["alg"] for each in keys.public()] == ["ES256", "EdDSA", "ES256"]
    assert not any("d" in each for each in keys.public())


def test_a_password_opens_what_is_encrypted_and_what_is_not_needs_none(put, keys, encrypted_of):
    key, pem = encrypted_of("ES256")

    found = FileKeys([put("1", pem), put("2", keys[0])], PASSWORD).public()

    assert [each["kid"] for each in found] == [key.kid, keys[0].kid]


def test_each_form_of_a_pem_is_read(put, p256):
    traditional = native(p256, PrivateFormat.TraditionalOpenSSL)
    rsa_key = rsa.generate_private_key(65537, 2048)
    texts = [native(p256), traditional, PARAMETERS + traditional, native(rsa_key, PrivateFormat.TraditionalOpenSSL)]
    algorithms = [FileKeys([put("1", text)], None).signing(0).algorithm for text in texts]

    assert algorithms == ["ES256"] * 3 + ["RS256"]


WEAK = {
    "another curve": lambda: ec.generate_private_key(ec.SECP384R1()),
    "a curve that joserfc does not support": lambda: ec.generate_private_key(ec.BrainpoolP256R1()),
    "short": lambda: rsa.generate_private_key(65537, 1024),
    "for no signatures": x25519.X25519PrivateKey.generate,
    "for no algorithm of ours": lambda: dsa.generate_private_key(1024),
}


@pytest.mark.parametrize("make", WEAK.values(), ids=WEAK)
def test_an_unfit_key_is_refused(put, make):
    said = refused(put("1", native(make())))

    assert said.endswith("1: expected a key on P-256 or Ed25519, or RSA with 2048 bits or more")


def test_an_unfit_public_key_is_refused(put, keys):
    other = put("2", public(ec.generate_private_key(ec.SECP384R1())))

    assert "P-256" in refused(put("1", keys[0]), other)


def test_without_its_password_a_key_is_refused(put, encrypted_of):
    path = put("1", encrypted_of("ES256")[1])

    for password in (None, "", "wrong" * 4):
        assert refused(path, password=password).startswith(
            f"signing_key_files: {path}: it is not a PEM of a private key"
        )


def test_a_public_key_does_not_sign(put, p256):
    assert "holds only a public key" in refused(put("1", public(p256)))


@pytest.mark.parametrize("second", [native, public])
def test_no_key_may_occur_twice(put, p256, second):
    assert "2: it holds the same key" in refused(put("1", native(p256)), put("2", second(p256)))


@pytest.mark.parametrize("text", NO_KEYS.values(), ids=NO_KEYS)
def test_a_file_without_a_key_is_refused_and_not_shown(put, keys, text):
    said = refused(put("1", keys[0]), put("2", text))

    assert "2: it is not a PEM of a p" in said and "AAAA" not in said


def test_a_fault_shows_nothing_of_the_key(put, p256):
    text = native(p256)
    said = refused(put("1", text.replace("\n", "!\n", 2)))

    assert not any(line in said for line in text.splitlines()[1:-1])


def test_a_missing_or_irregular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    assert refused(f"{tmp_path}/no.pem").endswith("no.pem: it cannot be read (No such file or directory)")
    for path in (tmp_path, tmp_path / "pipe"):
        assert refused(str(path)).endswith("not a regular file")
    assert "at least one" in refused()


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_may_write_is_refused(put, keys, mode):
    path = put("1", keys[0])
    os.chmod(path, mode)

    assert "other users can write it" in refused(path)


def test_files_of_private_keys_that_all_users_can_read_are_named(put, keys, p256, tmp_path):
    paths = [put("1", keys[0]), put("2", keys[1]), put("3", make("ES256")), put("4", public(p256))]
    for path, mode in zip(paths, (0o600, 0o640, 0o644, 0o644), strict=True):
        os.chmod(path, mode)
    (tmp_path / "link").symlink_to(paths[2])

    read = [f"every user of this machine can read {path}: chmod o-r" for path in (paths[2], f"{tmp_path}/link")]
    assert access_warnings([*paths, f"{tmp_path}/link"]) == read
    assert FileKeys(paths, None).signing(0)


# The PEMs themselves

HEX_ROUNDS = "0203" + (600_000).to_bytes(3).hex()  # as an integer in DER
slow = [pytest.param(algorithm, marks=pytest.mark.slow) for algorithm in ALGORITHMS if algorithm != "RS256"]


@pytest.mark.parametrize("algorithm", ["RS256", *slow])
def test_an_encrypted_pem_is_read_by_us_and_by_openssl(encrypted_of, algorithm):
    key, pem = encrypted_of(algorithm)

    assert from_pem(pem, PASSWORD).kid == key.kid
    if shutil.which("openssl"):
        command = ["openssl", "pkey", "-passin", f"pass:{PASSWORD}"]
        read = subprocess.run(command, input=pem, capture_output=True, text=True)
        assert read.stdout == key.pem(), read.stderr


def test_each_guess_of_a_password_costs_600_000_rounds_and_no_two_pems_of_a_key_are_alike(encrypted_of):
    key, pem = encrypted_of("ES256")
    first, second = pem.splitlines(), key.pem(PASSWORD).splitlines()

    assert (first[0], first[-1]) == ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----END ENCRYPTED PRIVATE KEY-----")
    assert HEX_ROUNDS in b64decode("".join(first[1:-1])).hex()
    assert set(first[1:-1]) & set(second[1:-1]) == set()


@pytest.mark.parametrize("password", ["ab", "password12345678", "x" * 500])
def test_what_others_encrypted_is_read_whatever_the_password(p256, password):
    encryption = BestAvailableEncryption(password.encode())

    pem = p256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()

    assert from_pem(pem, password).algorithm == "ES256"
