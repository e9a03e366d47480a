"""What the audit trail costs, with a handler that writes to a file."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from itertools import repeat
from time import process_time_ns

from by_hand import bare
from filled import Filled
from measure import Variant, added, microseconds, ratio, round_robin
from report import Row, times_row
from variants import HOT, ISSUES, RULES, by_hand, floor_of, issuing, request, token_request, with_token

from oauth_mw import OAuthMiddleware
from oauth_mw.background import flush


class Written:
    """While this is entered, the trail is written to a file; ``times`` has what writing took in the end, each time."""

    def __init__(self, path: str) -> None:
        self._log = logging.getLogger("oauth_mw.audit")
        self._handler = logging.FileHandler(path, delay=True)
        self.times: list[float] = []

    def __enter__(self) -> None:
        self._log.addHandler(self._handler)

    def __exit__(self, *error: object) -> None:
        started = process_time_ns()
        flush(60)  # the thread rests at first, so nothing is written during a batch
        self.times.append(process_time_ns() - started)
        self._log.removeHandler(self._handler)
        self._handler.close()


def audit_rows(folder: str, filled: Filled, rounds: int) -> Iterator[Row]:
    """Rows beside those without the trail, in which the time is that of the request's own thread."""
    tokens = filled.tokens[:HOT]
    hits, accepted, issues = (Written(os.path.join(folder, f"{name}.log")) for name in ("hits", "accepted", "issues"))
    app, every = (OAuthMiddleware(bare, store=filled.store, audit_accepted=each, **RULES) for each in (False, True))
    variants = [
        Variant("bare", bare, repeat([request()] * HOT)),
        Variant("floor", floor_of(tokens), repeat([with_token(text) for text in tokens])),
        Variant("hits", app, repeat([with_token(text) for text in tokens]), around=hits),
        Variant("accepted", every, repeat([with_token(text) for text in tokens]), around=accepted),
        Variant("by hand", by_hand(folder, filled.count), repeat([token_request()] * ISSUES)),
        Variant("issues", issuing(filled), repeat([token_request()] * ISSUES), around=issues),
    ]
    times = round_robin(variants, rounds)
    floor = added(times, "floor", "bare")
    trail = "with a handler on `oauth_mw.audit`"
    yield times_row(f"accepted, cached token, {trail}", [ratio(added(times, "hits", "bare"), floor)], "floors", 1.5)
    yield times_row("the same with `audit_accepted`", [ratio(added(times, "accepted", "bare"), floor)], "floors")
    yield times_row(f"token issued, opaque, SQLite, {trail}", [ratio(times["issues"], times["by hand"])], "× by hand")
    written = [each / HOT for each in accepted.times[-rounds:]]
    yield times_row("an event that its thread writes to a file", [microseconds(written)], "µs")
