"""The upgrade of a store on Redis takes several steps: interrupted anywhere, it can be run again."""

from __future__ import annotations

import itertools
import json
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from redis.exceptions import ResponseError

from helpers.redis_liar import Liar, Through
from helpers.redis_raw import Raw
from helpers.upgrading import run_old
from oauth_mw import AdminError, ConfigError, StoreUnavailable, open_store
from oauth_mw.errors import StoreOutdated
from oauth_mw.model import CLIENTS_PER_PAGE
from oauth_mw.stores import upgrade_store

pytestmark = pytest.mark.parametrize("store_kind", ["redis"])


@pytest.fixture
def raw(old_url):
    with closing(Raw(old_url)) as raw:
        yield raw


def crowd(raw):
    """More clients than fit in two pages."""
    record = raw.client.hgetall(raw.key("client:five"))
    with raw.client.pipeline() as pipeline:
        for number in range(2 * CLIENTS_PER_PAGE):
            pipeline.hset(raw.key(f"client:crowd{number}"), mapping=record)
            pipeline.zadd(raw.key("clients"), {f"crowd{number}": 0})
        pipeline.execute()


class Cut:
    """A server that after some changes answers no more: before the next one, or without a reply to the last."""

    def __init__(self, through, changes, *, done):
        self._through, self._left, self._done = through, changes, done

    def __call__(self, command):
        changes = command[0] in (b"EVALSHA", b"EVAL")
        if changes and not self._left:
            if self._done:
                self._through(command)
                self._done = False
            return ResponseError("ERR cut")
        reply = self._through(command)
        self._left -= changes and not isinstance(reply, ResponseError)
        return reply


@pytest.mark.parametrize("done", [False, True], ids=["before a step", "before its reply"])
def test_an_upgrade_that_is_cut_off_anywhere_can_be_run_again(old_url, raw, done):
    crowd(raw)
    old = {key: raw.client.dump(key) for key in raw.keys()}
    upgrade_store(old_url)
    whole, versions = raw.contents(), []

    for changes in itertools.count():
        raw.client.delete(*raw.keys())
        for key, dump in old.items():
            raw.client.restore(key, 0, dump)
        with closing(Through(urlsplit(old_url).port)) as through, Liar(Cut(through, changes, done=done)) as liar:
            try:
                upgrade_store(old_url.replace(str(urlsplit(old_url).port), str(liar.port)))
                break
            except StoreUnavailable:
                pass
        versions.append(raw.client.hget(raw.key("store"), "version"))
        if versions[-1] != b"3":
            with pytest.raises(StoreOutdated):
                open_store(old_url)
        upgrade_store(old_url)
        assert raw.contents() == whole

    assert versions == sorted(versions) and len(set(versions)) == (3 if done else 2)
    assert len(versions) > 5


def test_a_store_whose_upgrade_is_under_way_is_used_by_no_code(old_url, raw):
    raw.client.hset(raw.key("store"), "version", "2>3")
    before = raw.contents()

    with pytest.raises(StoreOutdated, match="schema version 2, .* begun and has not finished; .* again$"):
        open_store(old_url, create=True)
    assert run_old("--store", old_url, "client", "list").returncode == 2
    assert raw.contents() == before


def test_nothing_of_the_old_layout_is_left(old_url, raw):
    raw.client.hset(raw.key("store"), mapping={"origin": "x", "copied": "1", "kids": "y"})
    raw.client.hset(raw.key("client:five"), "copied", "z")

    upgrade_store(old_url)

    assert {key.decode() for key in raw.client.hkeys(raw.key("client:five"))} == {
        "record",
        "verifiers",
        "revoked_before",
    }
    assert not raw.client.exists(raw.key("signing"))
    assert {key.decode() for key in raw.client.hkeys(raw.key("store"))} == {
        "version",
        "store_id",
        "position",
        "floor",
        "keys",
    }


def secrets(raw, change):
    name = raw.key("client:five")
    raw.client.hset(name, "secrets", change(raw.client.hget(name, "secrets")))


def record(raw, place, value):
    name = raw.key("client:five")
    found = json.loads(raw.client.hget(name, "record"))
    found[place] = value
    raw.client.hset(name, "record", json.dumps(found))


DAMAGES = {
    "a lifetime of nothing": (lambda raw: record(raw, 3, 0), "the client 'five' is garbled"),
    "another format": (lambda raw: record(raw, 4, "odd"), "the client 'five' is garbled"),
    "a switch in words": (lambda raw: raw.client.hset(raw.key("client:five"), "enabled", "on"), "'five' is garbled"),
    "an end in words": (lambda raw: raw.client.hset(raw.key("client:five"), "ended", "now"), "'five' is garbled"),
    "half a secret": (lambda raw: secrets(raw, lambda lines: lines[:-20]), "the client 'five' is garbled"),
    "six secrets": (lambda raw: secrets(raw, lambda lines: lines + b"\n" + lines.split(b"\n")[0]), "has 6 secrets"),
    "a key that is none": (lambda raw: raw.client.hset(raw.key("signing"), "kid", "{}"), "the signing key b'kid'"),
}


@pytest.mark.parametrize(("damage", "named"), DAMAGES.values(), ids=DAMAGES)
def test_what_cannot_be_read_is_named_and_nothing_changed(old_url, raw, damage, named):
    damage(raw)
    before = raw.contents()

    with pytest.raises(AdminError, match=named):
        upgrade_store(old_url)

    assert raw.contents() == before


@pytest.mark.parametrize(
    ("version", "way_out"), [("1", "cannot read it$"), ("9", "upgrade oauth_mw$"), ("x", "choose")]
)
def test_other_schemas_are_refused(old_url, raw, version, way_out):
    raw.client.hset(raw.key("store"), "version", version)
    before = raw.contents()

    with pytest.raises(ConfigError, match=way_out):
        upgrade_store(old_url)

    assert raw.contents() == before


def test_a_step_waits_for_the_replicas_of_the_url(old_url, raw):
    with pytest.raises(StoreUnavailable, match="too few replicas"):
        upgrade_store(old_url + "&replicas=1", timeout=0.5)

    assert raw.client.hget(raw.key("store"), "version") == b"2>3"
    upgrade_store(old_url)
    with pytest.raises(StoreUnavailable, match="too few replicas"):
        upgrade_store(old_url + "&replicas=1", timeout=0.5)


def test_two_upgrades_at_once_are_one(old_url, raw):
    """The first is overtaken before each of its steps."""
    crowd(raw)
    steps = []

    def progress(count, total):
        steps.append(count)
        if len(steps) == 1:
            upgrade_store(old_url)

    upgrade_store(old_url, progress=progress)

    assert len(raw.client.hkeys(raw.key("client:crowd7"))) == 3
    assert raw.client.hget(raw.key("store"), "version") == b"3"
