"""Which store a command works on, and how it is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import click

from ..assembly import judge
from ..config import configure
from ..errors import ConfigError, Faults
from ..permissions import belongs_to_root
from ..protocols import Store
from ..stores import open_store

if TYPE_CHECKING:
    from .ini import Section

SECRET_VARIABLE = "OAUTH_MW_KEY_ENCRYPTION_SECRET"
_SQLITE = "sqlite:///"
NO_STORE = "is missing: give --store URL or --config INI, or set OAUTH_MW_STORE"


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
    help="A variable of the ini, as pserve takes them: %(NAME)s in a value.",
)


@dataclass(frozen=True)
class Target:
    """What stood before the command: ``--store``, ``--config``, ``--set``, and ``OAUTH_MW_STORE``."""

    url: str | None = None
    config: str | None = None
    environ_url: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    def reading(self, config: str | None, variables: Mapping[str, str]) -> Target:
        """The same, with what a command of its own takes of an ini."""
        return replace(self, config=config or self.config, variables={**self.variables, **variables})

    def section(self, faults: Faults) -> Section:
        """The section of the ini.

        :raises ConfigError: it cannot be read, or no section of it is ours.
        """
        try:
            from .ini import read_section
        except ModuleNotFoundError:
            raise ConfigError(str(self.config), "reading it needs PasteDeploy: pip install 'oauth_mw[paste]'") from None
        return read_section(str(self.config), self.variables, faults)

    def options(self, faults: Faults | None = None) -> dict[str, object]:
        """The middleware's options: those of the ini, and the store.

        :param faults: to which those of the ini's options are added, instead of being raised.
        :raises ConfigError: the ini cannot be read, or no section of it is ours.
        """
        found = Faults() if faults is None else faults
        options = dict(self.section(found).options) if self.config else {}
        url = self.url or (None if self.config else self.environ_url)
        if url:
            options["store"] = url
        if faults is None and found:
            judge(options, found)
        return options

    def options_with_secret(self, faults: Faults | None = None) -> dict[str, object]:
        """The same, and what signing keys are encrypted with, which is never a flag: others could read it there."""
        options = self.options(faults)
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
