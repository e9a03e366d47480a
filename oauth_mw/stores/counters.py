"""Which counters are at their limits: the same for every store."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Count


def full_places(counts: Sequence[Count], values: Sequence[int]) -> tuple[int, ...]:
    """The places of those counts whose counters are at their limits.

    :param values: of the counters, before anything is counted.
    """
    return tuple(
        place
        for place, (count, value) in enumerate(zip(counts, values, strict=True))
        if count.limit is not None and value >= count.limit
    )
