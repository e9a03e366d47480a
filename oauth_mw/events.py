"""Typed events, and the sinks that receive them. No event holds a token or a secret."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .errors import OAuthError, StoreUnavailable
from .model import Clock

REPEAT_SECONDS = 60.0
MAX_REASONS = 10  # within REPEAT_SECONDS: bounds the log if each failure has another text

log = logging.getLogger("oauth_mw")


@dataclass(frozen=True, slots=True)
class Event:
    """``client_id`` is empty if no client was authenticated."""

    client_id: str


@dataclass(frozen=True, slots=True)
class TokenIssued(Event):
    token_id: str
    scope: str
    expires_at: int
    audience: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenRevoked(Event):
    token_id: str


@dataclass(frozen=True, slots=True)
class ForeignRevocation(Event):
    """``client_id`` tried to revoke a token of ``owner``. The answer was 200; nothing was revoked (RFC 7009 §2.1)."""

    token_id: str
    owner: str


@dataclass(frozen=True, slots=True)
class Refused(Event):
    """A request was refused with ``error``. ``reason`` is for the log and not part of the answer."""

    error: str
    reason: str


@dataclass(frozen=True, slots=True)
class StoreFailed(Event):
    """The store is unavailable; ``reason`` says what failed."""

    reason: str


Sink = Callable[[Event], None]

_WARNINGS = (ForeignRevocation, StoreFailed)


def log_sink(event: Event) -> None:
    """Write the event to the logger ``oauth_mw``: at WARNING if an operator should act, else at INFO."""
    log.log(logging.WARNING if isinstance(event, _WARNINGS) else logging.INFO, "%r", event)


def combine(sinks: Sequence[Sink]) -> Sink:
    """Return a sink that calls all ``sinks`` in order. An exception in one is logged and fails no request."""

    def emit(event: Event) -> None:
        for sink in sinks:
            try:
                sink(event)
            except Exception:
                log.exception("an event sink failed")

    return emit


class Refusals:
    """Emit an event for each refused request, and :class:`StoreFailed` at most once a minute for each reason."""

    def __init__(self, emit: Sink, monotonic: Clock) -> None:
        self._emit = emit
        self._monotonic = monotonic
        self._quiet_until: dict[str, float] = {}

    def __call__(self, error: OAuthError) -> None:
        self._emit(Refused(error.client_id, error.error, error.reason))
        if isinstance(error, StoreUnavailable) and self._is_due(error.reason):
            self._emit(StoreFailed("", error.reason))

    def _is_due(self, reason: str) -> bool:
        now = self._monotonic()
        quiet = {each: until for each, until in self._quiet_until.copy().items() if now < until}
        due = reason not in quiet and len(quiet) < MAX_REASONS
        if due:
            self._quiet_until = {**quiet, reason: now + REPEAT_SECONDS}
        return due
