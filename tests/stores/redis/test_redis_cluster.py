"""A cluster: each key is read and written on the node that has it, also while slots move."""

from __future__ import annotations

from contextlib import closing

import pytest
from redis.crc import key_slot
from redis_calls import reason

from helpers.builders import is_dead, issued, key_of, log_of, token_of
from helpers.changes import end_client
from helpers.engines import Redis, free_port, wait_until
from helpers.engines_redis_cluster import ask, moving
from oauth_mw import open_store
from oauth_mw.errors import ConfigError

pytestmark = pytest.mark.slow

TIMEOUT = 1.5
MANY = 60
LOG_SLOT = key_slot(b"oauth_mw")


@pytest.fixture
def store(cluster_store):
    return cluster_store


@pytest.fixture
def home(cluster):
    """The node that has the store's own key."""
    return cluster.primary_of("{oauth_mw}:store")


@pytest.fixture
def other(cluster, home):
    """Another primary."""
    return next(node for node in cluster.nodes[:3] if node is not home)


def url_of(*ports, login=":pw@"):
    return f"redis+cluster://{login}{','.join(f'127.0.0.1:{port}' for port in ports)}"


def name_of(key):
    return f"oauth_mw:t:{key.hex()}"


def test_tokens_lie_on_all_primaries_and_each_is_found_revoked_and_counted(store, cluster):
    keys = [issued(store, number=number) for number in range(MANY)]
    assert all(store.revoke_token(key) for key in keys[::2])

    assert [is_dead(store, key) for key in keys] == [True, False] * (MANY // 2)
    assert store.count_tokens() == MANY
    assert {cluster.primary_of(name_of(key)) for key in keys} == set(cluster.nodes[:3])


def test_a_warning_that_holds_for_all_primaries_appears_once(store):
    assert ["appendonly off" in each for each in store.warnings()] == [True]


def test_a_replica_that_may_take_over_without_the_last_revocations_is_a_warning(store, cluster):
    with closing(open_store(f"{cluster.url}?replicas=0")) as other:
        assert [each for each in other.warnings() if "one that takes over may lack revocations" in each]


def test_a_replica_names_all_other_nodes(store, cluster):
    with closing(open_store(url_of(cluster.nodes[5].port))) as other:
        assert not is_dead(other, issued(store)) and other.find_client("tester")


@pytest.mark.parametrize("stuck", [False, True], ids=["down", "stuck"])
def test_a_first_node_that_does_not_answer_takes_only_a_part_of_the_time(store, cluster, stuck):
    if stuck:
        cluster.nodes[5].pause()
    url = url_of(cluster.nodes[5].port if stuck else free_port(), cluster.nodes[0].port)

    with closing(open_store(url, timeout=TIMEOUT)) as other:
        assert other.find_client("tester")


def test_a_server_that_is_no_node_is_refused():
    with Redis() as server, pytest.raises(ConfigError, match="is no node of a cluster"):
        open_store(url_of(server.port, login=""), create=True)


REFUSED = {
    "cluster-allow-reads-when-down": ("home", "no", "yes"),
    "maxmemory-policy": ("other", "noeviction", "allkeys-lru"),
}


@pytest.mark.parametrize("setting", REFUSED)
def test_a_primary_with_a_dangerous_setting_is_refused(store, cluster, request, setting):
    where, safe, dangerous = REFUSED[setting]
    node = request.getfixturevalue(where)
    ask(node, "CONFIG", "SET", setting, dangerous)
    try:
        with pytest.raises(ConfigError, match=f"{setting} (is )?{dangerous}"):
            open_store(cluster.url)
    finally:
        ask(node, "CONFIG", "SET", setting, safe)


def test_a_start_succeeds_although_another_primary_does_not_answer(store, cluster, other):
    other.pause()

    open_store(cluster.url, timeout=TIMEOUT).close()


# Slots move


def test_a_token_is_found_while_its_slot_moves_and_after(store, cluster):
    key = issued(store)
    with moving(cluster, key_slot(name_of(key).encode())) as finish:
        assert not is_dead(store, key)
        finish()
        assert not is_dead(store, key)
    assert not is_dead(store, key)


def test_a_token_is_issued_while_its_slot_moves(store, cluster):
    key = key_of(7)
    with moving(cluster, key_slot(name_of(key).encode())) as finish:
        store.add_token(key, token_of(store.find_client("tester")))
        finish()
        assert not is_dead(store, key)


def test_revocations_go_on_when_the_log_has_moved_and_while_its_last_keys_do(store, cluster):
    keys = [issued(store, number=number) for number in range(3)]
    store.revoke_token(keys[0])  # from here on all keys exist
    seen = log_of(store)
    with moving(cluster, LOG_SLOT) as finish:
        assert store.revoke_token(keys[1])
        finish()
        assert store.revoke_token(keys[2])
        assert end_client(store, "tester")

    page = store.read_log(log_of(store).store_id, seen.position)  # on another node, followers take it for another log
    assert (page.complete, len(page.events)) == (True, 3)


def test_a_wait_for_events_moves_with_the_log(store, cluster):
    def waits():
        log_of(store)
        waiter.wait(0.3)
        clients = ask(cluster.primary_of("{oauth_mw}:log"), "CLIENT LIST")
        return any("b" in client["flags"] for client in clients)

    with closing(store.waiter()) as waiter:
        wait_until(waits, "a wait")
        with moving(cluster, LOG_SLOT) as finish:
            finish()
            wait_until(waits, "a wait at the node that has the log now")


def test_a_change_whose_keys_are_on_two_nodes_is_refused_as_a_whole(store, cluster):
    key = issued(store)
    store.revoke_token(issued(store, number=1))
    with moving(cluster, LOG_SLOT, count=2):
        assert reason(lambda: store.revoke_token(key)) == "the Redis cluster is moving the keys"

    assert store.revoke_token(key)
