"""First contact with Redis: what is created or refused."""

from __future__ import annotations

from contextlib import closing

import pytest
from redis_calls import CALLS

from helpers.builders import issued, key_of, log_of, opened, registered, token_of
from helpers.changes import end_client
from helpers.engines import Redis
from helpers.redis_liar import Liar
from oauth_mw import open_store
from oauth_mw.errors import ConfigError, StoreMissing, StoreUnavailable

KNOWN = 3


def test_nothing_is_created_without_create(redis_url, raw):
    with pytest.raises(StoreMissing):
        open_store(redis_url)

    assert raw.keys() == set()


def test_a_new_store_is_one_key(redis_url, raw):
    with closing(open_store(redis_url, create=True)):
        assert raw.keys() == {raw.key("store")}


def test_a_server_can_be_reached_by_its_socket(own_server, own):
    with opened(own_server.unix_url) as store:
        assert store.find_client("tester")


def test_two_prefixes_are_two_stores(redis):
    with (
        redis.fresh() as one,
        redis.fresh() as two,
        opened(one),
        closing(open_store(two, create=True)) as other,
    ):
        assert other.find_client("tester") is None


FOREIGN = {
    "a hash where the store would be": lambda raw: raw.client.hset(raw.key("store"), "name", "x"),
    "a string where the store would be": lambda raw: raw.client.set(raw.key("store"), "1"),
    "a version that is none": lambda raw: raw.client.hset(raw.key("store"), "version", "one"),
    "a log and no store": lambda raw: raw.client.xadd(raw.key("log"), {"a": "b"}),
    "a client and no store": lambda raw: raw.client.hset(raw.key("client:tester"), "deleted", "0"),
    "a token and no store": lambda raw: raw.client.set(f"{raw.prefix}:t:00", "[]"),
    "keys of another application": lambda raw: raw.client.set(f"{raw.prefix}:session:1", "x"),
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_keys_of_something_else_are_refused_and_left_alone(redis_url, raw, make):
    make(raw)
    before = raw.keys()

    for create in (True, False):
        with pytest.raises(ConfigError, match="holds keys of something else"):
            open_store(redis_url, create=create)

    assert raw.keys() == before


def test_keys_that_only_begin_like_the_prefix_do_not_matter(redis_url, raw):
    raw.client.set(f"{raw.prefix}x:session", "x")
    raw.client.set(f"x{raw.prefix}:session", "x")

    with closing(open_store(redis_url, create=True)) as store:
        assert store.add_client(registered())


@pytest.mark.parametrize(
    ("version", "way_out"),
    [(KNOWN + 1, "upgrade oauth_mw"), (KNOWN - 1, "stop all workers .* store upgrade`")],
    ids=["newer", "older"],
)
def test_another_schema_is_refused_with_both_versions(redis_url, raw, version, way_out):
    with closing(open_store(redis_url, create=True)):
        raw.client.hset(raw.key("store"), "version", version)

    with pytest.raises(ConfigError, match=f"schema version {version}, this oauth_mw knows {KNOWN}: {way_out}"):
        open_store(redis_url, create=True)


def test_a_store_that_was_changed_to_another_schema_is_not_written_to(redis_url, raw):
    with opened(redis_url) as store:
        raw.client.hset(raw.key("store"), "version", KNOWN + 1)
        before = raw.client.hgetall(raw.key("client:tester"))

        with pytest.raises(StoreUnavailable, match=f"schema version {KNOWN + 1}"):
            end_client(store, "tester")

        assert raw.client.hgetall(raw.key("client:tester")) == before


def test_a_store_that_was_removed_is_not_created_again_by_its_users(redis_url, raw):
    with closing(open_store(redis_url, create=True)) as store:
        raw.client.delete(raw.key("store"))

        for name in ("find_client", "end_client", "clients", "read_log", "find_token"):
            with pytest.raises(StoreUnavailable):
                CALLS[name](store)
        with pytest.raises(StoreUnavailable):
            store.add_token(key_of(), token_of(registered()))

        assert raw.keys() == set()


def test_a_server_that_may_forget_revocations_is_refused_at_each_new_connection(own_server, own):
    with closing(open_store(own_server.url, create=True)) as store:
        own.client.config_set("maxmemory-policy", "volatile-ttl")

        with pytest.raises(StoreUnavailable, match="maxmemory-policy is volatile-ttl"):
            store.find_client("tester")
    with pytest.raises(ConfigError, match="maxmemory-policy is volatile-ttl"):
        open_store(own_server.url, create=True)


def test_a_database_that_the_server_has_not_is_refused_by_its_number(own_server):
    with pytest.raises(ConfigError, match="has no database 16"):
        open_store(f"redis://127.0.0.1:{own_server.port}/16", create=True)


def test_the_database_of_the_url_is_the_one_that_is_used(own_server, own):
    with closing(open_store(f"redis://127.0.0.1:{own_server.port}/3", create=True)):
        assert own.client.info("keyspace").keys() == {"db3"}


def test_a_server_that_is_too_old_is_refused(own_server):
    info = b"redis_version:6.0.16\r\nmaxmemory_policy:noeviction\r\nrole:master\r\n"
    with Liar(lambda command: info if command[0] == b"INFO" else b"OK") as liar:
        with pytest.raises(ConfigError, match=r"is version 6\.0\.16: 6\.2 is needed"):
            open_store(f"redis://127.0.0.1:{liar.port}", create=True)


def test_a_node_of_a_cluster_is_refused():
    with Redis(cluster_enabled="yes") as node, pytest.raises(ConfigError, match="is a node of a cluster"):
        open_store(node.url, create=True)


def use(url):
    with opened(url) as store:
        key = issued(store)
        store.revoke_token(key)
        store.find_token(key)
        log_of(store)
        end_client(store, "tester", delete=True)
        return [*store.clients(), store.count_tokens()]


OWN_KEYS = ["~{oauth_mw}:*", "~oauth_mw:t:*"]
SAFE = ["+@all", "-@dangerous", "+info", "+role"]


@pytest.fixture
def as_user(own_server, own):
    """The URL for a user with these permissions and no others."""

    def permit(*rules):
        own.client.execute_command("ACL", "SETUSER", "user", "on", ">pw", *rules)
        return own_server.url.replace("//", "//user:pw@")

    yield permit
    own.client.execute_command("ACL", "DELUSER", "user")


def test_a_user_needs_the_keys_of_the_store_and_two_dangerous_commands(as_user):
    assert use(as_user(*OWN_KEYS, *SAFE)) == [1]


LACKING = {
    "a command": [*OWN_KEYS, *SAFE, "-role"],
    "a command within a script": [*OWN_KEYS, *SAFE, "-xadd"],
    "the tokens": [OWN_KEYS[0], *SAFE],
    "all but the tokens": [OWN_KEYS[1], *SAFE],
}


@pytest.mark.parametrize("rules", LACKING.values(), ids=LACKING)
def test_a_user_that_lacks_a_permission_is_an_outage_that_says_so(as_user, rules):
    with pytest.raises(StoreUnavailable, match="not permit this user a command or a key"):
        use(as_user(*rules))


def test_a_warning_says_what_a_power_failure_would_cost(own_server, own):
    with closing(open_store(own_server.url, create=True)) as store:
        said = [store.warnings()]
        own.client.config_set("appendonly", "yes")
        said.append(store.warnings())
        own.client.config_set("appendfsync", "always")

        assert ["appendonly off" in said[0][0], "appendfsync everysec" in said[1][0]] == [True, True]
        assert store.warnings() == []
