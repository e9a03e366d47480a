"""Each decoder of a store's or a server's data: it decodes, or raises what it documents and nothing else."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import MovedError, RedisError, ResponseError

from helpers.damage import judge
from oauth_mw import AdminError, StoreUnavailable
from oauth_mw.keys.keypair import ALGORITHMS, from_jwk, from_pem, from_public_pem, make
from oauth_mw.model import Count
from oauth_mw.stores import decoding
from oauth_mw.stores.records import client_from, client_text, key_set_from, key_set_text, verifiers_from
from oauth_mw.stores.redis import rows as redis_rows
from oauth_mw.stores.redis import upgrade
from oauth_mw.stores.redis.network.checks import read_info, run_id, why_not_primary
from oauth_mw.stores.redis.network.errors import unavailable
from oauth_mw.stores.sql.rows import token_from_row

texts = st.text(st.characters(), max_size=20)  # with lone surrogates
numbers = st.integers() | st.sampled_from([0, 1, -1, 2**31, 2**62 - 1, 2**62, 2**63 - 1, 2**63, 10**400])
scalars = st.none() | st.booleans() | numbers | st.floats() | texts
values = st.recursive(
    scalars,
    lambda values: st.lists(values, max_size=4) | st.dictionaries(texts, values, max_size=3),
    max_leaves=12,
)
pairs = st.dictionaries(texts, st.tuples(scalars, st.booleans()) | values, max_size=3)
jsons = st.builds(lambda value: json.dumps(value), values | pairs) | texts
cells = scalars | st.binary(max_size=40) | jsons

GOOD_SECRET = {"secret_id": "id", "salt": "5a" * 16, "digest": "5a" * 32, "label": "first", "not_after": 9}
GOOD_CLIENT = {
    "name": "a client",
    "scopes": ["read", "write"],
    "default_scope": [],
    "lifetime": 60,
    "token_format": "jwt",
    "audiences": ["urn:a"],
    "default_audience": ["urn:a"],
    "attributes": {"tier": "gold", "limit": 0.5},
    "public_attributes": ["tier"],
    "resource_server": True,
    "enabled": False,
    "created_at": 5,
    "secrets": [GOOD_SECRET],
    "allowed_addresses": ["192.0.2.0/24"],
    "allowed_requests": ["GET /weather/*"],
    "rate_limit": "100/minute",
    "not_after": 9,
    "tokens_per_hour": 10,
    "tokens_per_day": 100,
    "quota_mode": "report",
}
GOOD_KEY = {"kid": "kid", "algorithm": "ES256", "public": "{}", "private": "-----BEGIN", "signs_from": 5}
GOOD_EXTRA = {"attributes": {"tier": "gold"}, "public_attributes": ["tier"], "audience": ["urn:a"]}
GOOD_TOKEN = ["tester", "read", 5, 5, json.dumps(GOOD_EXTRA), 0, 1, bytes(32)]


def altered(row):
    """A good row in which a few cells hold anything."""
    return st.dictionaries(st.integers(0, len(row) - 1), cells, max_size=3).map(
        lambda changes: [changes.get(place, cell) for place, cell in enumerate(row)]
    )


def members(good):
    """Good members of which a few are anything, or are not there; and some that a newer version wrote."""
    changes = st.dictionaries(st.sampled_from(sorted(good)) | texts, values, max_size=3)
    left_out = st.sets(st.sampled_from(sorted(good)), max_size=2)
    return st.builds(
        lambda changes, left_out: {name: {**good, **changes}[name] for name in (good | changes).keys() - left_out},
        changes,
        left_out,
    )


clients = members(GOOD_CLIENT) | members(GOOD_SECRET).map(lambda secret: {**GOOD_CLIENT, "secrets": [secret]})
key_sets = members(GOOD_KEY).map(lambda key: {"keys": [GOOD_KEY, key]}) | members({"keys": [GOOD_KEY]})


def test_good_records_are_decoded_and_written_as_they_were():
    client, keys = json.dumps(GOOD_CLIENT), json.dumps({"keys": [GOOD_KEY]})

    assert json.loads(client_text(client_from("tester", client, 7))) == GOOD_CLIENT
    assert json.loads(key_set_text(key_set_from(keys))) == {"keys": [GOOD_KEY]}
    judge((client_from("tester", client, 7), key_set_from(keys), token_from_row(GOOD_TOKEN)))


# A token in Redis.
ROW = ["tester", "read", 5, 5, {"tier": ["gold", True]}, False, ["urn:a"], {"new": 1}]
# Of schema 2:
RECORD = ["a client", ["read"], ["read"], 60, "jwt", ["urn:a"], ["urn:a"], {"tier": ["gold", True]}, False, 5]
LINE = ["id", "00" * 16, "00" * 32, "first", 5, 9, False]
SIGNING = [5, 5, "ES256", "{}", "-----BEGIN", 5]


def dumped(good):
    """A good record in JSON in which a few parts are anything; or anything."""
    part = st.dictionaries(st.integers(0, len(good) - 1), values | pairs, max_size=3)
    changed = part.map(lambda changes: [changes.get(place, cell) for place, cell in enumerate(good)])
    shorter = st.tuples(changed, st.integers(0, 9)).map(lambda found: found[0][: found[1]])
    records = changed | shorter | values
    return records.map(lambda record: json.dumps(record).encode()) | st.binary(max_size=60)


replies = st.none() | st.integers() | st.binary(max_size=25) | st.lists(st.binary(max_size=5), max_size=3)


def read(reader, *before):
    return lambda found: decoding.read("", reader, *before, *found)


def read_redis(reader, *before):
    return lambda found: redis_rows.read(reader, *before, *found)


token_rows = altered(GOOD_TOKEN) | members(GOOD_EXTRA).map(
    lambda extra: [*GOOD_TOKEN[:4], json.dumps(extra), *GOOD_TOKEN[5:]]
)
in_redis = clients.map(lambda client: json.dumps(client).encode()) | replies
position_text = st.just(b"0" * 19) | replies
of_schema_2 = st.tuples(dumped(RECORD), st.just(b"1") | replies, dumped(LINE), position_text)
reply = st.tuples(replies | st.just([]))


def old_client(fields):
    record, verifiers = upgrade.client_from("tester", *fields)
    return client_from("tester", record, 0) if record else verifiers_from(verifiers, 0)


# What is decoded, and by what.
DECODERS = {
    "client": (st.tuples(clients.map(json.dumps) | cells, cells | st.just(7)), read(client_from, "tester")),
    "verifiers": (st.tuples(cells | st.binary(min_size=272, max_size=272), cells | st.just(7)), read(verifiers_from)),
    "signing keys": (st.tuples(key_sets.map(json.dumps) | cells), read(key_set_from)),
    "token": (token_rows, token_from_row),
    "token in Redis": (
        st.tuples(dumped(ROW), replies | st.just(b"0"), replies | st.just(0)),
        read_redis(redis_rows.token_from),
    ),
    "client in Redis": (st.tuples(in_redis, position_text), read_redis(redis_rows.client_from, "tester")),
    "client of schema 2": (of_schema_2, old_client),
    "key of schema 2": (st.tuples(replies | st.just(b"kid"), dumped(SIGNING)), lambda found: upgrade.key_from(*found)),
    "counters in Redis": (
        st.tuples(replies | st.lists(numbers | st.booleans(), max_size=4)),
        read_redis(redis_rows.counted_from, [Count(b"a", 1, 0), Count(b"b", None, 0)]),
    ),
    "uses in Redis": (st.tuples(replies), read_redis(redis_rows.uses_from, "tester")),
    "event in Redis": (st.tuples(replies, replies), read_redis(redis_rows.revocation_from)),
    "INFO": (reply, read_redis(read_info)),
    "run id": (reply, read_redis(lambda found: run_id([found], found))),
    "role": (reply, read_redis(lambda found: why_not_primary(found, b""))),
    "SCAN": (reply, read_redis(redis_rows.scanned)),
}


@pytest.mark.parametrize(("found", "decode"), DECODERS.values(), ids=DECODERS)
@given(data=st.data())
def test_what_is_found_is_decoded_or_an_outage(found, decode, data):
    value = data.draw(found)
    with suppress(StoreUnavailable, AdminError):
        judge(decode(value))


@given(
    st.sampled_from([ResponseError, RedisError, ValueError])
    | st.just(lambda text: MovedError(f"5 127.0.0.1:{len(text) + 1}")),
    st.text(max_size=30) | st.from_regex(r"(MOVED|ASK) [0-9]{1,9} \S{0,9}:[0-9]{1,9}", fullmatch=True),
)
def test_what_a_server_refuses_with(kind, text):
    assert isinstance(unavailable(kind(text)), StoreUnavailable)


# Keys


@pytest.fixture(scope="module")
def jwks():
    return [make(algorithm).jwk() for algorithm in ALGORITHMS]


@given(jsons)
def test_a_text_that_is_no_public_key(text):
    with suppress(ValueError):
        from_jwk(text)


@given(st.data())
def test_a_public_key_with_other_members(jwks, data):
    members = data.draw(st.sampled_from(jwks))
    changed = {**members, data.draw(st.sampled_from(sorted(members))): data.draw(values)}

    with suppress(ValueError):
        from_jwk(json.dumps(changed))


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda body: body.hex()), st.none() | texts, st.booleans())
def test_a_text_that_is_no_pem(body, password, framed):
    text = f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{body}\n-----END ENCRYPTED PRIVATE KEY-----\n" if framed else body

    for read in (lambda: from_pem(text, password), lambda: from_public_pem(text)):
        with suppress(ValueError):
            read()
