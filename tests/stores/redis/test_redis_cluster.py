"""Which node of a cluster is asked: the one that has the key, also while keys and nodes change places."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time

import pytest
from redis.crc import key_slot

from helpers.builders import is_dead, issued, key_of, log_of, registered, token_of
from helpers.changes import end_client
from helpers.engines import Redis, free_port, wait_until
from helpers.engines_redis_cluster import Cluster, ask, moving
from helpers.processes import exit_code_of, forked
from helpers.store_urls import why_no_wheel
from oauth_mw import open_store
from oauth_mw.errors import ConfigError, StoreUnavailable

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_no_wheel("redis")), reason=why_no_wheel("redis"))]

PASSWORD = "pw"
TIMEOUT = 1.5
SLACK = 0.5  # for a machine that is busy
MANY = 60


@pytest.fixture(scope="module")
def cluster():
    """A cluster that wants a password."""
    with Cluster(requirepass=PASSWORD, masterauth=PASSWORD) as cluster:
        yield cluster


@pytest.fixture
def store(cluster):
    with contextlib.closing(open_store(cluster.url, create=True, timeout=TIMEOUT)) as store:
        store.add_client(registered())
        yield store
    for node in cluster.nodes:
        node.resume()
    wait_until(cluster.is_well, "the cluster")
    for node in cluster.nodes[:3]:
        ask(node, "FLUSHALL")


def outcome(call):
    """What it raised, and how long it took."""
    began = time.monotonic()
    try:
        call()
        said = "nothing"
    except StoreUnavailable as error:
        said = error.reason
    return said, time.monotonic() - began


def url_of(*ports):
    return f"redis+cluster://:{PASSWORD}@{','.join(f'127.0.0.1:{port}' for port in ports)}"


def name_of(key):
    return f"oauth_mw:t:{key.hex()}"


def looks_of(store):
    """Grows with each look at where the nodes are."""
    known = store._session.servers._topology
    found, find = [], known._find
    known._find = lambda deadline: found.append(True) or find(deadline)
    return found


# All is well


def test_tokens_lie_on_all_primaries_and_each_is_found_revoked_and_counted(store, cluster):
    keys = [issued(store, number=number) for number in range(MANY)]
    assert all(store.revoke_token(key) for key in keys[::2])

    assert [is_dead(store, key) for key in keys] == [True, False] * (MANY // 2)
    assert store.count_tokens() == MANY
    assert all(ask(node, "DBSIZE") > MANY / 10 for node in cluster.nodes[:3])
    assert {cluster.primary_of(name_of(key)) for key in keys} == set(cluster.nodes[:3])


def test_what_a_power_failure_would_cost_is_told_once(store):
    assert ["appendonly off" in each for each in store.warnings()] == [True]


def test_a_replica_that_may_take_over_without_the_last_revocations_is_a_warning(store, cluster):
    with contextlib.closing(open_store(f"{cluster.url}?replicas=0")) as other:
        assert [each for each in other.warnings() if "one that takes over may lack revocations" in each]


@pytest.mark.parametrize("number", [0, 5], ids=["a primary", "a replica"])
def test_one_node_tells_of_all_the_others(store, cluster, number):
    with contextlib.closing(open_store(url_of(cluster.nodes[number].port))) as other:
        assert not is_dead(other, issued(store)) and other.find_client("tester")


@pytest.mark.parametrize("stuck", [False, True], ids=["down", "stuck"])
def test_a_first_node_that_does_not_answer_takes_a_part_of_the_time_once(store, cluster, stuck):
    if stuck:
        cluster.nodes[5].pause()
    url = url_of(cluster.nodes[5].port if stuck else free_port(), cluster.nodes[0].port)
    took = []
    with contextlib.closing(open_store(url, timeout=TIMEOUT)) as other:
        for _ in range(2):
            other.close()
            other._session.servers._topology._next = 0
            said, seconds = outcome(lambda: other.find_client("tester"))
            assert said == "nothing"
            took.append(seconds)

    assert max(took) < TIMEOUT / 2


def test_scripts_that_the_nodes_forgot_are_sent_again(store, cluster):
    key = issued(store)
    for node in cluster.nodes[:3]:
        ask(node, "SCRIPT", "FLUSH")

    assert store.revoke_token(key) and is_dead(store, key)


def test_a_server_that_is_no_node_is_refused():
    with Redis() as server, pytest.raises(ConfigError, match="is no node of a cluster"):
        open_store(url_of(server.port).replace(f":{PASSWORD}@", ""), create=True)


def test_a_node_that_answers_although_it_is_cut_off_is_refused(store, cluster):
    node = cluster.primary_of("{oauth_mw}:store")
    ask(node, "CONFIG", "SET", "cluster-allow-reads-when-down", "yes")
    try:
        with pytest.raises(ConfigError, match="cluster-allow-reads-when-down yes"):
            open_store(cluster.url)
    finally:
        ask(node, "CONFIG", "SET", "cluster-allow-reads-when-down", "no")


@pytest.mark.parametrize("number", range(3))
def test_any_primary_that_may_forget_tokens_is_refused(store, cluster, number):
    ask(cluster.nodes[number], "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(ConfigError, match="maxmemory-policy is allkeys-lru"):
            open_store(cluster.url)
    finally:
        ask(cluster.nodes[number], "CONFIG", "SET", "maxmemory-policy", "noeviction")


def test_another_primary_that_does_not_answer_is_no_reason_not_to_start(store, cluster):
    home = cluster.primary_of("{oauth_mw}:store")
    next(node for node in cluster.nodes[:3] if node is not home).pause()

    said, seconds = outcome(lambda: open_store(cluster.url, timeout=TIMEOUT))

    assert (said, seconds < TIMEOUT) == ("nothing", True)


def test_a_wrong_password_is_an_outage_and_stays_unsaid(cluster):
    said, _ = outcome(lambda: open_store(cluster.url.replace(PASSWORD, "Pa55"), create=True))

    assert said == "Redis refuses the user or the password"


def test_nobody_there_is_said_at_once():
    said, seconds = outcome(lambda: open_store(url_of(free_port(), free_port())))

    assert (said, seconds < SLACK) == ("Redis cannot be reached: Connection refused", True)


# Slots change places


def test_a_token_is_found_while_its_slot_moves_and_after(store, cluster):
    key = issued(store)
    looks = looks_of(store)
    with moving(cluster, key_slot(name_of(key).encode())) as finish:
        assert not is_dead(store, key)
        finish()
        assert not is_dead(store, key)
    assert not is_dead(store, key)
    assert len(looks) <= 2


def test_a_token_is_issued_while_its_slot_moves(store, cluster):
    key = key_of(7)
    with moving(cluster, key_slot(name_of(key).encode())) as finish:
        store.add_token(key, token_of(store.find_client("tester")))
        finish()
        assert not is_dead(store, key)


def test_all_goes_on_when_the_revocation_log_has_moved_and_while_its_last_keys_do(store, cluster):
    keys = [issued(store, number=number) for number in range(3)]
    store.revoke_token(keys[0])  # now there are all the keys that there ever are
    seen = log_of(store)
    with moving(cluster, key_slot(b"oauth_mw")) as finish:
        assert store.revoke_token(keys[1])
        finish()
        assert store.revoke_token(keys[2])
        assert end_client(store, "tester")

    page = store.read_log(log_of(store).store_id, seen.position)  # on another node it is another to its followers
    assert (page.complete, len(page.events)) == (True, 3)


def test_a_wait_for_events_moves_with_the_log(store, cluster):
    waiter = store.waiter()

    def waits():
        log_of(store)
        waiter.wait(0.3)
        clients = ask(cluster.primary_of("{oauth_mw}:log"), "CLIENT LIST")
        return any("b" in client["flags"] for client in clients)

    wait_until(waits, "a wait")
    with moving(cluster, key_slot(b"oauth_mw")) as finish:
        finish()
        wait_until(waits, "a wait where the log lies now")


def test_between_two_halves_of_the_log_nothing_is_done_by_halves(store, cluster):
    key = issued(store)
    store.revoke_token(issued(store, number=1))
    with moving(cluster, key_slot(b"oauth_mw"), count=2):
        assert outcome(lambda: store.revoke_token(key))[0] == "the Redis cluster is moving the keys"

    assert store.revoke_token(key)


# Processes


def asks(store, client_id):
    return all(store.find_client(client_id).client_id == client_id for _ in range(100))


def test_parent_and_children_never_get_each_others_answers(store):
    for number in range(3):
        store.add_client(registered(f"client-{number}"))

    children = [forked(lambda number=number: asks(store, f"client-{number}")) for number in range(3)]

    assert asks(store, "tester")
    assert [exit_code_of(child) for child in children] == [0, 0, 0]


GREENLETS = """
from gevent import monkey; monkey.patch_all()
import sys, gevent
from oauth_mw import open_store
from oauth_mw.model import TokenRecord
store = open_store(sys.argv[1], timeout=10)
def ask(number):
    key = 1_900_000_000 .to_bytes(4) + number.to_bytes(28)
    store.add_token(key, TokenRecord("tester", str(number), 0, 0))
    return store.find_token(key).scope == str(number)
jobs = [gevent.spawn(ask, number) for number in range(200)]
gevent.joinall(jobs)
print(sum(bool(job.value) for job in jobs))
"""


def test_greenlets_share_the_connections_to_all_nodes(store, cluster):
    command = [sys.executable, "-c", GREENLETS, cluster.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)

    assert (done.stdout, done.stderr) == ("200\n", "")
