"""Signing keys, from the operator's side, through the Python API."""

from __future__ import annotations

import json
import sys

import pytest

from helpers.builders import NOW, log_of
from helpers.changes import add_key
from oauth_mw import AdminError, ConfigError, NotFound, admin
from oauth_mw.keys import JWKS_MAX_AGE, lead_seconds
from oauth_mw.keys.keypair import from_pem, make
from oauth_mw.keys.ring import KeyRing
from oauth_mw.keys.schedule import MARGIN_SECONDS
from oauth_mw.model import KeyRecord

pytestmark = pytest.mark.usefixtures("few_rounds")
STORE_KINDS = ["memory"]

LEAD = 302
SECRET, OTHER = "correct horse battery", "staple of the battery"
PASSWORD = "correct horse staple é"


@pytest.fixture
def rotate(store, clock):
    return lambda **options: admin.rotate_key(store, **{"lead": LEAD, "clock": clock, **options})


@pytest.fixture
def signs(store, clock):
    """The id of the key that a worker signs with."""

    def signs(secret=None):
        ring = KeyRing(store, clock, clock, algorithm="ES256", lifetime=None, lead=LEAD, secret=secret)
        return ring.signing(int(clock()) + 60).kid

    return signs


@pytest.fixture
def states(store, clock):
    return lambda: {key.kid: key.state for key in admin.list_keys(store, clock=clock)}


def test_a_key_is_published_longer_than_anybody_keeps_a_key_set():
    assert [lead_seconds(lag) - JWKS_MAX_AGE for lag in (0, 1, 0.5)] == [1, 2, 2]


# Rotation


def test_a_key_is_signing_at_once_if_it_is_the_first_else_next_until_the_lead_is_over(rotate, states, signs, clock):
    first, second = rotate(), rotate()
    assert (first.algorithm, first.state, first.signs_from, first.needed_until) == ("ES256", "signing", NOW, 0)

    found = []
    for seconds in (0, LEAD - 1, 1, 60 + 3600 + MARGIN_SECONDS - 1, 1):
        clock.move(seconds)
        found.append(states())
        if seconds == LEAD - 1:
            signs()
    assert [list(each.values()) for each in found] == [
        ["signing", "next"],
        ["signing", "next"],
        ["verifying", "signing"],
        ["verifying", "signing"],
        ["expired", "signing"],
    ]
    assert list(found[0]) == [first.kid, second.kid]


def test_only_in_an_emergency_is_a_next_key_followed_by_another_which_signs_at_once(rotate, states, signs, clock):
    rotate()
    waiting = rotate()
    with pytest.raises(AdminError, match=f"already waiting: {waiting.kid}"):
        rotate()
    assert len(states()) == 2
    clock.move(1)

    made = rotate(at_once=True)

    assert (made.state, signs()) == ("signing", made.kid)


def test_the_algorithm_is_that_of_the_last_key_unless_another_is_given(rotate, states, clock):
    with pytest.raises(AdminError, match="ES256, EdDSA, RS256"):
        rotate(algorithm="HS256")
    assert states() == {}

    made = []
    for algorithm in ("EdDSA", None, "ES256"):
        made.append(rotate(algorithm=algorithm, at_once=True).algorithm)
        clock.move(1)

    assert made == ["EdDSA", "EdDSA", "ES256"]


def test_a_private_key_is_encrypted_with_the_secret_and_then_none_is_left_unencrypted(
    store, rotate, signs, states, clock
):
    first = rotate(secret=SECRET)
    for attempt in (rotate, lambda: admin.retire_key(store, first.kid)):
        with pytest.raises(AdminError, match="key_encryption_secret"):
            attempt()
    assert (first.encrypted, len(states())) == (True, 1)

    # The secret is changed by a rotation.
    second = rotate(secret=OTHER)
    clock.move(LEAD)

    assert (signs(SECRET), signs(OTHER)) == (first.kid, second.kid)


# Retirement


def test_a_key_that_is_retired_is_removed_and_the_log_says_so(store, rotate, states, clock):
    first, second = rotate(), rotate()
    before = log_of(store)
    clock.move(LEAD)
    with pytest.raises(NotFound, match="'nope'"):
        admin.retire_key(store, "nope")

    assert admin.retire_key(store, first.kid, clock=clock) is None

    assert states() == {second.kid: "signing"}
    assert len(store.read_log(before.store_id, before.position).events) == 1


def test_in_place_of_the_key_that_signs_a_new_one_does(store, rotate, states, signs, clock):
    rotate()
    clock.move(LEAD)
    first, second = rotate(at_once=True), rotate()
    clock.move(1)

    waited = []
    new = admin.retire_key(store, first.kid, clock=clock, wait=lambda seconds: waited.append((seconds, states())))

    # While workers may still sign with the old key, its tokens are good.
    ((seconds, meanwhile),) = waited
    assert seconds >= 1.5 and meanwhile[first.kid] == "verifying"
    assert signs() == new.kid != second.kid
    assert first.kid not in states()
    assert states()[second.kid] == "next"


# From elsewhere, and to


def test_an_imported_key_is_the_next(store, rotate, signs, clock):
    rotate()
    key = make("EdDSA")

    got = admin.import_key(store, key.pem(PASSWORD), password=PASSWORD, secret=SECRET, lead=LEAD, clock=clock)

    assert (got.kid, got.algorithm, got.state, got.signs_from) == (key.kid, "EdDSA", "next", NOW + LEAD)
    clock.move(LEAD)
    assert signs(SECRET) == key.kid


def test_what_cannot_be_imported_is_refused(store, states):
    pem = make("EdDSA").pem(PASSWORD)
    refusals = {
        "with the password": {"password": "wrong"},
        "without a password": {"password": None},
        "for EdDSA, expected one for ES256": {"algorithm": "ES256"},
    }

    for says, change in refusals.items():
        with pytest.raises(AdminError, match=says):
            admin.import_key(store, pem, **{"password": PASSWORD, **change})
    assert states() == {}


def test_no_key_is_imported_twice_or_before_one_that_waits(store, rotate, clock):
    key = make("ES256").pem()
    admin.import_key(store, key, clock=clock)

    with pytest.raises(AdminError, match="already in the store"):
        admin.import_key(store, key, clock=clock)
    rotate()
    with pytest.raises(AdminError, match="already waiting"):
        admin.import_key(store, make("ES256").pem(), clock=clock)


def test_an_export_needs_the_secret_and_a_strong_password(store, rotate):
    made = rotate(secret=SECRET)
    passwords = ["", "ab", "password12345678", "correct horse\nstaple", "correct horse staple \udcff", PASSWORD * 10]

    for options in ({"secret": OTHER}, {"secret": None}, *({"password": each} for each in passwords)):
        with pytest.raises(AdminError):
            admin.private_key(store, made.kid, **{"secret": SECRET, "password": PASSWORD, **options})
    with pytest.raises(NotFound):
        admin.private_key(store, "nope", password=PASSWORD, secret=SECRET)
    pem = admin.private_key(store, made.kid, password=PASSWORD, secret=SECRET)

    assert pem.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert from_pem(pem, PASSWORD).kid == made.kid


def test_public_keys_are_those_of_keys_whose_tokens_are_valid(store, rotate, clock):
    first = rotate()
    assert admin.public_key(store, first.kid)["kid"] == first.kid
    rotate()
    clock.move(2 * MARGIN_SECONDS)

    (found,) = admin.public_keys(store, clock=clock)

    assert (found["kid"] != first.kid, "d" in found, found["use"]) == (True, False, "sig")
    with pytest.raises(NotFound):
        admin.public_key(store, "nope")


def test_nothing_private_is_shown(store, rotate):
    made = rotate()
    (record,) = store.read_keys().keys

    told = repr(made) + repr(record) + json.dumps(admin.public_keys(store)) + repr(admin.list_keys(store))

    assert not any(line in told for line in record.private.splitlines()[1:])


@pytest.mark.parametrize("attempt", ["rotate", "import"])
def test_a_weak_secret_encrypts_no_new_key(store, attempt):
    how = {"secret": "password12345678"}

    with pytest.raises(AdminError, match="key_encryption_secret is weak: it is made of well-known pieces"):
        admin.rotate_key(store, **how) if attempt == "rotate" else admin.import_key(store, make("ES256").pem(), **how)
    assert admin.list_keys(store) == []


# Warnings


def test_no_key_is_named_whether_or_not_there_is_a_store(store):
    for place in (store, None):
        (warning,) = admin.key_warnings(place, secret=SECRET)
        assert "made on first use" in warning


def test_an_unencrypted_key_is_named_and_one_that_is_encrypted_is_not(store, rotate, clock):
    first = rotate()
    (not_set,) = admin.key_warnings(store, secret=None)
    rotate(secret=SECRET)
    (older,) = admin.key_warnings(store, secret=SECRET, clock=clock)

    assert not_set.startswith("key_encryption_secret: is not set")
    assert f"unencrypted: {first.kid}" in older


def test_keys_that_are_to_sign_and_cannot_be_read_are_named_and_old_ones_are_not(store, rotate, clock):
    made = [rotate(secret=SECRET).kid for _ in range(2)]

    assert admin.key_warnings(store, secret=SECRET, clock=clock) == []
    assert f"does not decrypt {', '.join(made)}" in admin.key_warnings(store, secret=None, clock=clock)[-1]
    clock.move(LEAD)
    assert f"does not decrypt {made[1]}:" in admin.key_warnings(store, secret=OTHER, clock=clock)[-1]


def test_files_are_checked_in_place_of_the_store(store, tmp_path):
    paths = [tmp_path / "1.pem", tmp_path / "2.pem"]
    for path, mode, secret in zip(paths, (0o600, 0o644), (SECRET, None), strict=True):
        path.write_text(make("ES256").pem(secret))
        path.chmod(mode)
    files = list(map(str, paths))

    (warning,) = admin.key_warnings(store, secret=SECRET, files=files)

    assert warning == f"signing_key_files: every user of this machine can read {files[1]}: chmod o-r"
    with pytest.raises(ConfigError, match="signing_key_files"):
        admin.key_warnings(store, secret=OTHER, files=files)


# Without the extra


def test_without_joserfc_keys_can_be_seen_and_the_extra_is_named(store, monkeypatch, clock):
    add_key(store, KeyRecord("one", "ES256", "{}", "-----BEGIN", NOW, NOW), "")
    monkeypatch.setitem(sys.modules, "joserfc", None)

    assert [key.kid for key in admin.list_keys(store, clock=clock)] == ["one"]
    for attempt in (
        lambda: admin.rotate_key(store),
        lambda: admin.import_key(store, ""),
        lambda: admin.retire_key(store, "one"),
        lambda: admin.private_key(store, "one", password=PASSWORD),
        lambda: admin.key_warnings(store, secret=None),
    ):
        with pytest.raises(ConfigError, match=r"pip install 'oauth_mw\[jwt\]'"):
            attempt()
