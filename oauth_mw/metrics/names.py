"""The names of all metrics, with their labels."""

from __future__ import annotations

from typing import Literal, NamedTuple

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"


class Name(NamedTuple):
    """One metric.

    ``kind`` is its type. ``over`` says how the gauges of all living processes become one, in prometheus-client's words.
    """

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    over: Literal["livesum", "livemax"] = "livesum"


CLIENT = "client_id"  # a further label of ISSUED and REFUSALS, with metrics_client_ids

ISSUED = Name("oauth_mw_tokens_issued_total", COUNTER, "Tokens issued.", ("format",))
REVOKED = Name("oauth_mw_tokens_revoked_total", COUNTER, "Tokens revoked by clients, at the revocation endpoint.")
REFUSALS = Name("oauth_mw_refusals_total", COUNTER, "Requests refused.", ("endpoint", "reason"))
CHECKS = Name("oauth_mw_checks_total", COUNTER, "Requests that the guard has checked.", ("outcome",))
ACCEPTED = Name("oauth_mw_accepted_total", COUNTER, "Requests accepted, with metrics_client_ids.", (CLIENT,))
HITS = Name("oauth_mw_cache_hits_total", COUNTER, "Requests whose token was valid and cached.")
MISSES = Name("oauth_mw_cache_misses_total", COUNTER, "Requests whose token was not cached.")
CACHED = Name("oauth_mw_cache_tokens", GAUGE, "Tokens that are cached.")
SIZE = Name("oauth_mw_cache_size", GAUGE, "The option cache_size, of which twice as many may be cached.")
STORE = Name("oauth_mw_store_seconds", HISTOGRAM, "Seconds that calls of the store took.", ("operation",))
ERRORS = Name("oauth_mw_store_errors_total", COUNTER, "Calls of the store that failed.", ("operation",))
UP = Name("oauth_mw_store_up", GAUGE, "1 if the store answers, else 0.")
EVENTS = Name("oauth_mw_revocation_log_events", GAUGE, "Events in the revocation log, up to 100000, a minute ago.")
BEHIND = Name(
    "oauth_mw_revocation_log_behind_seconds",
    GAUGE,
    "Seconds since the worker last knew all of the revocation log.",
    over="livemax",
)
AGE = Name("oauth_mw_signing_key_age_seconds", GAUGE, "Seconds since the signing key in the store was made.", ("kid",))

NAMES = (
    ISSUED,
    REVOKED,
    REFUSALS,
    CHECKS,
    ACCEPTED,
    HITS,
    MISSES,
    CACHED,
    SIZE,
    STORE,
    ERRORS,
    UP,
    EVENTS,
    BEHIND,
    AGE,
)
