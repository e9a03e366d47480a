"""How rates are written."""

from __future__ import annotations

import pytest

from oauth_mw.rates import Rate, parse_rate

RATES = {"1/second": (1, 1), "20/minute": (20, 60), "1000000000/hour": (10**9, 3600), "5/day": (5, 86_400)}
BAD = ["", "20", "/minute", "0/minute", "-1/minute", "+1/minute", "1.5/minute", "1e3/minute", "01/minute", "1/ minute"]
BAD += [
    "20/minutes",
    "20/Minute",
    "20/min",
    "20 per minute",
    "20/60",
    "1000000001/hour",
    "9" * 400 + "/day",
    "\u0662/day",
]


@pytest.mark.parametrize(("text", "rate"), RATES.items())
def test_a_rate_is_an_amount_within_a_unit(text, rate):
    assert parse_rate(text) == Rate(*rate)


@pytest.mark.parametrize("text", BAD)
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="^expected a rate such as 100/minute"):
        parse_rate(text)
