"""A scrape during an outage answers at once, and shows the outage."""

from __future__ import annotations

import time

import pytest
from faults import every_fault, killed, paused
from sqlite_faults import kept

from helpers.engines_base import wait_until
from oauth_mw.metrics.looks import WAIT_SECONDS

GRACE = 30
UP, BEHIND, EVENTS, UNAVAILABLE = (
    ("oauth_mw_store_up",),
    ("oauth_mw_revocation_log_behind_seconds",),
    ("oauth_mw_revocation_log_events",),
    ("oauth_mw_checks_total", "unavailable"),
)


@pytest.fixture
def options():
    return {"metrics_path": "/metrics", "public_paths": ["/metrics"], "outage_grace_seconds": GRACE}


@every_fault(lambda fault: fault.strikes in (killed, paused, kept), only={})
def test_a_scrape_answers_at_once_and_shows_the_outage_and_its_end(service, outage):
    before = service.scrape()
    with outage:
        service.later(20)
        started = time.monotonic()
        during = service.scrape()
        took = time.monotonic() - started
        service.ask("first check")
        after = service.scrape()
    wait_until(lambda: service.scrape()[UP], "the end of the outage")

    assert (before[UP], during[UP], before[EVENTS], during[EVENTS]) == (1, 0, 1, 1)
    assert took < WAIT_SECONDS + 1
    assert before[BEHIND] < 5 and 20 <= during[BEHIND] < after[BEHIND]
    assert before[UNAVAILABLE] == 0 and after[UNAVAILABLE] == 1
    assert any(name[0] == "oauth_mw_store_errors_total" for name in after)
    assert service.scrape()[BEHIND] < 5
