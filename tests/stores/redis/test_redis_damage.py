"""A store on Redis whose keys have other values: an answer or a 503, never a 500."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.damage import fill, issued_text, judge_answers, requests
from oauth_mw import open_store
from oauth_mw.tokens.opaque import storage_key

BAD = {
    "nothing": b"",
    "a number": b"7",
    "minus one": b"-1",
    "too large a number": b"9" * 30,
    "far too many digits": b"9" * 5000,
    "text": b"text",
    "no UTF-8": b"\xff\xfe",
    "NULL": b"null",
    "true": b"true",
    "an object": b"{}",
    "a list": b"[]",
    "a list of lists": b"[[],[],[],[],[],[],[],[],[],[]]",
    "many brackets": b"[" * 100_000,
    "half a character": b'["\\ud800","\\ud800",1,1]',
}


@pytest.fixture
def store(redis_url):
    with closing(open_store(redis_url, create=True)) as store:
        fill(store)
        yield store


@pytest.fixture
def text(store):
    return issued_text(store)


# Other values


def put(raw, name, place, value):
    """Put ``value`` into a key of the store, at ``place`` if its type has such, or as the whole value."""
    client, kind = raw.client, raw.client.type(name)
    if kind == b"hash":
        client.hset(name, place, value)
    elif kind == b"stream":
        client.xadd(name, {place: value, "k": value, "a": value})
    elif kind == b"zset":
        client.zadd(name, {value: 0})
    else:
        client.set(name, value)


def places(raw):
    """Each key of the store, with each of its fields and one more."""
    kinds = {name: raw.client.type(name) for name in sorted(raw.keys())}
    fields = {name: raw.client.hkeys(name) for name, kind in kinds.items() if kind == b"hash"}
    return [(name, field) for name in kinds for field in [*fields.get(name, []), b"c"]]


@pytest.fixture
def restored(raw, store, text):
    """Returns a function that restores all keys."""
    dumps = {key: raw.client.dump(key) for key in raw.keys()}

    def restore():
        raw.client.delete(*raw.keys() | dumps.keys())
        for key, dump in dumps.items():
            raw.client.restore(key, 0, dump)

    return restore


@pytest.mark.long
@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_each_field_with_each_value_is_an_answer_or_an_outage(store, raw, text, restored, value):
    for name, place in places(raw):
        restored()
        put(raw, name, place, value)
        judge_answers(store, text)


@pytest.mark.long
def test_each_missing_field_or_key_is_an_answer_or_an_outage(store, raw, text, restored):
    for name, place in places(raw):
        restored()
        if not (raw.client.type(name) == b"hash" and raw.client.hdel(name, place)):
            raw.client.delete(name)
        judge_answers(store, text)


def test_each_key_of_another_kind_is_an_answer_or_an_outage(store, raw, text, restored):
    for name in sorted(raw.keys()):
        restored()
        raw.client.delete(name)
        raw.client.lpush(name, "x")
        judge_answers(store, text)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_of_a_field_is_an_answer_or_an_outage(store, raw, text, restored, data):
    restored()
    name, place = data.draw(st.sampled_from(places(raw)))
    put(raw, name, place, data.draw(st.sampled_from(list(BAD.values())) | st.binary()))

    judge_answers(store, text)


def in_hash(name, field, value):
    return lambda raw, token: raw.client.hset(raw.key(name), field, value)


def not_in_store(field):
    return lambda raw, token: raw.client.hdel(raw.key("store"), field)


OUTAGES = {
    "no store id": (not_in_store("store_id"), "guard"),
    "no position": (not_in_store("position"), "guard"),
    "a floor in words": (in_hash("store", "floor", "floor"), "guard"),
    "a record without an end": (in_hash("client:tester", "record", "["), "token"),
    "verifiers that are none": (in_hash("client:tester", "verifiers", "{}"), "token"),
    "a revocation in words": (in_hash("client:tester", "revoked_before", "now"), "guard"),
    "a token without a scope": (lambda raw, token: raw.client.set(token, '["tester", null, 1, 1]'), "guard"),
    "a token that is no list": (lambda raw, token: raw.client.set(token, "{}"), "guard"),
    "an event of nothing": (lambda raw, token: raw.client.xadd(raw.key("log"), {"x": "y"}), "guard again"),
    "an end of nothing": (in_hash("revoked", "k" * 32, "x"), "guard"),
    "no keys": (not_in_store("keys"), "keys"),
    "keys that are none": (in_hash("store", "keys", "{}"), "keys"),
    "a key's id that is no text": (in_hash("store", "keys", b'{"keys":[{"kid":"\xff"}]}'), "keys"),
}


@pytest.mark.parametrize(("damage", "request_"), OUTAGES.values(), ids=OUTAGES)
def test_what_is_damaged_is_503_with_retry_after(store, raw, text, damage, request_):
    damage(raw, f"{raw.prefix}:t:{storage_key(text).hex()}")

    answer = dict(requests(store, text))[request_]

    assert (answer.status_int, answer.headers.get("Retry-After")) == (503, "1")
