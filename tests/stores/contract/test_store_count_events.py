"""How long the revocation log is, for the metrics."""

from __future__ import annotations

import pytest

from helpers.builders import issued
from helpers.changes import end_client

pytestmark = pytest.mark.usefixtures("tester")


def test_the_events_of_the_log_are_counted_up_to_a_number(store):
    before = store.count_events(100)
    end_client(store, "tester")
    store.revoke_token(issued(store))
    store.revoke_token(issued(store, number=1))

    assert before == 0
    assert [store.count_events(at_most) for at_most in (100, 3, 2)] == [3, 3, 2]
