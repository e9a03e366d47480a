"""Faults of a PostgreSQL store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import psycopg
from faults import WRITES, Fault, killed, late, paused
from sites import POSTGRES_SETTINGS, PostgresSite

from helpers.engines_base import wait_until

# Locked


@contextmanager
def locked(site: PostgresSite, *statements: str) -> Iterator[None]:
    """Another session leaves its transaction open."""
    with site.raw() as raw:
        raw("BEGIN")
        for statement in statements:
            raw(statement.format(site.name))
        yield
        raw("ROLLBACK")


TABLES = ("store", "clients", "tokens", "revocations", "key_set")
ALL_TABLES = "LOCK " + ", ".join("{0}.oauth_mw_" + table for table in TABLES)

# Refused


@contextmanager
def no_slot_left(site: PostgresSite) -> Iterator[None]:
    """Other clients use all connections that the store's role may open."""
    address = site.server.url.replace("+psycopg", "").replace("//tests@", "//ordinary@")
    room = POSTGRES_SETTINGS["max_connections"] - POSTGRES_SETTINGS["superuser_reserved_connections"] - 1  # for ``raw``
    with site.raw() as raw, ExitStack() as others:
        taken = 0

        def none_is_left() -> bool:
            nonlocal taken
            try:
                while True:
                    others.enter_context(psycopg.connect(address))
                    taken += 1
            except psycopg.OperationalError as error:
                assert "slots" in str(error)
            if ours := raw.backends() | raw.listeners():
                raw("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", list(ours))
            # A worker that is connecting just now is not among those.
            return taken == room

        wait_until(none_is_left, "the others")
        yield


@contextmanager
def between(site: PostgresSite, before: str, after: str) -> Iterator[None]:
    """An operator changes something for new sessions, and changes it back."""
    with site.raw() as raw:
        raw(before.format(site.name))
        try:
            site.end_sessions(raw)
            yield
        finally:
            raw(after.format(site.name))
            site.end_sessions(raw)


READ_ONLY = (
    "ALTER ROLE ordinary SET default_transaction_read_only TO on",
    "ALTER ROLE ordinary RESET default_transaction_read_only",
)
NO_LOGIN = ("ALTER ROLE ordinary NOLOGIN", "ALTER ROLE ordinary LOGIN")
MOVED = ("ALTER SCHEMA {0} RENAME TO {0}_aside", "ALTER SCHEMA {0}_aside RENAME TO {0}")


@contextmanager
def standby(site: PostgresSite) -> Iterator[None]:
    """The server became a standby: it can be read, but may be outdated."""
    signal = site.server.data / "standby.signal"
    site.server.stop()
    signal.touch()
    site.server.start()
    try:
        yield
    finally:
        site.server.stop()
        signal.unlink()
        site.server.start()


POSTGRES = {
    "killed": Fault(killed, at_start=True),
    "paused": Fault(paused, waits=True, at_start=True, rare=True),
    "no slot left": Fault(no_slot_left, at_start=True, rare=True),
    "read-only": Fault(partial(between, before=READ_ONLY[0], after=READ_ONLY[1]), WRITES, at_start=True),
    "a standby": Fault(standby, at_start=True, rare=True),
    "no login": Fault(partial(between, before=NO_LOGIN[0], after=NO_LOGIN[1]), at_start=True, rare=True),
    "schema moved": Fault(partial(between, before=MOVED[0], after=MOVED[1]), rare=True),
    "tables locked": Fault(lambda site: locked(site, ALL_TABLES), waits=True, at_start=True, rare=True),
    "tokens locked": Fault(
        lambda site: locked(site, "LOCK {}.oauth_mw_tokens"),
        frozenset({"issue", "revoke", "introspect", "first check"}),
        waits=True,
        at_start=True,
        rare=True,
        of_jwts=frozenset(),
    ),
    "turn of a stopped process": Fault(
        lambda site: locked(site, "SELECT 1 FROM {}.oauth_mw_store FOR UPDATE"),
        frozenset({"revoke", "change"}),
        waits=True,
        at_start=True,
        rare=True,
    ),
}

FAR_POSTGRES = {"slow": Fault(late, waits=True, at_start=True, rare=True)}
