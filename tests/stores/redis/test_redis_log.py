"""The revocation log in Redis: positions and sweeping."""

from __future__ import annotations

import contextlib
import time

import pytest

from helpers.builders import HOUR, NOW, is_dead, issued, log_of, opened, registered
from helpers.changes import end_client
from oauth_mw import open_store
from oauth_mw.model import LOG_KEEP_SECONDS, LogRecord
from oauth_mw.stores.copying import ROWS_PER_BATCH

YEAR_10000 = 253_402_300_800


def position_after_an_event(store):
    end_client(store, "tester")
    return log_of(store).position


def follow(store, position):
    return store.read_log(log_of(store).store_id, position)


@pytest.mark.parametrize("now", [YEAR_10000, 2**53 // 10**6 + 1], ids=["year 10000", "beyond 53 bits"])
def test_positions_are_exact_however_large(store, clock, now):
    clock.now = now
    first = position_after_an_event(store)

    assert [position_after_an_event(store) - first for _ in range(3)] == [1, 2, 3]
    assert [event.position - first for event in follow(store, first + 1).events] == [2, 3]


def test_positions_carry_over_where_they_are_cut_in_two(store, clock):
    clock.now = 1_999_999_999.999999

    first = position_after_an_event(store)

    assert (first, position_after_an_event(store)) == (1_999_999_999_999_999, 2_000_000_000_000_000)


def test_positions_are_redis_own_time_and_not_the_workers(redis_url, monkeypatch):
    here = time.time
    monkeypatch.setattr(time, "time", lambda: here() - HOUR)
    with opened(redis_url, clock=time.time) as store:
        position = position_after_an_event(store)

    assert position / 1_000_000 == pytest.approx(here(), abs=5)


def test_an_event_is_kept_for_a_day(store, clock, raw):
    position_after_an_event(store)
    clock.move(LOG_KEEP_SECONDS)
    position_after_an_event(store)
    before = raw.client.xlen(raw.key("log"))
    clock.move(1)
    position_after_an_event(store)

    assert (before, raw.client.xlen(raw.key("log"))) == (2, 2)


def test_a_follower_that_has_read_all_swept_events_continues_and_others_start_again(store, clock):
    first, second, third = (position_after_an_event(store) for _ in range(3))
    clock.move(LOG_KEEP_SECONDS + 1)
    last = position_after_an_event(store)

    complete = [follow(store, position).complete for position in (0, first, second, third, last)]

    assert complete == [False, False, False, True, True]
    assert [event.position for event in follow(store, third).events] == [last]


def test_a_single_revocation_is_kept_until_a_day_after_its_token_expired(store, clock, raw):
    key = issued(store, expires_at=NOW + 5 * LOG_KEEP_SECONDS)
    store.revoke_token(key)
    clock.move(6 * LOG_KEEP_SECONDS)
    position_after_an_event(store)
    before = raw.client.hexists(raw.key("revoked"), key), is_dead(store, key)
    clock.move(1)
    position_after_an_event(store)

    assert (*before, raw.client.hexists(raw.key("revoked"), key)) == (True, True, False)


def test_sweeping_leaves_alone_what_is_needed_between_what_is_not(store, clock, raw):
    first = position_after_an_event(store)
    key = issued(store, expires_at=NOW + 9 * LOG_KEEP_SECONDS)
    store.revoke_token(key)
    second = position_after_an_event(store)
    clock.move(2 * LOG_KEEP_SECONDS)
    last = position_after_an_event(store)

    assert [event.position for event in follow(store, second).events] == [last]
    assert not follow(store, first).complete
    assert raw.client.xlen(raw.key("log")) == 2


def test_a_restored_backup_that_moved_on_is_not_followed(store, clock, raw):
    first = position_after_an_event(store)
    backup = {key: raw.client.dump(key) for key in raw.keys()}
    clock.move(1)
    lost = position_after_an_event(store)
    for key in raw.keys():
        raw.client.delete(key)
    for key, dump in backup.items():
        raw.client.restore(key, 0, dump)
    clock.move(1)
    after = position_after_an_event(store)

    assert [follow(store, position).complete for position in (first, lost, after)] == [True, False, True]


def test_a_batch_of_events_is_copied_in_one_step_and_swept_by_several_appends(redis_url, clock, raw):
    events = [LogRecord(number, f"c{number}", None, NOW) for number in range(1, ROWS_PER_BATCH + 1)]
    with contextlib.closing(open_store(redis_url, create=True, clock=clock)) as store:
        copying = store.copyable()
        copying.become_copy("0" * 32)

        copying.put_events("0" * 32, events, events[-1].position, 0)

        assert [*copying.read_events(0)] == [events]
        store.add_client(registered())
        clock.move(1)
        lengths = [(position_after_an_event(store), raw.client.xlen(raw.key("log")))[1] for _ in range(2)]
        assert lengths == [ROWS_PER_BATCH + 1 - 500, ROWS_PER_BATCH + 2 - 1000]
        assert raw.client.zcard(raw.key("due")) == lengths[1]
