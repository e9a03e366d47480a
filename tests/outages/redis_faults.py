"""Faults of a Redis store."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import redis as driver
from faults import WRITES, Fault, killed, late, paused
from sites import RedisSite

from helpers.engines_base import wait_until

# By a command


@contextmanager
def between(site: RedisSite, before: str, after: str, *, reconnect: bool = False) -> Iterator[None]:
    """Run two commands, before and after.

    :param reconnect: the first one affects new connections only.
    """
    with site.admin() as admin:
        admin.execute_command(*before.split())
        if reconnect:
            admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        try:
            yield
        finally:
            admin.execute_command(*after.split())


full = partial(between, before="CONFIG SET maxmemory 1", after="CONFIG SET maxmemory 0")
no_connection_left = partial(
    between, before="CONFIG SET maxclients 1", after="CONFIG SET maxclients 10000", reconnect=True
)
# Replies of a replica can be read, but may be outdated.
replica = partial(between, before="REPLICAOF 127.0.0.1 1", after="REPLICAOF NO ONE")
# As during a hand-over of a primary: scripts wait as well, because they might write.
writes_paused = partial(between, before="CLIENT PAUSE 60000 WRITE", after="CLIENT UNPAUSE")


# Full


@contextmanager
def disk_full(site: RedisSite) -> Iterator[None]:
    """The last snapshot failed, because a folder has the name of its file."""
    place = site.server.folder / "in the way"
    place.mkdir()
    with site.admin() as admin:
        admin.config_set("save", "3600 1000000")
        admin.config_set("dbfilename", place.name)
        try:
            saved(admin, "err")
            yield
        finally:
            admin.config_set("dbfilename", "dump.rdb")
            saved(admin, "ok")
            admin.config_set("save", "")
            place.rmdir()


def saved(admin: driver.Redis, status: str) -> None:
    admin.bgsave()
    wait_until(lambda: admin.info("persistence")["rdb_bgsave_in_progress"] == 0, "a snapshot")
    assert admin.info("persistence")["rdb_last_bgsave_status"] == status


# Busy


def state(admin: driver.Redis) -> str:
    """The error that it replies to PING with, or an empty text."""
    try:
        admin.ping()
    except driver.RedisError as error:
        return str(error)
    return ""


@contextmanager
def busy(site: RedisSite) -> Iterator[None]:
    """A script of another client does not end."""
    with site.admin() as admin, socket.socket(socket.AF_UNIX) as other:
        admin.config_set("lua-time-limit", 1)
        other.connect(str(site.server.socket))
        other.sendall(b"EVAL 'while true do end' 0\r\n")
        wait_until(lambda: "busy" in state(admin), "a script")
        try:
            yield
        finally:
            admin.script_kill()
            wait_until(lambda: not state(admin), "the script's end")
            admin.config_set("lua-time-limit", 5000)


# While it loads, Redis serves clients after each thousand commands.
BURN = b"for i = 1, 2000000 do end"
STEP = b"*1\r\n$4\r\nPING\r\n" * 999 + b"*3\r\n$4\r\nEVAL\r\n$%d\r\n%b\r\n$1\r\n0\r\n" % (len(BURN), BURN)


@contextmanager
def loading(site: RedisSite) -> Iterator[None]:
    """It has much to load before it serves."""
    file = site.server.folder / "appendonly.aof"
    site.server.kill()
    data = file.read_bytes()
    file.write_bytes(STEP * 1000 + data)
    with site.admin() as admin:
        site.server.is_ready = lambda: "loading" in state(admin)
        try:
            site.server.start()
            yield
        finally:
            del site.server.is_ready
            site.server.kill()
            file.write_bytes(data)
            site.server.start()


# Missing


@contextmanager
def keys_moved(site: RedisSite) -> Iterator[None]:
    """All keys have other names. They are renamed at once: with half of them, a worker could create another store."""
    with site.admin() as admin, admin.pipeline() as moving:  # a transaction
        names = list(admin.scan_iter(match=f"*{site.name}*", count=1000))
        for name in names:
            moving.rename(name, b"aside " + name)
        moving.execute()
        try:
            yield
        finally:
            for name in names:
                moving.rename(b"aside " + name, name)
            moving.execute()


REDIS = {
    "killed": Fault(killed, at_start=True),
    "paused": Fault(paused, waits=True, at_start=True, rare=True),
    "full": Fault(full, WRITES, at_start=True),
    "no connection left": Fault(no_connection_left, at_start=True),
    "a replica": Fault(replica, at_start=True, rare=True),
    "no room on the disk": Fault(disk_full, WRITES, at_start=True, rare=True),
    "writes paused": Fault(writes_paused, waits=True, at_start=True, rare=True),
    "busy with a script": Fault(busy, at_start=True, rare=True),
    "loading": Fault(loading, at_start=True, rare=True),
    "keys moved": Fault(keys_moved, rare=True),
}

FAR_REDIS = {"slow": Fault(late, waits=True, at_start=True, rare=True)}
