"""``oauth-mw store``: show the contents of a store, copy it to another one, upgrade one that older code made."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import astuple

import click

from .. import admin
from ..errors import ConfigError, StoreOutdated, StoreUnavailable
from ..protocols import Store
from ..stores import open_store, shown, sqlite_file, upgrade_store
from .groups import Group
from .passwords import completed
from .tables import columns, table
from .target import Target
from .terminal import Output, confirm, instant, on_store, on_target


@click.group(cls=Group)
def store() -> None:
    """Show the contents of a store, copy it to another one, or upgrade one that an older version made."""


@store.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--from-password", is_flag=True, help="Prompt for the password of FROM.")
@click.option("--to-password", is_flag=True, help="Prompt for the password of TO.")
@on_target
def copy(before: Target, /, source: str, target: str, from_password: bool, to_password: bool) -> Output:
    """Copy a whole store: clients, secrets, live tokens, revocations and signing keys.

    FROM and TO are store URLs. TO is created if it is missing; else it must be empty, or a copy of FROM without changes
    of its own. FROM may be in use meanwhile. Live tokens stay valid, and revoked ones stay revoked. Repeat the command
    to continue an interrupted copy, or to copy what has changed in FROM since.

    Other users of the machine can read a password in a URL on the command line: leave it out, and give it at the prompt
    or in OAUTH_MW_FROM_PASSWORD and OAUTH_MW_TO_PASSWORD.
    """
    source = completed(source, "FROM", ask=from_password)
    target = completed(target, "TO", ask=to_password)
    with ExitStack() as opened:
        here = _open(opened, before, source, "FROM")
        there = _open(opened, before, target, "TO", create=True)
        copied = _copy(here, there)
    names = "clients", "secrets", "deleted ids", "tokens", "log entries", "signing keys"
    parts = dict(zip(names, astuple(copied), strict=True))
    counts = {name.replace(" ", "_"): {"moved": part.copied, "there": part.present} for name, part in parts.items()}
    done = f"copied {here.url} to {there.url}" if copied.changed else f"{there.url} had all of {here.url} already"
    rows = [(name, str(part.copied), str(part.present)) for name, part in parts.items()]
    text = f"{done}\n{table(['WHAT', 'COPIED', 'PRESENT BEFORE'], rows)}"
    return Output({"from": here.url, "to": there.url, "changed": copied.changed, **counts}, text)


def _open(opened: ExitStack, before: Target, url: str, which: str, *, create: bool = False) -> Store:
    """Open FROM or TO. Errors name which of the two URLs they are about."""
    try:
        return opened.enter_context(before.store(url=url, create=create))
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{which}: {error.reason}") from None
    except ConfigError as error:
        if error.option != "store":
            raise
        raise ConfigError(which, str(error).removeprefix("store: ")) from None


def _copy(source: Store, target: Store) -> admin.Copied:
    count = admin.stats(source).unexpired if sys.stderr.isatty() else 0
    if not count:
        return admin.copy_store(source, target)
    with click.progressbar(length=count, label="copying tokens", file=sys.stderr) as bar:
        return admin.copy_store(source, target, progress=bar.update)


@store.command("upgrade")
@click.option("--yes", is_flag=True, help="Do not ask whether there is a backup.")
@on_target
def upgrade(target: Target, yes: bool) -> Output:
    """Upgrade a store that an older version of oauth_mw made.

    Stop all processes that use the store first. Clients, secrets, live tokens, revocations and signing keys stay. Of an
    SQLite database, a copy is kept beside it; of any other store, make a backup first.
    """
    url, timeout = target.url_and_timeout()
    try:
        open_store(url, timeout=timeout).close()
    except StoreOutdated:
        pass
    else:
        return Output({"store": shown(url), "upgraded": False, "copy": None}, f"{shown(url)} is up to date")
    if not sqlite_file(url) and not yes:
        click.echo(f"about to upgrade {shown(url)}", err=True)
        confirm("Is there a backup, and are all processes that use it stopped?")
    copy = _upgrade(url, timeout)
    kept = f"\nkept a copy of it as it was: {copy}" if copy else ""
    return Output({"store": shown(url), "upgraded": True, "copy": copy or None}, f"upgraded {shown(url)}{kept}")


def _upgrade(url: str, timeout: float) -> str:
    if not sys.stderr.isatty():
        return upgrade_store(url, timeout=timeout)
    with click.progressbar(length=0, label="upgrading", file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done)

        return upgrade_store(url, timeout=timeout, progress=progress)


@store.command("info")
@on_store
def info(store: Store) -> Output:
    """Show what is in the store.

    Revoked tokens count as unexpired until they expire.
    """
    found, url = admin.stats(store), store.url
    seconds = found.position // 1_000_000 or None
    view = {
        "store": url,
        "engine": found.engine,
        "engine_version": found.engine_version,
        "schema_version": found.schema_version,
        "store_id": found.store_id,
        "log_position": found.position,
        "log_time": seconds,
        "log_entries": found.events,
        "clients": {"enabled": found.enabled, "disabled": found.disabled, "deleted": found.deleted},
        "secrets": found.secrets,
        "signing_keys": found.keys,
        "tokens": {"unexpired": found.unexpired, "expired": found.expired},
        "size": found.size,
    }
    text = {
        **view,
        "engine": f"{found.engine} {found.engine_version}",
        "log_position": f"{found.position} ({instant(seconds)})" if seconds else found.position,
        "clients": f"{found.enabled} enabled, {found.disabled} disabled, {found.deleted} deleted",
        "tokens": f"{found.unexpired} unexpired, {found.expired} expired and not yet swept",
        "size": _size(found.size),
    }
    del text["engine_version"], text["log_time"]
    return Output(view, columns([(name.replace("_", " "), str(value)) for name, value in text.items()]))


def _size(count: int | None) -> str:
    if count is None:
        return ""
    for unit, factor in ("GB", 1e9), ("MB", 1e6), ("kB", 1e3):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"
