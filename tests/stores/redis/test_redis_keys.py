"""The keys of the store in Redis, and the cost of each operation."""

from __future__ import annotations

import pytest
from redis.crc import key_slot

from helpers.builders import HOUR, NOW, is_dead, issued, key_of, log_of, opened, registered, token_of
from helpers.changes import end_client
from oauth_mw.credentials import VERIFIERS_BYTES
from oauth_mw.errors import StoreUnavailable
from oauth_mw.model import CLIENTS_PER_PAGE, COUNTER_KEEP_SECONDS, Count

MARGIN = 60


def name_of(raw, key):
    return f"{raw.prefix}:t:{key.hex()}"


def test_all_keys_but_those_of_tokens_are_in_one_slot(store, raw):
    for number in range(3):
        store.revoke_token(issued(store, number=number))
    end_client(store, "tester", delete=True)

    tokens, others = set(), set()
    for key in raw.keys():
        (tokens if key.startswith(f"{raw.prefix}:t:") else others).add(key_slot(key.encode()))
    assert (len(tokens), len(others)) == (3, 1)


@pytest.mark.parametrize("moved", [0, 3000, -3000])
def test_a_token_is_deleted_by_itself_a_minute_after_it_expired_by_the_workers_clock(store, raw, clock, moved):
    clock.move(moved)
    key = issued(store)

    assert raw.client.ttl(name_of(raw, key)) == pytest.approx(HOUR - moved + MARGIN, abs=2)


def test_a_token_that_expired_long_ago_is_not_even_stored(store):
    key = issued(store, expires_at=NOW - MARGIN)

    assert store.find_token(key) is None


def test_revocations_touch_no_token(store, raw):
    key = issued(store)
    before = raw.client.dump(name_of(raw, key))

    store.revoke_token(key)
    end_client(store, "tester")

    assert raw.client.dump(name_of(raw, key)) == before


@pytest.mark.parametrize("tail", [bytes(range(28)), b"\r\n" * 14, b"\xff" * 28, b"'\"\\\0{}[" * 4], ids=repr)
def test_a_key_may_have_any_bytes(store, tail):
    key, seen = (NOW + HOUR).to_bytes(4) + tail, log_of(store)
    store.add_token(key, token_of(store.find_client("tester")))

    assert store.revoke_token(key) and is_dead(store, key)
    assert [event.key for event in store.read_log(seen.store_id, seen.position).events] == [key]


@pytest.mark.parametrize("client_id", ['a"b\\c', "a b", "é ß", "{other}", "a\nb", "*", "[1]"])
def test_an_id_may_have_any_characters(store, client_id):
    store.add_client(registered(client_id))
    key = issued(store, client_id)
    end_client(store, client_id)

    assert is_dead(store, key) and store.find_client(client_id)


@pytest.mark.parametrize("moved", [0, 3000, -3000])
def test_a_counter_is_deleted_by_itself_some_time_after_its_window(store, raw, clock, moved):
    clock.move(moved)
    store.count([COUNT])

    left = HOUR - moved + COUNTER_KEEP_SECONDS
    assert raw.client.ttl(raw.key(f"count:{COUNT.key.hex()}")) == pytest.approx(left, abs=2)


@pytest.mark.parametrize("value", ["", "x", "nan", "-1", "-inf", str(2**70)])
def test_a_counter_that_is_none_is_an_outage(store, raw, value):
    raw.client.set(raw.key(f"count:{COUNT.key.hex()}"), value)

    with pytest.raises(StoreUnavailable):
        store.count([COUNT._replace(limit=None)])


def test_redis_forgets_what_is_remembered_once(store, raw, clock):
    store.remember_once(b"k", int(clock()) + 60)

    assert raw.client.ttl(f"{raw.prefix}:once:6b") in (60, 61)


def test_a_page_of_deleted_clients_is_not_the_last(store, raw):
    raw.client.zadd(raw.key("clients"), {f"a{number}": 0 for number in range(2 * CLIENTS_PER_PAGE)})

    assert [client.client_id for client in store.clients()] == ["tester"]


def test_a_token_of_a_client_that_was_lost_is_dead(store, raw):
    key = issued(store)
    raw.client.delete(raw.key("client:tester"))

    assert is_dead(store, key)


def test_a_token_that_is_added_revoked_is_dead(store):
    key = key_of()
    store.add_token(key, token_of(store.find_client("tester"), revoked=True))

    assert is_dead(store, key)
    assert not store.revoke_token(key)


def test_a_plain_token_takes_few_bytes(store, raw):
    key = issued(store)

    assert raw.client.memory_usage(name_of(raw, key)) < 300


@pytest.mark.parametrize("client_id", ["tester", "unknown"])
def test_verifiers_are_found_by_a_reply_of_one_size(store, client_id):
    assert len(store.find_verifiers(client_id).secrets) == VERIFIERS_BYTES


@pytest.mark.parametrize("field", ["record", "revoked_before"])
def test_a_client_that_lacks_a_part_is_an_outage(store, raw, field):
    raw.client.hdel(raw.key("client:tester"), field)

    with pytest.raises(StoreUnavailable):
        end_client(store, "tester")


COUNT = Count(b"count", 100, NOW + HOUR)
COSTS = {
    "find_client": (1, lambda store, key: store.find_client("tester")),
    "add_token": (1, lambda store, key: store.add_token(key_of(5), token_of(registered()))),
    "add_token, counted": (1, lambda store, key: store.add_token(key_of(5), token_of(registered()), [COUNT])),
    "count": (1, lambda store, key: store.count([COUNT])),
    "note_uses": (1, lambda store, key: store.note_uses({("tester", "a"): NOW})),
    "find_token": (1, lambda store, key: store.find_token(key)),
    "find_token, unknown": (1, lambda store, key: store.find_token(key_of(9))),
    "read_log": (1, lambda store, key: store.read_log("", -1)),
    "end_client": (2, lambda store, key: end_client(store, "tester")),
    "revoke_token": (2, lambda store, key: store.revoke_token(key)),
    "revoke_token, unknown": (1, lambda store, key: store.revoke_token(key_of(9))),
}


@pytest.mark.parametrize("trips, call", COSTS.values(), ids=COSTS)
def test_an_operation_is_this_many_round_trips(own_server, own, trips, call):
    with opened(own_server.url) as store:
        keys = [issued(store, number=number) for number in range(2)]
        # The first time a script is sent in full.
        call(store, keys[0])
        before = own.client.info("stats")["total_reads_processed"]
        call(store, keys[1])
        after = own.client.info("stats")["total_reads_processed"]

    assert after - before - 1 == trips


READS = ["find_client", "find_token", "find_token, unknown", "read_log", "revoke_token, unknown"]


@pytest.mark.parametrize("name", READS)
def test_what_only_reads_writes_nothing(store, raw, name):
    key = issued(store)
    before = raw.contents()

    COSTS[name][1](store, key)

    assert raw.contents() == before
