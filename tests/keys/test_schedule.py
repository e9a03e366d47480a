"""What each change makes of a store's signing keys."""

from __future__ import annotations

import pytest

from helpers.builders import NOW
from oauth_mw.errors import NotFound
from oauth_mw.keys.schedule import MARGIN_SECONDS, with_key, with_need, without_key
from oauth_mw.model import KeyRecord, KeySet


def record(kid, signs_from, needed_until=0):
    return KeyRecord(kid, "ES256", "{}", "", NOW, signs_from, needed_until)


FIRST, SECOND = record("one", NOW), record("two", NOW + 60)
TWO = KeySet((FIRST, SECOND))


def kids(keys):
    return [key.kid for key in keys.keys]


@pytest.mark.parametrize(
    ("before", "latest", "after"),
    [
        (KeySet(), "", ["three"]),
        (TWO, "two", ["one", "two", "three"]),
        *((TWO, kid, ["one", "two"]) for kid in ("", "one")),
    ],
    ids=["the first", "the next", "others saw none", "others saw another"],
)
def test_a_key_comes_after_the_one_that_was_seen_to_be_the_latest(before, latest, after):
    assert kids(with_key(before, record("three", NOW + 120), latest, NOW)) == after


def test_a_key_is_added_once():
    assert with_key(TWO, record("one", NOW + 120), "two", NOW) == TWO


@pytest.mark.parametrize(("needed_until", "after"), [(NOW, ["two", "three"]), (NOW + 61, ["one", "two", "three"])])
def test_a_key_that_is_needed_no_longer_goes_with_the_next(needed_until, after):
    keys = KeySet((record("one", NOW, needed_until), SECOND))
    now = NOW + 61 + MARGIN_SECONDS

    assert kids(with_key(keys, record("three", now), "two", now)) == after


@pytest.mark.parametrize(("asked", "kept"), [([5], 5), ([5, 3], 5), ([NOW, NOW + 10**6], NOW + 10**6)])
def test_a_key_is_kept_until_the_last_second_that_was_asked_for(asked, kept):
    keys = TWO
    for until in asked:
        keys = with_need(keys, "one", until)

    assert keys.keys == (FIRST._replace(needed_until=kept), SECOND)


def test_a_key_that_is_gone_cannot_be_needed():
    assert with_need(TWO, "three", NOW) == TWO


def test_a_key_is_removed_once():
    left = without_key(TWO, "two")

    assert left.keys == (FIRST,)
    with pytest.raises(NotFound):
        without_key(left, "two")
