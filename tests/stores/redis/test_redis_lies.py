"""Servers with replies that no Redis sends: an answer or an outage, and nothing else."""

from __future__ import annotations

import itertools
import random
from contextlib import closing, nullcontext, suppress
from urllib.parse import urlsplit

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.exceptions import ResponseError

from helpers.changes import end_client
from helpers.damage import OPERATIONS, ask, fill
from helpers.redis_liar import Liar, Raw, Through
from helpers.redis_raw import prefix_of
from oauth_mw import ConfigError, StoreUnavailable, open_store

TIMEOUT = 9.0  # a busy machine may be late
WRONG_TYPES = {
    "nothing": None,
    "a number": 7,
    "a negative number": -7,
    "text": b"text",
    "no UTF-8": b"\xff",
    "no list": [],
    "a list of nothing": [None],
    "a list of lists": [[], []],
    "half a pair": [b"name"],
}
# Faults of redis-py's parser, whatever the command was.
NO_REPLIES = {
    "no number": Raw(b":abc\r\n"),
    "no length": Raw(b"$abc\r\n"),
    "no type": Raw(b"?\r\n"),
    "a map of RESP3": Raw(b"%1\r\n+a\r\n+b\r\n"),
    "a map by lists": Raw(b"%1\r\n*0\r\n+b\r\n"),
    "a line": Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "lists in lists": Raw(b"*1\r\n" * 20_000 + b":1\r\n"),
    "a redirect without an address": Raw(b"-MOVED\r\n"),
    "a redirect in words": Raw(b"-ASK x y\r\n"),
}
LIES = WRONG_TYPES | NO_REPLIES
lies = pytest.mark.parametrize("lie", LIES.values(), ids=LIES)


@pytest.fixture(scope="module")
def real(redis):
    """The URL of a store with one of each."""
    with redis.fresh() as url, closing(open_store(url, create=True)) as store:
        fill(store)
        yield url


@pytest.fixture
def through(real):
    with closing(Through(urlsplit(real).port)) as through:
        yield through


@pytest.fixture
def lied(real, through):
    """A store behind a server that replies something else to one command."""

    def make(name, lie, *options):
        liar.answer = lambda command: lie if command[0] == name.encode() else through(command)
        prefix = f"prefix={prefix_of(real)}"
        return open_store(f"redis://127.0.0.1:{liar.port}/0?{'&'.join([prefix, *options])}", timeout=TIMEOUT)

    with Liar(through) as liar:
        yield make


OPERATIONS_OF = {
    "ROLE": ["find token", "read log"],
    "INFO": ["read log", "stats"],
    "EVALSHA": ["find client", "find token", "read log", "add client", "end client"],
    "HSCAN": ["read ends"],
    "HGET": ["issue", "list clients"],
    "HMGET": ["list clients", "read signing keys", "list keys", "rotate", "standing", "copy clients", "copy tokens"],
    "GET": ["copy tokens", "revoke token"],
    "SCAN": ["count", "copy tokens", "stats"],
    "ZRANGEBYLEX": ["list clients", "copy clients"],
    "ZMSCORE": ["copy events"],
    "XRANGE": ["copy events"],
    "XLEN": ["stats"],
    "ZCARD": ["stats"],
}


@pytest.fixture
def answers(lied):
    """Use a store behind a server with a false reply, if it can be opened."""

    def answers(command, lie):
        try:
            store = lied(command, lie)
        except (ConfigError, StoreUnavailable):
            return
        with closing(store):
            for name in OPERATIONS_OF[command]:
                ask(store, name)

    return answers


@pytest.mark.parametrize("command", OPERATIONS_OF)
def test_a_reply_of_another_type_is_an_answer_or_an_outage(answers, command):
    for lie in WRONG_TYPES.values():
        answers(command, lie)


@pytest.mark.parametrize("lie", NO_REPLIES.values(), ids=NO_REPLIES)
def test_a_reply_that_is_none_is_an_answer_or_an_outage(answers, lie):
    answers("EVALSHA", lie)


@lies
def test_a_wrong_number_of_replicas_confirms_no_change(lied, lie):
    with closing(lied("WAIT", lie if lie != 7 else 0, "replicas=1")) as store, pytest.raises(StoreUnavailable):
        end_client(store, "tester")


@lies
@pytest.mark.parametrize("name", [b"AUTH", b"SELECT"])
def test_a_handshake_with_a_reply_that_is_none_is_an_outage(lie, name):
    with Liar(lambda command: lie if command[0] == name else b"OK") as liar:
        with pytest.raises((ConfigError, StoreUnavailable)):
            open_store(f"redis://:pw@127.0.0.1:{liar.port}/1", timeout=TIMEOUT)


def test_a_garbled_error_in_a_handshake_is_not_of_redis(lied):
    # Before version 6, redis-py takes this for the error of an old Redis, which has no SETINFO.
    refused = redis.VERSION[0] >= 6

    with pytest.raises(StoreUnavailable, match="is not Redis$") if refused else nullcontext():
        with closing(lied("CLIENT", Raw(b"-MOVED x y\r\n"))) as store:
            assert store.find_client("tester").client_id == "tester"


# Sentinels and clusters

SENTINEL = b"redis_mode:sentinel\r\n"
NODE = b"cluster_enabled:1\r\ncluster_state:ok\r\nredis_version:7.2.0\r\nmaxmemory_policy:noeviction\r\nrole:master\r\n"
HERE = b"127.0.0.1"
PLACES = {
    "no port": (HERE, 0),
    "too high a port": (HERE, 70_000),
    "a port below all": (HERE, -1),
    "no host": (b"", 1),
    "a host that is no text": (b"\xff", 1),
    "a host with NUL": (b"a\0b", 1),
    "a host that is too long": (b"a" * 300, 1),
    "a host with an empty part": (b"a..b", 1),
}
MASTERS = {
    "no config-epoch": [[b"name", b"tokens", b"ip", HERE]],
    "a config-epoch in words": [[b"name", b"tokens", b"config-epoch", b"new"]],
    "no name": [[b"config-epoch", b"1"]],
    "half a pair": [[b"name", b"tokens", b"config-epoch"]],
}
GOOD = [[b"name", b"tokens", b"config-epoch", b"1"]]


@pytest.fixture
def refusal():
    """Why a store is unavailable behind a server that answers by the first two words of a command."""

    def refusal(url, **answers):
        replies = {tuple(name.split("_")): reply for name, reply in answers.items()}

        def answer(command):
            words = [word.decode("latin-1").upper().replace("-", "") for word in command[:2]]
            return next((replies[key] for key in (tuple(words), (words[0],)) if key in replies), b"OK")

        with Liar(answer) as liar, pytest.raises(StoreUnavailable) as refused:
            open_store(url.format(port=liar.port), create=True, timeout=TIMEOUT).find_client("tester")
        return refused.value.reason

    return refusal


@pytest.mark.parametrize("masters", [*MASTERS.values(), *WRONG_TYPES.values()], ids=[*MASTERS, *WRONG_TYPES])
def test_a_sentinel_that_reports_no_state_is_an_outage(refusal, masters):
    answers = {"SENTINEL_GETMASTERADDRBYNAME": [HERE, b"1"], "SENTINEL_MASTERS": masters}

    assert refusal("redis+sentinel://127.0.0.1:{port}/tokens", INFO=SENTINEL, **answers)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_sentinel_that_names_no_address_is_an_outage(refusal, place):
    named = [place[0], str(place[1]).encode()]
    answers = {"SENTINEL_GETMASTERADDRBYNAME": named, "SENTINEL_MASTERS": GOOD}

    assert refusal("redis+sentinel://127.0.0.1:{port}/tokens", INFO=SENTINEL, **answers)


SLOTS = {
    "a slot below all": [[-1, 5, [HERE, 1]]],
    "a slot beyond all": [[0, 10**12, [HERE, 1]]],
    "slots the other way round": [[5, 0, [HERE, 1]]],
    "slots in words": [[b"0", b"5", [HERE, 1]]],
    "slots without a node": [[0, 16383]],
    "a node without a port": [[0, 16383, [HERE]]],
    **{name: [[0, 16383, [*place]]] for name, place in PLACES.items() if place[0]},
}


@pytest.mark.parametrize("slots", [*SLOTS.values(), *WRONG_TYPES.values()], ids=[*SLOTS, *WRONG_TYPES])
def test_a_node_that_reports_no_slots_is_an_outage(refusal, slots):
    assert refusal("redis+cluster://127.0.0.1:{port}", INFO=NODE, CLUSTER_INFO=NODE, CLUSTER_SLOTS=slots)


MOVED = ["MOVED 5 :70000", "MOVED 5 :0", f"MOVED 5 {'a' * 250}:1", "MOVED 5 a..b:1", f"MOVED 5 x:{'9' * 5000}", "MOVED"]


@pytest.mark.parametrize("moved", MOVED, ids=lambda moved: moved[:16])
def test_a_node_that_redirects_to_no_address_is_an_outage(refusal, moved):
    answers = {"CLUSTER_INFO": NODE, "CONFIG": [], "EVALSHA": ResponseError(moved)}
    with Liar(lambda command: None) as away:
        slots = [[0, 16383, [b"", away.port]]]
        assert refusal("redis+cluster://127.0.0.1:{port}", INFO=NODE, CLUSTER_SLOTS=slots, **answers)


# Anything, anywhere

replies = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=40),
    lambda replies: st.lists(replies, max_size=4),
    max_leaves=8,
)


@given(
    number=st.integers(1, 12),
    seed=st.integers(0, 2**32),
    lie=replies,
    name=st.sampled_from(sorted(OPERATIONS.keys() - {"delete client"})),
)
@settings(max_examples=30)
def test_any_part_of_a_reply_may_be_wrong_and_it_is_an_answer_or_an_outage(real, number, seed, lie, name):
    """One part of one reply is replaced."""
    chance, numbers = random.Random(seed), itertools.count(1)

    def answer(command):
        reply = through(command)
        return _changed(reply, lie, chance) if next(numbers) == number else reply

    with closing(Through(urlsplit(real).port)) as through, Liar(answer) as liar:
        with suppress(ConfigError, StoreUnavailable):
            url = f"redis://127.0.0.1:{liar.port}/0?prefix={prefix_of(real)}"
            with closing(open_store(url, timeout=TIMEOUT)) as store:
                ask(store, name)


def _changed(reply, lie, chance):
    if not isinstance(reply, list) or not reply or chance.random() < 0.2:
        return lie
    place = chance.randrange(len(reply))
    return [*reply[:place], _changed(reply[place], lie, chance), *reply[place + 1 :]]
