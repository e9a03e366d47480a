"""The store and options that a command works on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import click

from ..assembly import judge
from ..config import Settings, configure
from ..errors import ConfigError, Faults
from ..permissions import belongs_to_root
from ..protocols import Store
from ..stores import open_store

if TYPE_CHECKING:
    from .ini import Section

SECRET_VARIABLE = "OAUTH_MW_KEY_ENCRYPTION_SECRET"
STORE_NOT_GIVEN = "is missing: give --store URL or --config INI, or set OAUTH_MW_STORE"
_SQLITE = "sqlite:///"


def _variables(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    if not all(each.partition("=")[0] and "=" in each for each in given):
        raise click.BadParameter("expected NAME=VALUE")
    return dict(each.split("=", 1) for each in given)


set_option = click.option(
    "--set",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_variables,
    help="Set a variable of the ini, %(NAME)s in a value, as pserve does.",
)


@dataclass(frozen=True)
class Target:
    """The options before the command: ``--store``, ``--config``, ``--set``; and ``OAUTH_MW_STORE``."""

    url: str | None = None
    config: str | None = None
    environ_url: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    def reading(self, config: str | None, variables: Mapping[str, str]) -> Target:
        """Return a copy with the ini and variables that were given to the command itself."""
        return replace(self, config=config or self.config, variables={**self.variables, **variables})

    def section(self, faults: Faults) -> Section:
        """The section of the ini; ``faults`` receives those of its options."""
        try:
            from .ini import read_section
        except ModuleNotFoundError:
            raise ConfigError(str(self.config), "reading it needs PasteDeploy: pip install 'oauth_mw[paste]'") from None
        return read_section(str(self.config), self.variables, faults)

    def options(self, faults: Faults, *, secret: bool = True) -> dict[str, object]:
        """The middleware's options: those of the ini, and the store.

        :param secret: take ``key_encryption_secret`` from the environment if the ini has none. It is no flag: other
            users could read it in the process list.
        """
        options = dict(self.section(faults).options) if self.config else {}
        if url := self.url or (None if self.config else self.environ_url):
            options["store"] = url
        if secret and not options.get("key_encryption_secret"):
            options["key_encryption_secret"] = os.environ.get(SECRET_VARIABLE) or None
        return options

    def settings(self, url: str | None = None, *, secret: bool = True) -> Settings:
        """The checked options. Parameters are those of :meth:`place` and :meth:`options`."""
        faults = Faults()
        options = self.options(faults, secret=secret) | ({} if url is None else {"store": url})
        if not options and not faults:
            raise ConfigError("store", STORE_NOT_GIVEN)
        return judge(options, faults) if faults else configure(options)

    def place(self, url: str | None = None) -> tuple[str, float]:
        """The URL of the store, and the seconds that one operation may wait for it.

        :param url: the URL of another store than the one named before the command.
        :raises ConfigError: the store is not named or is in memory, or an option is wrong.
        """
        settings = self.settings(url, secret=False)
        if str(settings.store).startswith("memory:"):
            raise ConfigError("store", "memory:// is lost when the command ends: use sqlite:///file")
        return str(settings.store), settings.store_timeout_seconds

    @contextmanager
    def store(self, *, create: bool = False, url: str | None = None) -> Iterator[Store]:
        """Open the store, and close it at the end.

        :param create: create the store if it is missing, and print its URL.
        :raises ConfigError: it is missing or cannot be used, or as :meth:`place` does.
        :raises StoreUnavailable: it does not answer.
        """
        url, timeout = self.place(url)
        opened = (open_or_create if create else open_store)(url, timeout=timeout)
        try:
            yield opened
        finally:
            opened.close()


def open_or_create(url: str, *, timeout: float) -> Store:
    """Open a store, or create it and print its URL."""
    try:
        return open_store(url, timeout=timeout)
    except ConfigError:
        # It is missing or unusable: the second try creates it, or raises what is wrong.
        store = open_store(url, create=True, timeout=timeout)
    click.echo(f"created {store.url}", err=True)
    file = sqlite_file(url)
    if file and belongs_to_root(file):
        click.echo(f"{file} belongs to root, as its folder does: a service of another user cannot open it", err=True)
    return store


def sqlite_file(url: str) -> str:
    """The absolute path of an SQLite store's file; empty for other stores."""
    return os.path.abspath(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else ""
