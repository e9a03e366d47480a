"""Several processes on one store: how long they wait for each other, and what gets lost."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain, repeat
from multiprocessing import get_context
from statistics import median
from typing import Any

from by_hand import bare
from engines import Engine, SQLite
from filled import LIFETIME, Filled, add_expired, filled, key_of
from growth import figures
from measure import interval, percentile, ratio
from report import Row, spread_of
from variants import RULES, token_request, with_token

from oauth_mw import OAuthMiddleware, admin, open_store

PROCESSES = 4
PHASE_SECONDS = 0.4
ISSUED_FIRST = 1000
LIVE = 10_000
PURGE_SECONDS = 0.25  # of purging, and then of rest
PACE_SECONDS = 0.005  # from one issue of a worker that is not saturated to the next

_TOKEN = re.compile(rb'"access_token": ?"([^"]+)"')

Span = tuple[float, float]

_shared: dict[str, Any] = {}


@dataclass
class Issued:
    """What one process issued: the tokens that it received, from when to when each issue took, and what went wrong."""

    tokens: list[str]
    spans: list[Span]
    errors: list[str]


# In processes of their own


def at_once(*tasks: tuple[Callable[..., Any], Any]) -> tuple[float, list[Any]]:
    """Call each function with its argument, each in a process of its own; when they began, and what they returned."""
    context = get_context("spawn")
    shared = {"began": context.Value("d"), "stop": context.Event()}
    shared["ready"] = context.Barrier(len(tasks), _begin)
    with ProcessPoolExecutor(len(tasks), context, _share, (shared,)) as pool:
        found = [future.result() for future in [pool.submit(*task) for task in tasks]]
    return shared["began"].value, found


def _share(shared: dict[str, Any]) -> None:
    _shared.update(shared)


def _begin() -> None:
    _shared["began"].value = time.monotonic()


def begin() -> float:
    """Wait for the others; the moment that all begin."""
    _shared["ready"].wait(60)
    began: float = _shared["began"].value
    return began


class Issuer:
    def __init__(self, url: str) -> None:
        self.issued = Issued([], [], [])
        self._app = OAuthMiddleware(bare, store=url, **RULES)
        self._status = ""
        self._ask()

    def issue(self) -> None:
        began = time.monotonic()
        answer = self._ask()
        self.issued.spans.append((began, time.monotonic()))
        found = _TOKEN.search(answer)
        if self._status == "200 OK" and found:
            self.issued.tokens.append(found[1].decode())
        else:
            self.issued.errors.append(self._status)

    def _ask(self) -> bytes:
        return b"".join(self._app(token_request(), self._start_response))

    def _start_response(self, status: str, headers: object) -> None:
        self._status = status


def issue_in_phases(task: tuple[str, Sequence[bool]]) -> Issued:
    """Issue in those phases in which it is this process's part."""
    url, parts = task
    issuer = Issuer(url)
    end = begin()
    for is_mine in parts:
        end += PHASE_SECONDS
        while is_mine and time.monotonic() < end:
            issuer.issue()
        time.sleep(max(end - time.monotonic(), 0))
    return issuer.issued


def issue_at_a_pace(url: str) -> Issued:
    issuer = Issuer(url)
    due = begin()
    while not _shared["stop"].is_set():
        issuer.issue()
        due = max(due + PACE_SECONDS, time.monotonic())
        time.sleep(max(due - time.monotonic(), 0))
    return issuer.issued


def purge_and_rest(url: str) -> list[Span]:
    """Purge and rest in turns until nothing is left; from when to when it purged."""
    spans = []
    began = begin()
    try:
        for _ in admin.purge(open_store(url)):
            if time.monotonic() >= began + PURGE_SECONDS:
                spans.append((began, time.monotonic()))
                time.sleep(PURGE_SECONDS)
                began = time.monotonic()
        return spans
    finally:
        _shared["stop"].set()


def resident(task: tuple[str, list[str]]) -> float:
    """Megabytes of a worker that has checked all the tokens, and issued some."""
    url, texts = task
    app, statuses = OAuthMiddleware(bare, store=url, **RULES), set()
    for environ in chain(map(with_token, texts), repeat(token_request(), ISSUED_FIRST)):
        list(app(environ.copy(), lambda status, headers: statuses.add(status)))
    if statuses != {"200 OK"}:
        raise SystemExit(f"a worker answered {statuses}")
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


# What they measured


def memory_row(stores: Sequence[Filled]) -> Row:
    sizes = [at_once((resident, (each.url, each.tokens)))[1][0] for each in stores]
    what = f"memory of a worker that has {len(stores[0].tokens):,} tokens cached"
    return figures(what, sizes, "MB", [interval([size / sizes[0]]) for size in sizes])


def sweeping_rows(engine: Engine, backlog: int) -> Iterator[Row]:
    """Issuing at a pace that leaves room, while another process purges the store and while it rests."""
    if not engine.sweeps:
        return
    with filled(engine, "swept", LIVE) as mine:
        now = int(time.time())
        add_expired(engine, mine.url, backlog, range(now - LIFETIME, now))
        _, (purges, issued) = at_once((purge_and_rest, mine.url), (issue_at_a_pace, mine.url))
    beside, apart = split(issued.spans, purges)
    slow, usual = (percentile(waits, 99) * 1000 for waits in (beside, apart))
    what = f"an issue every {PACE_SECONDS * 1000:.0f} ms, median / 99th percentile / longest"
    yield Row(f"{what}, beside a purge of {backlog:,} expired rows", spread_of(beside))
    yield Row(f"{what}, without", spread_of(apart))
    yield Row("so the purge makes an issue longer by", f"{slow - usual:.2f} ms", "≤ 5 ms", slow - usual <= 5)
    yield Row("of these issues failed", f"{len(issued.errors)}", "0", not issued.errors)


def split(spans: Sequence[Span], purges: Sequence[Span]) -> tuple[list[float], list[float]]:
    """How long those lasted that overlap a purge, and those that lie between purges."""
    beside, apart, purge = [], [], 0
    for began, ended in sorted(spans):
        while purge < len(purges) and purges[purge][1] < began:
            purge += 1
        if purge < len(purges):
            (beside if purges[purge][0] < ended else apart).append(ended - began)
    return beside, apart


def issuing_rows(engine: Engine, rounds: int) -> Iterator[Row]:
    """One process and several issue in turns, so that the noise is shared."""
    with filled(engine, "issued", LIVE) as store:
        parts = [[number == 0, True] * rounds for number in range(PROCESSES)]
        began, issued = at_once(*[(issue_in_phases, (store.url, part)) for part in parts])
        tokens = [token for one in issued for token in one.tokens]
        lost = sum(_is_lost(store, token) for token in tokens)
    errors = sum(len(one.errors) for one in issued)
    waits: list[list[float]] = [[] for _ in range(2 * rounds + 1)]
    for since, until in (span for one in issued for span in one.spans):
        waits[int((since - began) / PHASE_SECONDS)].append(until - since)
    alone, together = ([len(each) / PHASE_SECONDS for each in waits[which:-1:2]] for which in (0, 1))
    among = [wait for each in waits[1::2] for wait in each]
    share = ratio(together, alone)
    # Elsewhere the engine itself is a process that needs a processor.
    budget = ("≥ 1 ×", share.low >= 1) if isinstance(engine, SQLite) else ()
    what, longest = f"{PROCESSES} processes issue at once", max(among)
    yield Row("tokens a second that one process issues", f"{median(alone):,.0f}")
    yield Row(f"{what}: all of them", f"{share} × that", *budget)
    yield Row(f"{what}: errors", f"{errors}", "0", not errors)
    yield Row(f"{what}: lost of {len(tokens):,} acknowledged tokens", f"{lost}", "0", not lost)
    spread = " / ".join(f"{percentile(among, each) * 1000:.1f}" for each in (50, 99))
    yield Row(f"{what}: median / 99th percentile of an issue", f"{spread} ms")
    yield Row(f"{what}: longest issue", f"{longest * 1000:.0f} ms", "≤ 500 ms", longest <= 0.5)


def _is_lost(store: Filled, token: str) -> bool:
    record = store.store.find_token(key_of(token))
    return record is None or record.revoked
