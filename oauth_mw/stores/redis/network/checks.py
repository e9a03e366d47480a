"""Check whether servers and the store can be used; create the store."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from ....errors import ConfigError, StoreMissing, StoreUnavailable
from ....model import KeySet
from ...decoding import blob, maybe, text
from ...records import key_set_text
from ...versions import other_version
from ..rows import Keys, read, scanned
from ..scripts import LOOK, VERSION
from . import Command, Run, RunUntil, Servers
from .url import RedisURL

NEEDED = (6, 2)
# The version of a store, also while its upgrade is under way.
_VERSION = re.compile(rb"([0-9]{1,9})(>[0-9]{1,9})?")

SCAN_ROUNDS, SCAN_COUNT = 100, 1000


def read_info(text: bytes) -> dict[str, str]:
    lines = [line.partition(":") for line in text.decode("utf-8", "replace").splitlines()]
    return {name: value for name, _, value in lines}


def _info(run: Run, *sections: str) -> dict[str, str]:
    replies = run([("INFO", section) for section in sections])
    return read(lambda: read_info(b"\n".join(replies)))


def shares(count: int, deadline: float) -> Iterator[float]:
    """The deadlines of ``count`` steps: each step has its share of the time that is left when it begins."""
    for left in range(count + 1, 1, -1):
        now = time.monotonic()
        yield now + (deadline - now) / left


def run_id(infos: Iterable[bytes], state: bytes = b"") -> str:
    """A text that changes when a server restarts, or a primary of the cluster is replaced."""
    runs = sorted(read_info(info).get("run_id", "") for info in infos)
    # A server that is not known here yet got its slots in a later epoch.
    return f"{','.join(runs)}/{read_info(state).get('cluster_current_epoch', '')}"


def why_not_primary(role: Sequence[Any], infos: bytes) -> str:
    """Why a server's replies may be outdated; empty if they are not.

    :param role: the reply to ROLE.
    """
    if role[0] != b"master":
        # The connection outlived a fail-over.
        return "Redis is a replica there"
    # It may be cut off from the nodes that replace it, and configured to answer anyway.
    return "the Redis cluster is down" if read_info(infos).get("cluster_state", "ok") != "ok" else ""


def check_server(run: Run, *, cluster: bool) -> None:
    """Refuse a server that could lose revocations, or that is of another kind than the URL says.

    :raises ConfigError: it cannot be used until an operator changes something.
    :raises StoreUnavailable: a fail-over is under way.
    """
    info = _info(run, "server", "memory", "replication", "cluster")
    if info.get("redis_mode") == "sentinel":
        raise ConfigError("store", "the Redis server is a Sentinel: expected redis+sentinel://host:port/service")
    version = info.get("redis_version", "")
    if tuple(int(part) for part in re.findall(r"[0-9]{1,9}", version)[:2]) < NEEDED:
        raise ConfigError("store", f"the Redis server is version {version}: {'.'.join(map(str, NEEDED))} is needed")
    policy = info.get("maxmemory_policy")
    if policy != "noeviction":
        message = f"the Redis server's maxmemory-policy is {policy}"
        raise ConfigError("store", f"{message}: set it to noeviction, since any other may evict revocations")
    if (info.get("cluster_enabled") == "1") is not cluster:
        raise ConfigError("store", f"the Redis server is {'no' if cluster else 'a'} node of a cluster")
    if info.get("role") != "master":
        raise StoreUnavailable("Redis is a replica there")


def check_node(run: Run) -> None:
    if _info(run, "cluster").get("cluster_enabled") != "1":
        raise ConfigError("store", "the Redis server is no node of a cluster")


def check_sentinel(run: Run) -> None:
    if _info(run, "server").get("redis_mode") != "sentinel":
        raise ConfigError("store", "the Redis server is no Sentinel")


def look_up(servers: Servers, keys: Keys, deadline: float, store_id: str = "") -> bytes | None:
    """The version of the store; empty for keys of something else, ``None`` if there are no keys.

    :param store_id: create a store with this id if there are no keys.
    """
    names = keys.of_change
    script: Command = ("EVALSHA", LOOK, len(names), *names, VERSION, store_id, key_set_text(KeySet()))
    (found,) = servers.run(keys.store, [script], deadline)
    return read(maybe, blob, found)


def find_or_create(servers: Servers, keys: Keys, shown: str, *, create: bool, first: bool, deadline: float) -> None:
    """Find the store. Create it if it is missing and ``create`` is true, unless something else uses the prefix.

    :param shown: the URL without its passwords.
    :param first: also check all other servers, and search for keys of something else.
    :raises ConfigError: there is no store, there are keys of something else, or this code cannot use the store.
    """

    def look(store_id: str = "") -> bool:
        return is_current(look_up(servers, keys, deadline, store_id), shown, keys.prefix)

    found = look()
    if first and not servers.single_node:
        # A server that does not answer now is checked when it is used.
        runs = list(servers.primaries(deadline))
        for run, until in zip(runs, shares(len(runs), deadline), strict=True):
            with suppress(StoreUnavailable):
                run([("PING",)], until)
    if found:
        return
    if first and _has_foreign_keys(servers, keys, deadline):
        # Another worker may just have created the store, and these may be its keys.
        if look():
            return
        raise _foreign(shown, keys.prefix)
    if not create:
        raise StoreMissing(f"{shown} holds no oauth_mw store with the prefix {keys.prefix}")
    look(secrets.token_hex(16))


def is_current(found: bytes | None, shown: str, prefix: str) -> bool:
    """Whether there is a store; ``found`` is the result of :func:`look_up`.

    :raises ConfigError: it is a store of another version, or no store.
    """
    if found is None or found == VERSION:
        return found is not None
    version = _VERSION.fullmatch(found)
    if not version:
        raise _foreign(shown, prefix)
    raise other_version(shown, int(version[1]), int(VERSION), under_way=bool(version[2]))


def _foreign(shown: str, prefix: str) -> ConfigError:
    where = f"{shown} holds keys of something else, or of a store that was lost, with the prefix {prefix}"
    return ConfigError("store", f"{where}: choose another")


def _has_foreign_keys(servers: Servers, keys: Keys, deadline: float) -> bool:
    """Whether a bounded search finds any key with the prefix."""
    starts = (f"{keys.prefix}:".encode(), f"{keys.tag}:".encode())
    return any(
        name.startswith(starts)
        for run in servers.primaries(deadline)
        for names in islice(scan(run, f"*{keys.prefix}*", lambda: deadline), SCAN_ROUNDS)
        for name in names
    )


def scan(run: RunUntil, pattern: str, deadline: Callable[[], float]) -> Iterator[list[bytes]]:
    """Yield the names of one primary's keys in batches, each by its own deadline. A name may come twice."""
    cursor: bytes | str = "0"
    while cursor != b"0":
        command = ("SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_COUNT)
        cursor, names = read(scanned, *run([command], deadline()))
        yield names


def persistence(servers: Servers, deadline: float) -> list[str]:
    """Sentences on what a power failure would lose with the servers' settings."""
    risks = [_risk(run, deadline) for run in servers.primaries(deadline)]
    return list(dict.fromkeys(filter(None, risks)))


def _risk(run: RunUntil, deadline: float) -> str:
    info = read(read_info, *run([("INFO", "persistence")], deadline))
    if info.get("aof_enabled") != "1":
        return "Redis has appendonly off: a crash or power failure loses revocations and client changes"
    try:
        (found,) = run([("CONFIG", "GET", "appendfsync")], deadline)
        mode = read(lambda reply: text(reply[1].decode()), found)
    except StoreUnavailable:
        return "Redis does not let this user read appendfsync: set it to always, or a power failure loses revocations"
    loses = "a power failure loses the last revocations and client changes"
    return "" if mode == "always" else f"Redis has appendfsync {mode}: {loses}"


def replication(servers: Servers, place: RedisURL, key: str, deadline: float) -> list[str]:
    """A sentence if the number of replicas of the server that has ``key`` does not suit the URL."""
    info = read(read_info, *servers.run(key, [("INFO", "replication")], deadline))
    found, wanted = read(int, info.get("connected_slaves", "0")), place.replicas
    if found == wanted or (found > wanted and not (place.service or place.cluster)):
        return []
    means = "revocations and client changes answer 503"
    if found > wanted:
        means = "one that takes over may lack revocations and client changes that were acknowledged"
    return [f"Redis has {found} replicas and the URL replicas={wanted}: {means}"]
