"""First contact: what is made, and what is refused."""

from __future__ import annotations

import contextlib

import pytest

from helpers.builders import issued, log_of, registered
from helpers.changes import end_client
from helpers.engines import Redis
from helpers.redis_raw import Raw
from oauth_mw import open_store
from oauth_mw.errors import ConfigError, StoreMissing, StoreUnavailable
from oauth_mw.stores.redis.scripts.changes import VERSION

KNOWN = int(VERSION)


@pytest.fixture
def raw(redis_url):
    with contextlib.closing(Raw(redis_url)) as raw:
        yield raw


@pytest.fixture(scope="module")
def own():
    """A server whose settings a test may change."""
    with Redis() as server:
        yield server


@pytest.fixture
def changed(own):
    """Change a setting for one test."""
    before = {}
    with contextlib.closing(Raw(own.url)) as raw:

        def change(name, value):
            before.update(raw.client.config_get(name))
            raw.client.config_set(name, value)

        yield change
        for name, value in before.items():
            raw.client.config_set(name, value)
        raw.client.flushall()


def opened(url, **options):
    return contextlib.closing(open_store(url, **options))


def test_a_store_is_made_once(redis_url):
    with opened(redis_url, create=True) as first, opened(redis_url, create=True) as second:
        assert log_of(first) == log_of(second)


def test_a_store_that_is_there_is_opened_without_asking_to_make_it(redis_url):
    with opened(redis_url, create=True) as store:
        store.add_client(registered())

    with opened(redis_url) as store:
        assert store.find_client("tester")


def test_nothing_is_made_unasked(redis_url, raw):
    with pytest.raises(StoreMissing):
        open_store(redis_url)

    assert raw.keys() == set()


def test_all_that_is_made_is_one_key(redis_url, raw):
    with opened(redis_url, create=True):
        assert raw.keys() == {raw.key("store")}


def test_a_server_can_be_reached_by_its_socket(own):
    with opened(own.unix_url + "&prefix=by_socket", create=True) as store:
        store.add_client(registered())
        assert store.find_client("tester")


def test_two_prefixes_are_two_stores(redis):
    with (
        redis.fresh() as one,
        redis.fresh() as two,
        opened(one, create=True) as first,
        opened(two, create=True) as other,
    ):
        first.add_client(registered())
        assert other.find_client("tester") is None


FOREIGN = {
    "a hash where the store would be": lambda raw: raw.client.hset(raw.key("store"), "name", "x"),
    "a string where the store would be": lambda raw: raw.client.set(raw.key("store"), "1"),
    "a version that is none": lambda raw: raw.client.hset(raw.key("store"), "version", "one"),
    "a log and no store": lambda raw: raw.client.xadd(raw.key("log"), {"a": "b"}),
    "a client and no store": lambda raw: raw.client.hset(raw.key("client:tester"), "deleted", "0"),
    "a token and no store": lambda raw: raw.client.set(f"{raw.prefix}:t:00", "[]"),
    "keys of somebody else": lambda raw: raw.client.set(f"{raw.prefix}:session:1", "x"),
}


@pytest.mark.parametrize("create", [True, False], ids=["to be made", "to be there"])
@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_keys_of_something_else_are_refused_and_left_alone(redis_url, raw, make, create):
    make(raw)
    before = raw.keys()

    with pytest.raises(ConfigError, match="holds keys of something else"):
        open_store(redis_url, create=create)

    assert raw.keys() == before


def test_keys_that_only_begin_like_the_prefix_are_nobodys_business(redis_url, raw):
    raw.client.set(f"{raw.prefix}x:session", "x")
    raw.client.set(f"x{raw.prefix}:session", "x")

    with opened(redis_url, create=True) as store:
        assert store.add_client(registered())


@pytest.mark.parametrize(
    ("version", "way_out"),
    [(KNOWN + 1, "upgrade oauth_mw"), (KNOWN - 1, "stop all workers .* store upgrade`")],
    ids=["newer", "older"],
)
def test_another_schema_is_refused_with_both_versions(redis_url, raw, version, way_out):
    with opened(redis_url, create=True):
        raw.client.hset(raw.key("store"), "version", version)

    with pytest.raises(ConfigError, match=f"schema version {version}, this oauth_mw knows {KNOWN}: {way_out}"):
        open_store(redis_url, create=True)


def test_a_store_that_was_changed_to_another_schema_is_not_written_to(redis_url, raw):
    with opened(redis_url, create=True) as store:
        store.add_client(registered())
        raw.client.hset(raw.key("store"), "version", KNOWN + 1)
        before = raw.client.hgetall(raw.key("client:tester"))

        with pytest.raises(StoreUnavailable, match=f"schema version {KNOWN + 1}"):
            end_client(store, "tester")

        assert raw.client.hgetall(raw.key("client:tester")) == before


def test_a_store_that_was_removed_is_not_made_again_by_those_who_use_it(redis_url, raw):
    with opened(redis_url, create=True) as store:
        raw.client.delete(raw.key("store"))

        for call in (
            lambda: store.find_client("tester"),
            lambda: end_client(store, "tester"),
            lambda: list(store.clients()),
            lambda: store.read_log("", -1),
        ):
            with pytest.raises(StoreUnavailable):
                call()

        assert raw.keys() == set()


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_server_that_may_forget_revocations_is_refused(own, changed, policy):
    changed("maxmemory-policy", policy)

    with pytest.raises(ConfigError, match=f"maxmemory-policy is {policy}"):
        open_store(own.url, create=True)


def test_a_database_that_the_server_has_not_is_refused_by_its_number(own):
    with pytest.raises(ConfigError, match="has no database 16"):
        open_store(f"redis://127.0.0.1:{own.port}/16", create=True)


def test_the_database_of_the_url_is_the_one_that_is_used(own):
    url = f"redis://127.0.0.1:{own.port}/3"
    with opened(url, create=True), contextlib.closing(Raw(url)) as raw:
        assert raw.keys() == {raw.key("store")}
        raw.client.flushdb()


def test_a_server_that_is_too_old_is_refused(own, monkeypatch):
    monkeypatch.setattr("oauth_mw.stores.redis.network.checks.OLDEST", (99, 0))

    with pytest.raises(ConfigError, match=r"is version 6\.\d+\.\d+: 99\.0 is needed"):
        open_store(own.url, create=True)


def test_a_node_of_a_cluster_is_refused():
    with Redis(cluster_enabled="yes") as node, pytest.raises(ConfigError, match="is a node of a cluster"):
        open_store(node.url, create=True)


def use(url):
    with opened(url, create=True) as store:
        store.add_client(registered())
        key = issued(store)
        store.revoke_token(key)
        store.find_token(key)
        log_of(store)
        end_client(store, "tester", delete=True)
        return [*store.clients(), store.count_tokens()]


OWN_KEYS = ["~{oauth_mw}:*", "~oauth_mw:t:*"]
SAFE = ["+@all", "-@dangerous", "+info", "+role"]


@pytest.fixture
def as_user(own):
    """The URL for a user with these permissions and no others."""
    with contextlib.closing(Raw(own.url)) as raw:

        def permit(*rules):
            raw.client.execute_command("ACL", "SETUSER", "user", "on", ">pw", *rules)
            return own.url.replace("//", "//user:pw@")

        yield permit
        raw.client.execute_command("ACL", "DELUSER", "user")
        raw.client.flushall()


def test_a_user_needs_the_keys_of_the_store_and_no_dangerous_command_but_two(as_user):
    assert use(as_user(*OWN_KEYS, *SAFE)) == [1]


LACKING = {
    "a command": [*OWN_KEYS, *SAFE, "-role"],
    "a command within a script": [*OWN_KEYS, *SAFE, "-xadd"],
    "the tokens": [OWN_KEYS[0], *SAFE],
    "all but the tokens": [OWN_KEYS[1], *SAFE],
}


@pytest.mark.parametrize("rules", LACKING.values(), ids=LACKING)
def test_a_user_who_lacks_a_permission_is_told_so(as_user, rules):
    with pytest.raises(StoreUnavailable, match="not permit this user a command or a key"):
        use(as_user(*rules))


def test_a_server_that_changed_for_the_worse_is_refused_to_each_new_connection(own, changed):
    with opened(own.url, create=True) as store:
        changed("maxmemory-policy", "allkeys-lru")
        store.close()

        with pytest.raises(StoreUnavailable, match="maxmemory-policy"):
            store.find_client("tester")


def test_what_a_power_failure_would_cost_is_told(own, changed):
    with opened(own.url, create=True) as store:
        said = [store.warnings()]
        changed("appendonly", "yes")
        said.append(store.warnings())
        changed("appendfsync", "always")

        assert ["appendonly off" in said[0][0], "appendfsync everysec" in said[1][0]] == [True, True]
        assert store.warnings() == []
