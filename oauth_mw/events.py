"""Typed events and the sinks they go to. No event holds a token or a secret."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

log = logging.getLogger("oauth_mw")


@dataclass(frozen=True, slots=True)
class Event:
    """``client_id`` is empty while nobody is authenticated."""

    client_id: str


@dataclass(frozen=True, slots=True)
class TokenIssued(Event):
    token_id: str
    scope: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class TokenRevoked(Event):
    token_id: str


@dataclass(frozen=True, slots=True)
class ForeignRevocation(Event):
    """``client_id`` asked to revoke a token of ``owner``: answered 200, nothing revoked (RFC 7009 §2.1)."""

    token_id: str
    owner: str


@dataclass(frozen=True, slots=True)
class Refused(Event):
    """A request was refused with ``error``; ``reason`` is what the answer does not tell."""

    error: str
    reason: str


@dataclass(frozen=True, slots=True)
class StoreFailed(Event):
    reason: str


Sink = Callable[[Event], None]

_WARNINGS = (ForeignRevocation, StoreFailed)


def log_sink(event: Event) -> None:
    """Write the event to the logger ``oauth_mw``: INFO, or WARNING where an operator should look."""
    log.log(logging.WARNING if isinstance(event, _WARNINGS) else logging.INFO, "%r", event)


def tell(sinks: Sequence[Sink]) -> Sink:
    """One sink for all of ``sinks``, in order. A sink that fails cannot fail a request."""

    def emit(event: Event) -> None:
        for sink in sinks:
            try:
                sink(event)
            except Exception:
                log.exception("an event sink failed")

    return emit
