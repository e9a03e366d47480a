"""How SQLite finds what it needs to revoke a token that has no row."""

from __future__ import annotations

import pytest

from helpers.builders import key_of
from helpers.changes import end_client

REVOKE = {
    "one token": lambda store: store.revoke_log_only("tester", key_of(), store.find_client("tester").revoked_before),
    "all of a client's": lambda store: end_client(store, "tester"),
}


@pytest.mark.parametrize("revoke", REVOKE.values(), ids=REVOKE)
def test_no_revocation_reads_through_the_whole_log(store, revoke):
    statements = []
    with store._engine.reading() as link:
        link.driver.set_trace_callback(statements.append)

    revoke(store)

    with store._engine.reading() as link:
        link.driver.set_trace_callback(None)
        found = [each for each in statements if each.startswith(("SELECT", "UPDATE", "DELETE"))]
        plan = [row[-1] for each in found for row in link.driver.execute(f"EXPLAIN QUERY PLAN {each}")]
    assert len(plan) > 3
    assert [step for step in plan if step.startswith("SCAN") and "oauth_mw_store" not in step] == []
