"""What it costs in SQLite to end a token that lies in no store."""

from __future__ import annotations

from contextlib import closing

import pytest

from helpers.builders import key_of, registered
from helpers.changes import end_client
from oauth_mw import open_store


@pytest.fixture
def store(tmp_path, clock):
    with closing(open_store(f"sqlite:///{tmp_path}/oauth.db", create=True, clock=clock)) as store:
        store.add_client(registered())
        yield store


@pytest.fixture
def asked(store):
    """``asked(do)``: how SQLite finds what ``do`` asks for."""

    def asked(do):
        statements = []
        with store._engine.reading() as link:
            link.driver.set_trace_callback(statements.append)
        do()
        with store._engine.reading() as link:
            link.driver.set_trace_callback(None)
            told = [each for each in statements if each.startswith(("SELECT", "UPDATE", "DELETE"))]
            return [row[-1] for each in told for row in link.driver.execute(f"EXPLAIN QUERY PLAN {each}")]

    return asked


def ends(store):
    position = store.find_client("tester").revoked_before
    return {
        "one token": lambda: store.revoke_log_only("tester", key_of(), position),
        "all of a client's": lambda: end_client(store, "tester"),
    }


@pytest.mark.parametrize("end", ["one token", "all of a client's"])
def test_no_end_reads_through_the_whole_log(store, asked, end):
    plan = asked(ends(store)[end])

    assert len(plan) > 3
    assert [step for step in plan if step.startswith("SCAN") and "oauth_mw_store" not in step] == []
