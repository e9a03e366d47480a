"""What one process has counted, as plain numbers: counting an accepted request must cost next to nothing.

CPython switches threads at calls and at jumps back, never between the load and the store of ``x.n += 1`` or
``d[key] += 1`` with numbers, and keys that are strings or tuples of them. So no count is lost, without a lock.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from weakref import WeakSet

# Upper bounds of the store's latencies, in seconds.
BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# The calls of a store that reach the engine while requests are served.
OPERATIONS = (
    "find_verifiers",
    "find_client",
    "update_client",
    "add_token",
    "find_token",
    "revoke_token",
    "revoke_log_only",
    "remember_once",
    "count",
    "note_uses",
    "sweep",
    "read_keys",
    "update_keys",
    "verify",
    "read_log",
    "read_denylist",
)

MAX_CLIENTS = 1000  # with an id of their own in labels, in each process
OTHER = "other"

Labels = tuple[str, ...]


class Latencies:
    """Of one operation: how many calls took at most each of ``BOUNDS``, and more; and all of them together."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


class Counts:
    """The numbers of one middleware in this process. A fork begins with none.

    :ivar cached: requests whose token the cache returned at once; ``expired`` are those whose token had expired.
    :ivar found: requests with a valid token that it did not return at once.
    :ivar late: requests that the guard refused although their token is valid; ``refused`` are all.
    :ivar public: requests that it passed without a token.
    :ivar fresh: valid tokens that were read because they were not cached; ``reads`` counts all reads.
    :ivar accepted_of: accepted requests by client, with ``metrics_client_ids``.
    :ivar copied: what is in the files of multiprocess mode.
    """

    __slots__ = (
        "__weakref__",
        "_accepted",
        "_clients",
        "_hits",
        "accepted_of",
        "cached",
        "copied",
        "copied_latencies",
        "errors",
        "expired",
        "found",
        "fresh",
        "issued",
        "late",
        "latencies",
        "public",
        "reads",
        "refusals",
        "refused",
        "revoked",
        "unavailable",
    )

    def __init__(self) -> None:
        self.reset()
        _all.add(self)

    def reset(self) -> None:
        self.cached = self.expired = self.found = self.late = self.reads = self.fresh = 0
        self.public = self.refused = self.unavailable = self.revoked = self._accepted = self._hits = 0
        self.issued: defaultdict[Labels, int] = defaultdict(int)
        self.refusals: defaultdict[Labels, int] = defaultdict(int)
        self.accepted_of: defaultdict[str, int] = defaultdict(int)
        self.errors: defaultdict[Labels, int] = defaultdict(int)
        self.latencies = {name: Latencies() for name in OPERATIONS}
        self._clients: set[str] = set()
        self.copied: dict[Labels, float] = {}
        self.copied_latencies: dict[str, tuple[Sequence[int], float]] = {}

    def label_of(self, client_id: str) -> str:
        """Return the id as a label; ``OTHER`` if there are too many others already."""
        if client_id in self._clients:
            return client_id
        if len(self._clients) >= MAX_CLIENTS:
            return OTHER
        self._clients.add(client_id)
        return client_id

    # No number becomes smaller because of a request that is under way.

    def hits(self) -> int:
        """Requests whose valid token was cached."""
        self._hits = max(self._hits, self.cached - self.expired + self.found - self.fresh)
        return self._hits

    def accepted(self) -> int:
        """Requests that the guard passed with a token."""
        self._accepted = max(self._accepted, self.cached - self.expired + self.found - self.late)
        return self._accepted

    def checks(self) -> Mapping[Labels, int]:
        return {
            ("accepted",): self.accepted(),
            ("refused",): self.refused,
            ("public",): self.public,
            ("unavailable",): self.unavailable,
        }


_all: WeakSet[Counts] = WeakSet()


def _reset() -> None:
    for counts in list(_all):
        counts.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset)
