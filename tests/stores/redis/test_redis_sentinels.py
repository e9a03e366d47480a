"""Sentinels: the server that a majority of them names is used, and looked up in time."""

from __future__ import annotations

import contextlib

import pytest
from redis_calls import outcome, reason

from helpers.builders import is_dead, issued, log_of, opened, registered
from helpers.engines import Redis, free_port, wait_until
from helpers.engines_redis_sentinels import SERVICE, Sentinel, client_of
from oauth_mw import open_store
from oauth_mw.errors import ConfigError, StoreUnavailable

pytestmark = pytest.mark.slow

TIMEOUT = 1.0
SLACK = 2.0  # for a machine that is busy
NEVER = 60_000  # milliseconds: nothing is replaced here


@pytest.fixture(scope="module")
def servers():
    """A primary, and another one with a store of its own."""
    with Redis() as one, Redis() as other:
        yield one, other


@pytest.fixture(scope="module")
def shared(servers):
    with contextlib.ExitStack() as opened:
        yield [opened.enter_context(Sentinel(servers[0].port, 2, NEVER)) for _ in range(3)]


@pytest.fixture
def sentinels(shared, servers):
    """Three that know the first server."""
    yield shared
    for sentinel in shared:
        sentinel.resume()
        name(sentinel, servers[0])
    for server in servers:
        server.resume()
        with client_of(server) as client:
            client.flushall()


def name(sentinel, server):
    """Have a Sentinel name another server, as after a fail-over."""
    with client_of(sentinel) as client:
        client.execute_command("SENTINEL", "REMOVE", SERVICE)
        client.execute_command("SENTINEL", "MONITOR", SERVICE, "127.0.0.1", server.port, 2)
        client.execute_command("SENTINEL", "SET", SERVICE, "down-after-milliseconds", NEVER)


def url_of(*ports, service=SERVICE, query="replicas=0"):
    return f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in ports)}/{service}?{query}"


@pytest.fixture
def url(sentinels):
    return url_of(*(sentinel.port for sentinel in sentinels))


@pytest.fixture
def store(url):
    with opened(url, timeout=TIMEOUT) as store:
        yield store


def test_the_server_that_the_sentinels_name_is_used(store, servers):
    key = issued(store)

    assert store.revoke_token(key) and is_dead(store, key)
    with client_of(servers[0]) as first, client_of(servers[1]) as second:
        assert (first.dbsize() > 0, second.dbsize()) == (True, 0)


def test_another_database_may_be_used(sentinels, servers):
    url = url_of(sentinels[0].port, query="replicas=0&db=3")
    with opened(url):
        pass

    with client_of(servers[0]) as first:
        assert first.info("keyspace").keys() == {"db3"}


@pytest.mark.parametrize("stuck", [False, True], ids=["down", "stuck"])
def test_a_first_sentinel_that_does_not_answer_takes_only_a_part_of_the_time(sentinels, stuck):
    if stuck:
        sentinels[0].pause()
    ports = (sentinels[0].port if stuck else free_port(), sentinels[1].port, sentinels[2].port)

    with contextlib.closing(open_store(url_of(*ports), create=True, timeout=3 * TIMEOUT)) as store:
        assert store.add_client(registered())


def test_without_most_of_the_sentinels_the_primary_is_used_no_longer(store, sentinels):
    for sentinel in sentinels[:2]:
        sentinel.pause()
    wait_until(lambda: reason(lambda: store.find_client("tester")), "a refusal")

    said, seconds = outcome(lambda: store.read_log("", -1))
    sentinels[0].resume()

    assert (said, seconds < TIMEOUT + SLACK) == ("too few Sentinels answer: Redis did not answer in time", True)
    wait_until(lambda: not reason(lambda: store.find_client("tester")), "recovery")


def test_when_most_sentinels_name_another_server_it_alone_is_used(store, sentinels, servers, url):
    before = log_of(store)
    own, seen = before.store_id, []
    with client_of(servers[0]) as old:
        assert len(ours(old)) == 1
        for sentinel in sentinels:
            name(sentinel, servers[1])
        with contextlib.closing(open_store(url, create=True)):
            wait_until(lambda: not reason(lambda: seen.append(log_of(store).store_id)) and seen[-1] != own, "its log")

        assert not store.read_log(before.store_id, before.position).complete
        wait_until(lambda: ours(old) == [], "the old server to see the end of its connections")


def ours(client):
    """The connections of stores; those of Sentinels have names."""
    mine = client.client_id()
    return [each for each in client.client_list() if not each["name"] and int(each["id"]) != mine]


def test_the_sentinel_that_has_seen_the_latest_failover_is_followed(servers, sentinels):
    later = Sentinel(servers[1].port, 2, NEVER)
    later._lines.append(f"sentinel config-epoch {SERVICE} 5")
    with later:
        url = url_of(*(sentinel.port for sentinel in sentinels), later.port)
        with opened(url):
            pass

    with client_of(servers[1]) as other:
        assert other.dbsize() > 0


def test_a_service_that_no_sentinel_monitors_is_refused(sentinels):
    url = url_of(*(sentinel.port for sentinel in sentinels), service="nonsense")

    with pytest.raises(ConfigError, match="know no service nonsense"):
        open_store(url)


def test_one_of_three_sentinels_that_monitors_the_service_is_too_few(sentinels):
    for sentinel in sentinels[:2]:
        with client_of(sentinel) as client:
            client.execute_command("SENTINEL", "REMOVE", SERVICE)
    try:
        with pytest.raises(StoreUnavailable, match="too few Sentinels know"):
            open_store(url_of(*(sentinel.port for sentinel in sentinels)))
    finally:
        for sentinel in sentinels[:2]:
            with client_of(sentinel) as client:
                client.execute_command("SENTINEL", "MONITOR", SERVICE, "127.0.0.1", 1, 2)


def test_a_server_that_is_no_sentinel_is_refused(servers):
    with pytest.raises(ConfigError, match="is no Sentinel"):
        open_store(url_of(servers[0].port))


def test_a_sentinel_that_is_taken_for_a_server_is_refused(sentinels):
    with pytest.raises(ConfigError, match="is a Sentinel"):
        open_store(f"redis://127.0.0.1:{sentinels[0].port}", create=True)


def test_a_replica_that_is_named_is_refused(sentinels, servers, store):
    with client_of(servers[0]) as client:
        client.replicaof("127.0.0.1", free_port())
        said = [reason(lambda: store.read_log("", -1))]
        store.close()
        said.append(reason(lambda: store.find_client("tester")))
        client.replicaof("NO", "ONE")

    assert said == ["Redis is a replica there"] * 2
    assert store.find_client("tester")


LOGINS = {
    "the same for all": (":pw@", "", ("pw", "pw"), ""),
    "another for Sentinels": (":pw@", "&sentinel_password=other", ("pw", "other"), ""),
    "none for Sentinels": (":pw@", "&sentinel_password=", ("pw", ""), ""),
    "the wrong one for Sentinels": (
        ":pw@",
        "&sentinel_password=wrong",
        ("pw", "other"),
        "too few Sentinels answer: Redis refuses the user or the password",
    ),
}


@pytest.mark.parametrize("user, query, passwords, refusal", LOGINS.values(), ids=LOGINS)
def test_server_and_sentinels_may_require_passwords(user, query, passwords, refusal):
    server, sentinel = [{"requirepass": each} if each else {} for each in passwords]
    with Redis(**server) as primary, Sentinel(primary.port, 1, NEVER, **sentinel) as watching:
        url = url_of(watching.port, query="replicas=0" + query).replace("//", "//" + user, 1)

        assert reason(lambda: open_store(url, create=True).close()) == refusal


def test_a_start_leaves_no_connection_open_for_a_fork_to_inherit(url, sentinels, servers):
    with contextlib.closing(open_store(url, create=True)), client_of(servers[0]) as client:
        wait_until(lambda: ours(client) == [], "the server to see the end of its connections")
