"""A PostgreSQL primary and its synchronous standby, and what an operator does to them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from helpers.engines_base import Group, wait_until
from helpers.engines_postgres import Postgres
from helpers.postgres_raw import Raw

SETTINGS = {
    "synchronous_standby_names": "*",
    "wal_retrieve_retry_interval": "100ms",
    "wal_receiver_status_interval": "1s",
    "max_connections": 40,
}


class Pair(Group):
    """Two servers; a commit on the primary waits for the standby. A context manager.

    :param settings: of both.
    """

    def __init__(self, **settings: object) -> None:
        super().__init__()
        self.primary, self.standby = (Postgres(**{**SETTINGS, **settings}) for _ in range(2))
        hosts = "&".join(f"host=127.0.0.1:{node.port}" for node in (self.primary, self.standby))
        self.url = f"postgresql+psycopg://tests@/postgres?{hosts}&target_session_attrs=read-write"

    def join(self) -> None:
        """Make the standby follow the primary, whatever it was before, and wait until commits wait for it."""
        shutil.rmtree(self.standby.data, ignore_errors=True)
        where = ("-D", self.standby.data, "-h", "127.0.0.1", "-p", self.primary.port, "-U", "tests")
        self.standby.run("pg_basebackup", "-R", "--no-sync", "-c", "fast", "-X", "stream", *where)
        self.standby.start()
        self.wait_for_standby()

    def primary_of(self, key: str) -> Postgres:
        """The primary, whatever the key."""
        return self.primary

    def rejoin(self, node: Postgres) -> None:
        """Make a server that was killed the standby of the one that took its place."""
        self.join()

    def wait_for_standby(self) -> None:
        with Raw(self.primary.url) as raw:
            wait_until(lambda: raw("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"), "a standby")
            raw("SELECT pg_logical_emit_message(true, 'tests', 'confirmed')")  # its first answer can take a second

    @contextmanager
    def alone(self) -> Iterator[None]:
        """``with`` it, the standby does not answer the primary."""
        self.standby.pause()
        try:
            yield
        finally:
            self.standby.resume()

    def promote(self) -> None:
        """The standby becomes the primary; what was the primary is down."""
        self.standby.run("pg_ctl", "promote", "-w", "-D", self.standby.data)
        self.primary, self.standby = self.standby, self.primary

    def _start(self) -> None:
        for node in (self.primary, self.standby):
            self._opened.callback(node.close)
        self.primary.start()
        self.join()
