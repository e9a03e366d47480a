"""A fork may come between any two steps of the cache: each of them leaves it whole."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from helpers.builders import HOUR
from oauth_mw.model import AccessToken, Revocation
from oauth_mw.tokens.cache import Segment


def token(number: int) -> AccessToken:
    return AccessToken(f"client-{number}", "", frozenset(), bytes([number]).hex(), 0, HOUR)


@pytest.mark.parametrize(
    "ended", [Revocation(1, "", bytes([3])), Revocation(1, "client-3")], ids=["a token", "a client"]
)
def test_between_any_two_steps_the_log_can_name_all_that_the_guard_can_find(ended):
    segment, named = Segment(), []

    def look(frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code in (Segment.add.__code__, Segment.evict.__code__):
            named.append(segment.by_digest.keys() <= set(segment.digests.values()))
            return look
        return None

    sys.settrace(look)
    for number in range(5):
        segment.add(bytes([number]) * 32, token(number))
    segment.evict(ended)
    sys.settrace(None)

    assert all(named) and len(named) > 15
    assert len(segment.by_digest) == 4
