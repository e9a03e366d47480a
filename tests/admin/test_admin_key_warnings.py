"""What an operator should know about signing keys."""

from __future__ import annotations

import pytest

from oauth_mw import ConfigError, admin
from oauth_mw.keys.keypair import make

LEAD = 302
SECRET, OTHER = "correct horse battery", "staple of the battery"

STORE_KINDS = ["memory"]


@pytest.fixture
def rotate(store, clock):
    return lambda **options: admin.rotate_key(store, **{"lead": LEAD, "clock": clock, **options})


def test_no_key_is_named_whether_or_not_there_is_a_store(store):
    for place in (store, None):
        (warning,) = admin.key_warnings(place, secret=SECRET)
        assert "the first use makes it" in warning


def test_a_key_in_the_clear_is_named_and_one_that_is_encrypted_is_not(store, rotate, clock):
    first = rotate()
    (not_set,) = admin.key_warnings(store, secret=None)
    rotate(secret=SECRET)
    (older,) = admin.key_warnings(store, secret=SECRET, clock=clock)

    assert not_set.startswith("key_encryption_secret: is not set")
    assert f"in the clear: {first.kid}" in older


def test_keys_that_are_to_sign_and_cannot_be_read_are_named(store, rotate, clock):
    made = [rotate(secret=SECRET).kid for _ in range(2)]

    assert admin.key_warnings(store, secret=SECRET, clock=clock) == []
    for secret in (OTHER, None):
        assert f"does not decrypt {', '.join(made)}" in admin.key_warnings(store, secret=secret, clock=clock)[-1]


def test_an_old_key_need_not_be_read(store, rotate, clock):
    rotate(secret=OTHER)
    rotate(secret=SECRET)
    clock.move(LEAD)

    assert admin.key_warnings(store, secret=SECRET, clock=clock) == []


def test_files_are_judged_in_place_of_the_store(store, tmp_path):
    paths = [tmp_path / "1.pem", tmp_path / "2.pem"]
    for path, mode in zip(paths, (0o600, 0o644), strict=True):
        path.write_text(make("ES256").pem(SECRET))
        path.chmod(mode)
    files = list(map(str, paths))

    (warning,) = admin.key_warnings(store, secret=SECRET, files=files)

    assert warning == f"signing_key_files: every user of this machine can read {files[1]}"
    with pytest.raises(ConfigError, match="signing_key_files"):
        admin.key_warnings(store, secret=OTHER, files=files)
