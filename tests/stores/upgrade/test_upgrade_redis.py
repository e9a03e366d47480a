"""The upgrade of a store on Redis takes several steps: interrupted anywhere, it can be run again."""

from __future__ import annotations

import itertools
import json
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from redis.exceptions import ResponseError

from helpers.builders import SPANNING
from helpers.processes import Processes
from helpers.redis_liar import Liar, Through
from helpers.redis_raw import Raw
from helpers.support import bearer, echo, issue, middleware
from helpers.upgrading import made_by_old_code, run_old
from helpers.wsgi_client import CheckedApp
from oauth_mw import AdminError, ConfigError, StoreUnavailable, admin, open_store
from oauth_mw.errors import StoreOutdated
from oauth_mw.model import CLIENTS_PER_PAGE
from oauth_mw.stores import upgrade_store

pytestmark = pytest.mark.slow

STORE_KINDS = ["redis"]


@pytest.fixture
def raw(old_url):
    with closing(Raw(old_url)) as raw:
        yield raw


CROWD = CLIENTS_PER_PAGE + 1  # more than fit in one page


def crowd(raw):
    record = raw.client.hgetall(raw.key("client:five"))
    with raw.client.pipeline() as pipeline:
        for number in range(CROWD):
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
def test_an_upgrade_that_is_cut_off_anywhere_can_be_run_again(old_url, raw, facts, done):
    crowd(raw)
    old, steps = {key: raw.client.dump(key) for key in raw.keys()}, []
    upgrade_store(old_url, progress=lambda count, total: steps.append((count, total)))
    whole, versions = raw.contents(), []
    total = CROWD + len(facts["clients"]) + 1  # and the client that was deleted
    assert {total for _, total in steps} == {total}
    assert sum(count for count, _ in steps) == total

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

    # To check, to begin, two pages of clients, to finish.
    assert versions == ([b"2", *[b"2>3"] * 3, b"3"] if done else [b"2", b"2", *[b"2>3"] * 3])


def test_a_store_whose_upgrade_is_under_way_is_used_by_no_code(old_url, raw):
    raw.client.hset(raw.key("store"), "version", "2>3")
    before = raw.contents()

    with pytest.raises(
        StoreOutdated, match="schema version 2, .* an upgrade was begun and has not finished; .* again$"
    ):
        open_store(old_url, create=True)
    assert run_old("--store", old_url, "client", "list").returncode == 2
    assert raw.contents() == before


def test_nothing_of_the_old_layout_is_left(old_url, raw):
    raw.client.hset(raw.key("store"), mapping={"origin": "x", "copied": "1", "kids": "y"})
    raw.client.hset(raw.key("client:five"), "copied", "z")

    upgrade_store(old_url)

    client, store = ({name.decode() for name in raw.client.hkeys(raw.key(key))} for key in ("client:five", "store"))
    assert client == {"record", "verifiers", "revoked_before"}
    assert store == {"version", "store_id", "position", "floor", "keys"}
    assert not raw.client.exists(raw.key("signing"))


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
    crowd(raw)
    steps = []

    def progress(count, total):
        steps.append(count)
        if len(steps) == 2:
            upgrade_store(old_url)

    upgrade_store(old_url, progress=progress)

    assert len(raw.client.hkeys(raw.key("client:crowd7"))) == 3
    assert raw.client.hget(raw.key("store"), "version") == b"3"


UPGRADE = """
import signal, sys
signal.alarm(60)
from oauth_mw.stores import upgrade_store
upgrade_store(sys.argv[1], progress=lambda count, total: (print(count, flush=True), sys.stdin.readline()))
"""


def test_an_upgrade_that_is_killed_can_be_run_again(old_url, raw, facts):
    crowd(raw)
    with Processes(old_url) as processes:
        upgrade = processes.start(UPGRADE)
        assert [upgrade.says(), upgrade.answers()] == ["0", str(CLIENTS_PER_PAGE)]
        upgrade.hears()  # and works on, until the signal comes
        upgrade.kill()

    upgrade_store(old_url)

    with closing(open_store(old_url)) as store:
        assert admin.stats(store).enabled == len(facts["clients"]) - 1 + CROWD


@pytest.mark.parametrize("store_kind", SPANNING)
def test_a_store_on_several_servers_is_upgraded(store_url, known, clock):
    facts = made_by_old_code(store_url)

    upgrade_store(store_url)

    with closing(open_store(store_url, clock=clock)) as store:
        app = CheckedApp(middleware(echo, clock, store=store, **known["options"]))
        statuses = {
            token: app.get("/any", headers=bearer(token), status="*").status_int
            for token in facts["live"] | facts["revoked"]
        }
        assert statuses == {**dict.fromkeys(facts["live"], 200), **dict.fromkeys(facts["revoked"], 401)}
        assert [client.client_id for client in store.clients()] == [each["client_id"] for each in facts["clients"]]
        for client_id in ("plain", "signer"):
            token = issue(app, client_id, known["secrets"][client_id][0])
            app.get("/any", headers=bearer(token), status=200)
