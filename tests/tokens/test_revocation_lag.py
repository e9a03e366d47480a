"""What ended is refused by every worker within the bound: they use tokens all the time, and none is accepted late."""

from __future__ import annotations

from itertools import product

import pytest

from helpers.builders import SPANNING, STORE_SUITE
from helpers.jwts import FORMS, mostly
from helpers.revocation_lag import team

LAG = 1.0  # the default; who looks ahead has half of it to be late
# Processes do not share what lies in memory. A distant store shows others' events within the lag, SQLite at once.
DISTANT = [kind for kind in STORE_SUITE if kind not in ("memory", "sqlite")]
IN_EVERY_RUN = [*product(DISTANT, ["opaque"]), ("sqlite", "jwt, uncached")]

BY_HAND = "jwt"  # it has the cache of the one and the log of the other
every_form = pytest.mark.parametrize("form", [*mostly("opaque", BY_HAND), *mostly("jwt, uncached")])
distant = pytest.mark.parametrize("store_kind", [*DISTANT, *SPANNING])


def marks(kind: str, name: str) -> list[pytest.MarkDecorator]:
    if (kind, name) in IN_EVERY_RUN:
        return []
    return [pytest.mark.slow, *[pytest.mark.long] * (name == BY_HAND)]


def on(*kinds: str) -> pytest.MarkDecorator:
    pairs = product(kinds, FORMS)
    return pytest.mark.parametrize(
        ("store_kind", "form"),
        [pytest.param(kind, FORMS[name], id=f"{kind}-{name}", marks=marks(kind, name)) for kind, name in pairs],
    )


@on(*DISTANT, *SPANNING)
def test_what_ended_is_refused_within_the_lag_and_no_request_waited_for_the_store(store_kind, store_url, form):
    with team(store_url, revocation_lag_seconds=LAG, **form) as workers:
        workers.end_all()
        workers.wait(2 * LAG)  # after the last event too, somebody must have looked ahead
        verdict = workers.judge(LAG)

    assert verdict.is_fresh() and (verdict.asked == 0 or "cache_size" in form)
    assert verdict.within > 0  # the caches were used meanwhile: else nothing was tried


@on("sqlite")
def test_what_ended_is_refused_at_once(store_kind, store_url, form):
    with team(store_url, **form) as workers:
        workers.end_all()
        workers.wait(0)

        assert workers.judge(0).is_fresh()


@pytest.mark.slow
@distant
@every_form
def test_without_a_lag_what_ended_is_refused_at_once(store_kind, store_url, form):
    with team(store_url, revocation_lag_seconds=0, **form) as workers:
        workers.end_all()
        workers.wait(0)

        assert workers.judge(0).is_fresh()


@pytest.mark.slow
@distant
@every_form
@pytest.mark.parametrize("lag", [0.05, pytest.param(0.2, marks=pytest.mark.long)])
def test_a_short_lag_holds_too(store_kind, store_url, lag, form):
    with team(store_url, revocation_lag_seconds=lag, **form) as workers:
        workers.end_all()
        workers.wait(lag)

        assert workers.judge(lag).is_fresh()


@pytest.mark.slow
@pytest.mark.parametrize("store_kind", ["sqlite", *DISTANT, *SPANNING])
@pytest.mark.parametrize("form", mostly("jwt", "jwt, uncached"))
@pytest.mark.parametrize("lag", [0, 0.5])
def test_a_key_that_is_removed_ends_all_that_it_signed(store_kind, store_url, lag, form):
    bound = 0 if store_kind == "sqlite" else lag
    with team(store_url, revocation_lag_seconds=lag, **form) as workers:
        workers.retire()
        workers.wait(bound)

        assert workers.judge(bound).is_fresh()
