"""A PgBouncer of the tests' own, from Debian's package."""

from __future__ import annotations

import os
import shutil
import socket
from typing import Any

import psycopg

from helpers.engines_base import Engine
from helpers.engines_postgres import Postgres, nobody

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""
WHY_NONE = "" if PROGRAM else "needs Debian's package pgbouncer"

SETTINGS = {
    "listen_addr": "127.0.0.1",
    "auth_type": "trust",
    "pool_mode": "transaction",
    "unix_socket_dir": "",
    "admin_users": "tests",
    "default_pool_size": 3,
    "max_client_conn": 200,
    "server_login_retry": 0.1,
    "query_wait_timeout": 30,
}


class PgBouncer(Engine):
    """``PgBouncer(server, pool_mode="session")``: in front of ``server``, or later of another one."""

    user = {} if os.geteuid() else nobody()  # it refuses to run as root

    def __init__(self, server: Postgres, **settings: object) -> None:
        super().__init__(**settings)
        self.server = server

    def url(self) -> str:
        """The store URL."""
        return f"postgresql://tests@127.0.0.1:{self.port}/postgres"

    def command(self) -> list[str]:
        self._write()
        return [PROGRAM, str(self.folder / "pgbouncer.ini")]

    def is_ready(self) -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self.port)) == 0

    def admin(self, command: str) -> list[Any]:
        """The rows that a command of its console returns."""
        where = f"host=127.0.0.1 port={self.port} user=tests dbname=pgbouncer"
        with psycopg.connect(where, autocommit=True) as console:
            cursor = psycopg.ClientCursor(console).execute(command)
            return cursor.fetchall() if cursor.description else []

    def lead_to(self, server: Postgres) -> None:
        """Use another server from now on; clients stay connected."""
        self.server = server
        self._write()
        self.admin("RELOAD")
        self.admin("RECONNECT")

    def _write(self) -> None:
        lines = [f"{name} = {value}" for name, value in {**SETTINGS, "listen_port": self.port, **self.settings}.items()]
        users = self.folder / "users.txt"
        users.write_text('"tests" ""\n', encoding="utf-8")
        file = self.folder / "pgbouncer.ini"
        database = f"[databases]\npostgres = host=127.0.0.1 port={self.server.port} dbname=postgres\n"
        file.write_text(database + "[pgbouncer]\n" + "\n".join([*lines, f"auth_file = {users}", ""]), encoding="utf-8")
        for each in (users, file):
            each.chmod(0o644)
