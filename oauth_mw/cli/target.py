"""Which store a command works on, and how it is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click

from ..config import configure
from ..errors import ConfigError
from ..permissions import belongs_to_root
from ..protocols import Store
from ..stores import open_store
from .ini import read_section

SECRET_VARIABLE = "OAUTH_MW_KEY_ENCRYPTION_SECRET"
_SQLITE = "sqlite:///"
NO_STORE = "is missing: give --store URL or --config INI, or set OAUTH_MW_STORE"


@dataclass(frozen=True)
class Target:
    """What stood before the command: ``--store``, ``--config``, and ``OAUTH_MW_STORE``."""

    url: str | None = None
    config: str | None = None
    environ_url: str | None = None

    def options(self, config: str | None = None) -> dict[str, object]:
        """The middleware's options: those of the ini (``config``, else ``--config``), and the store.

        :raises ConfigError: the ini cannot be read, or no section of it is ours.
        """
        place = config or self.config
        options = dict(read_section(place).options) if place else {}
        url = self.url or (None if place else self.environ_url)
        return {**options, "store": url} if url else options

    def options_with_secret(self, config: str | None = None) -> dict[str, object]:
        """The same, and what signing keys are encrypted with, which is never a flag: others could read it there."""
        options = self.options(config)
        if not options.get("key_encryption_secret"):
            options["key_encryption_secret"] = os.environ.get(SECRET_VARIABLE) or None
        return options

    @contextmanager
    def store(self, *, create: bool = False, url: str | None = None) -> Iterator[Store]:
        """The store, closed at the end.

        :param url: of another one than what stood before the command.
        :param create: make it when it is not there, and say so.
        :raises ConfigError: it is not there, cannot be used, or an option is wrong.
        :raises StoreUnavailable: it does not answer.
        """
        options = {**self.options(), "store": url} if url is not None else self.options()
        if not options:
            raise ConfigError("store", NO_STORE)
        settings = configure(options)
        url = str(settings.store)
        if url.startswith("memory:"):
            raise ConfigError("store", "memory:// is gone when the command ends: use sqlite:///file")
        opened = (open_or_create if create else open_store)(url, timeout=settings.store_timeout_seconds)
        try:
            yield opened
        finally:
            opened.close()


def open_or_create(url: str, *, timeout: float) -> Store:
    """Open a store, or make it and say where it lies."""
    try:
        return open_store(url, timeout=timeout)
    except ConfigError:
        # Nothing there, or nothing that can be used: the second try tells which.
        store = open_store(url, create=True, timeout=timeout)
    click.echo(f"created {store.url}", err=True)
    file = sqlite_file(url)
    if file and belongs_to_root(file):
        click.echo(f"{file} belongs to root, as its folder does: a service of another user cannot open it", err=True)
    return store


def sqlite_file(url: str) -> str:
    """The file of an SQLite store; empty for any other."""
    return os.path.abspath(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else ""
