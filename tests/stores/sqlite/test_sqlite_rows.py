"""What stands in the rows of an SQLite store, and what survives power loss."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from helpers.builders import HOUR, NOW, given_secret, is_dead, issued, key_of, log_of, registered, token_of
from helpers.changes import ENDS, end_client, remove_first_secret
from helpers.support import HandClock
from oauth_mw import admin, open_store
from oauth_mw.credentials import hash_secret
from oauth_mw.errors import StoreUnavailable
from oauth_mw.model import LOG_KEEP_SECONDS, Count
from oauth_mw.stores.sql.log import SWEPT_AT_ONCE
from oauth_mw.tokens.opaque import OpaqueTokens


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_revoking_all_tokens_of_a_client_touches_none_of_their_rows(store, sql, end):
    for number in range(5):
        issued(store, number=number)
    sql("CREATE TABLE touched (key)")
    for change in ("UPDATE", "DELETE", "INSERT"):
        sql(f"CREATE TRIGGER on_{change} AFTER {change} ON oauth_mw_tokens BEGIN INSERT INTO touched VALUES (1); END")

    end(store)

    assert is_dead(store, key_of(3))
    assert sql("SELECT * FROM touched") == []


def test_a_single_revocation_marks_one_row(store, sql):
    keys = [issued(store, number=number) for number in range(3)]

    store.revoke_token(keys[1])

    assert sql("SELECT key FROM oauth_mw_tokens WHERE revoked") == [(keys[1],)]


def test_a_sweep_reads_a_range_and_not_the_table(store, sql):
    plan = sql("EXPLAIN QUERY PLAN DELETE FROM oauth_mw_tokens WHERE key < x'01'")

    assert ["USING PRIMARY KEY (key<?)" in row[3] for row in plan] == [True]
    assert sql("SELECT count(*) FROM sqlite_master WHERE tbl_name = 'oauth_mw_tokens'") == [(1,)]  # no further index


def test_neither_secret_nor_token_text_reaches_the_files(store, path, clock):  # A-21, L-02
    secret = admin.add_client(store, "new", client_id="new", clock=clock).secret
    text = OpaqueTokens(store, clock, "").issue(store.find_client("new"), (), HOUR).text

    written = b"".join(file.read_bytes() for file in path.parent.iterdir())

    assert b"new" in written
    assert secret.encode() not in written and text.encode() not in written and text[:20].encode() not in written


def test_a_deleted_client_leaves_its_id_and_no_secret(store, sql):
    end_client(store, "tester", delete=True)

    assert sql("SELECT client_id, record, verifiers, deleted FROM oauth_mw_clients") == [("tester", "", bytes(272), 1)]


# The log


def test_a_follower_that_missed_swept_events_must_begin_anew(store, sql, clock):
    key, unseen = issued(store, expires_at=NOW + 10 * LOG_KEEP_SECONDS), log_of(store)
    end_client(store, "tester")
    seen = log_of(store)
    store.add_client(registered("other"))
    clock.move(LOG_KEEP_SECONDS + 1)

    end_client(store, "other")

    assert sql("SELECT client_id FROM oauth_mw_revocations") == [("other",)]
    assert not store.read_log(unseen.store_id, unseen.position).complete
    page = store.read_log(seen.store_id, seen.position)
    assert (page.complete, len(page.events)) == (True, 1)
    assert is_dead(store, key)


def test_the_log_keeps_a_revocation_until_the_token_would_have_expired(store, sql, clock):
    store.revoke_token(issued(store, expires_at=NOW + 10 * LOG_KEEP_SECONDS))
    clock.move(10 * LOG_KEEP_SECONDS)

    end_client(store, "tester")

    assert sql("SELECT count(*) FROM oauth_mw_revocations WHERE key IS NOT NULL") == [(1,)]


def test_a_sweep_of_the_log_is_bounded(store, sql, clock):
    sql(
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)"
        " INSERT INTO oauth_mw_revocations SELECT n, 'tester', NULL, ?, 0 FROM number",
        *(SWEPT_AT_ONCE + 50, NOW - 1),
    )

    end_client(store, "tester")
    assert sql("SELECT count(*) FROM oauth_mw_revocations") == [(51,)]

    end_client(store, "tester")
    assert sql("SELECT count(*) FROM oauth_mw_revocations") == [(2,)]


def test_positions_grow_across_restarts_and_empty_logs(path, store, sql, clock):
    end_client(store, "tester")
    position = log_of(store).position
    sql("DELETE FROM oauth_mw_revocations")
    slow = HandClock()
    slow.move(-9999)

    with closing(open_store(store.url, clock=slow)) as other:
        end_client(other, "tester")
        assert log_of(other).position == position + 1


REVOKE = {
    "one token": lambda store: store.revoke_log_only("tester", key_of(), store.find_client("tester").revoked_before),
    "all of a client's": lambda store: end_client(store, "tester"),
}


@pytest.mark.parametrize("revoke", REVOKE.values(), ids=REVOKE)
def test_no_revocation_reads_through_the_whole_log(store, revoke):
    statements = []
    with store.engine.reading() as link:
        link.driver.set_trace_callback(statements.append)

    revoke(store)

    with store.engine.reading() as link:
        link.driver.set_trace_callback(None)
        found = [each for each in statements if each.startswith(("SELECT", "UPDATE", "DELETE"))]
        plan = [row[-1] for each in found for row in link.driver.execute(f"EXPLAIN QUERY PLAN {each}")]
    assert len(plan) > 3
    assert [step for step in plan if step.startswith("SCAN") and "oauth_mw_store" not in step] == []


# Power loss


CHANGES = {
    **ENDS,
    "revoke": lambda store: store.revoke_token(key_of()),
    "register": lambda store: store.add_client(registered("other")),
    "update": lambda store: store.update_client("tester", lambda client: replace(client, name="x")),
    "add secret": lambda store: given_secret(store, "tester", hash_secret("t" * 16)),
    "remove only a secret": remove_first_secret,
}
NORMAL, FULL = 1, 2


@pytest.fixture
def synchronous_at(store):
    """Call it with the beginning of a statement, for the values of ``synchronous`` at each such statement."""
    seen = []

    def watch(beginning):
        with store.engine.reading() as connection:
            driver = connection.driver

        def trace(statement):
            if statement.startswith(beginning):
                seen.append(driver.execute("PRAGMA synchronous").fetchone()[0])

        driver.set_trace_callback(trace)
        return seen

    return watch


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_revocation_or_a_change_of_a_client_survives_power_loss(store, synchronous_at, change):
    issued(store)
    seen = synchronous_at("COMMIT")

    change(store)

    assert seen == [FULL]


@pytest.mark.parametrize(
    ("beginning", "write"),
    [("INSERT INTO oauth_mw_tokens", issued), ("DELETE FROM oauth_mw_tokens", lambda store: store.sweep(NOW, 9))],
    ids=["issue", "sweep"],
)
def test_issues_and_sweeps_do_not_wait_for_the_disk(store, synchronous_at, beginning, write):
    ENDS["disable"](store)
    seen = synchronous_at(beginning)

    write(store)

    assert seen == [NORMAL]


def test_an_event_swept_while_the_log_is_read_is_not_missed(store, clock):
    seen = log_of(store)
    end_client(store, "tester")
    ended = log_of(store).position
    with closing(open_store(store.url, clock=clock)) as other:
        with store.engine.reading() as connection:
            driver = connection.driver

        def sweep(statement):
            if "oauth_mw_revocations" in statement:
                driver.set_trace_callback(None)
                clock.move(LOG_KEEP_SECONDS + 1)
                end_client(other, "tester")

        driver.set_trace_callback(sweep)
        page = store.read_log(seen.store_id, seen.position)

    assert not page.complete or ended in [event.position for event in page.events]


def test_verifiers_from_before_there_was_a_digest_are_compared_all_the_same(store, sql):
    before = store.find_verifiers("tester")
    sql("UPDATE oauth_mw_clients SET verifiers = substr(verifiers, 1, 240)")

    assert store.find_verifiers("tester") == before._replace(record=b"")


@pytest.mark.parametrize("verifiers", ["printf('%272s', '')", "5", "x'00'", "zeroblob(241)", "zeroblob(288)"])
def test_verifiers_that_are_none_of_ours_are_an_outage(store, sql, verifiers):
    sql(f"UPDATE oauth_mw_clients SET verifiers = {verifiers}")

    with pytest.raises(StoreUnavailable, match="garbled"):
        store.find_verifiers("tester")


def test_expired_ids_are_removed_when_new_ones_are_remembered(store, sql, clock):
    for number in range(30):
        store.remember_once(bytes([number]), NOW + number % 2)
    clock.move(60)

    for number in range(30, 34):
        store.remember_once(bytes([number]), NOW + HOUR)

    assert sql("SELECT count(*) FROM oauth_mw_remembered") == [(4,)]


@pytest.mark.parametrize(("limit", "ended_by"), [(1, "COMMIT"), (0, "ROLLBACK")])
def test_a_token_and_its_counts_are_one_transaction(store, limit, ended_by):
    with store.engine.reading() as connection:
        driver = connection.driver
    token, statements = token_of(store.find_client("tester")), []
    driver.set_trace_callback(statements.append)
    store.add_token(key_of(1), token)
    alone, statements[:] = len(statements), []

    store.add_token(key_of(2), token, [Count(b"hour", limit, NOW + HOUR), Count(b"day", None, NOW + HOUR)])

    driver.set_trace_callback(None)
    assert alone == 1
    assert (statements[0], statements[-1]) == ("BEGIN IMMEDIATE", ended_by)


@pytest.mark.parametrize("value", ["'x'", "x'00'", "-2", "0.5", str(2**63 - 1)])
def test_a_counter_that_is_none_is_an_outage_and_nothing_is_counted(store, sql, value):
    counts = [Count(b"a", None, NOW + HOUR), Count(b"b", None, NOW + HOUR)]
    store.count(counts)
    sql(f"UPDATE oauth_mw_counters SET value = {value} WHERE key = x'62'")

    with pytest.raises(StoreUnavailable, match="a counter is garbled"):
        store.count(counts)
    assert sql("SELECT value FROM oauth_mw_counters WHERE key = x'61'") == [(1,)]
