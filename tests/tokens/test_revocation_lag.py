"""Every worker refuses what is revoked within the bound: they use tokens all the time, and accept none too late."""

from __future__ import annotations

import pytest

from helpers.jwts import FORMS
from helpers.revocation_lag import team

LAG = 1.0  # the default; a worker polls early, half of it before it has to


def on(*pairs: str, plain: str = "") -> pytest.MarkDecorator:
    """Kinds of stores, each with a form of tokens. A distant store shows revocations within the lag, SQLite at once."""
    values = []
    for pair in pairs:
        kind, _, form = pair.partition(" ")
        values.append(pytest.param(kind, FORMS[form], id=pair, marks=[pytest.mark.slow] * (pair != plain)))
    return pytest.mark.parametrize(("store_kind", "form"), values)


def is_fresh(store_url, bound, revoke="end_all", **options):
    with team(store_url, **options) as workers:
        getattr(workers, revoke)()
        workers.wait(bound)
        return workers.judge(bound).is_fresh()


@on(
    "postgresql opaque",
    "postgresql jwt, uncached",
    "redis opaque",
    "redis jwt, uncached",
    "redis+sentinel opaque",
    "redis+cluster opaque",
)
def test_what_is_revoked_is_refused_within_the_lag_and_no_request_waits_for_the_store(store_kind, store_url, form):
    with team(store_url, revocation_lag_seconds=LAG, **form) as workers:
        workers.end_all()
        workers.wait(2 * LAG)  # after the last event too, each worker must have polled early
        verdict = workers.judge(LAG)

    assert verdict.is_fresh() and (verdict.asked == 0 or "cache_size" in form)
    assert verdict.within > 0  # the caches were used meanwhile: else nothing was tried


@on("sqlite opaque", "sqlite jwt, uncached", plain="sqlite opaque")
def test_what_is_revoked_is_refused_at_once(store_kind, store_url, form):
    assert is_fresh(store_url, 0, **form)


@on("postgresql opaque", "redis jwt, uncached", "redis+sentinel jwt, uncached", "redis+cluster opaque")
def test_without_a_lag_what_is_revoked_is_refused_at_once(store_kind, store_url, form):
    assert is_fresh(store_url, 0, revocation_lag_seconds=0, **form)


@on("postgresql jwt, uncached", "redis opaque", "redis+sentinel opaque", "redis+cluster jwt, uncached")
def test_a_short_lag_holds_too(store_kind, store_url, form):
    assert is_fresh(store_url, 0.05, revocation_lag_seconds=0.05, **form)


@on("sqlite jwt", "postgresql jwt", "redis jwt", "redis+sentinel jwt", "redis+cluster jwt")
def test_a_removed_key_revokes_all_that_it_signed(store_kind, store_url, form):
    assert is_fresh(store_url, 0 if store_kind == "sqlite" else 0.5, "retire", revocation_lag_seconds=0.5, **form)
