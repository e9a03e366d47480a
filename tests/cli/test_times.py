from __future__ import annotations

import time

import pytest

from oauth_mw.cli.times import parse_past

MOMENTS = {
    "1800000000": 1_800_000_000,
    "2027-01-15T08:00:00Z": 1_800_000_000,
    "2027-01-15T08:00:00.001+00:00": 1_800_000_001,  # tokens say the second of their issue, rounded down
    "1950-01-01": 0,
}


@pytest.mark.parametrize(("text", "moment"), MOMENTS.items())
def test_a_moment_is_in_whole_seconds_rounded_up(text, moment):
    assert parse_past(text) == moment


@pytest.mark.parametrize(("text", "seconds"), [("0s", 0), ("90s", 90), ("2h", 7200), ("3w", 1_814_400)])
def test_a_number_with_a_unit_is_so_long_ago(text, seconds):
    assert parse_past(text) == pytest.approx(time.time() - seconds, abs=2)
