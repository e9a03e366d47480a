"""The store and options that a command works on.

Functions import what they need, here and in the other modules of the command line: ``--help`` needs none of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from ..environment import AUDIT_LOG, KEY_ENCRYPTION_SECRET, STORE

if TYPE_CHECKING:
    from ..config import Settings
    from ..errors import Faults
    from ..protocols import Store
    from .find import Found
    from .ini import Section

STORE_NOT_GIVEN = f"is missing: give --store URL or --config, or set {STORE}"


def _variables(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    if not all(each.partition("=")[0] and "=" in each for each in given):
        raise click.BadParameter("expected NAME=VALUE")
    return dict(each.split("=", 1) for each in given)


def _after(context: click.Context, option: click.Parameter, value: Any) -> None:
    """Change the target of the command by an option that is given after its name."""
    if option.name == "variables":
        value = _variables(context, option, value)
    if value and not context.resilient_parsing:
        context.obj = context.obj.reading(**{str(option.name): value})


_STORE: dict[str, Any] = {"metavar": "URL", "help": "The store, such as sqlite:///oauth.db."}
_CONFIG: dict[str, Any] = {
    "metavar": "INI[#NAME]|MODULE:APP",
    "help": "Read store and options from this Paste ini, or from the middleware in this app.",
}
_SET: dict[str, Any] = {
    "multiple": True,
    "metavar": "NAME=VALUE",
    "help": "Set a variable of the ini, %(NAME)s in a value, as pserve does. No secret.",
}
_AUDIT: dict[str, Any] = {
    "metavar": "FILE",
    "help": "Append a line of JSON for each change to this file, or with the word syslog send it to the system's log.",
}
store_option = click.option("--store", envvar=STORE, show_envvar=True, **_STORE)
config_option = click.option("--config", **_CONFIG)
set_option = click.option("--set", "variables", callback=_variables, **_SET)
audit_option = click.option("--audit-log", envvar=AUDIT_LOG, show_envvar=True, **_AUDIT)
AFTER = [
    click.Option(["--store"], expose_value=False, callback=_after, **_STORE),
    click.Option(["--config"], expose_value=False, callback=_after, **_CONFIG),
    click.Option(["--set", "variables"], expose_value=False, callback=_after, **_SET),
    click.Option(["--audit-log"], expose_value=False, callback=_after, **_AUDIT),
]


# The path of an SQLite file where a URL is expected. It has no character of a password, so that it may be shown.
_FILE = re.compile(r"(?:sqlite:(?://(?!/))?|(?=.*[./]))(/?[^/:@?#;=\s][^:@?#;=\s]*)")


def refuse_file(options: dict[str, object], faults: Faults) -> None:
    """Take the store out of the options, and add a fault that says what was meant, if it is a file and not a URL."""
    if found := _FILE.fullmatch(str(options.get("store") or "")):
        faults.add("store", f"{options.pop('store')!r} is not a URL: did you mean sqlite:///{found[1]}?")


def names_app(config: str) -> bool:
    """True for ``MODULE:APP``, false for the name of an ini."""
    if ":" not in config.partition("#")[0]:
        return False
    from .find import is_app

    return is_app(config)


@dataclass(frozen=True)
class Target:
    """What ``--store``, ``--config``, ``--set`` and ``--audit-log`` name, before or after the command.

    ``environ_url`` is that of ``OAUTH_MW_STORE``.
    """

    url: str | None = None
    config: str | None = None
    environ_url: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    audit_log: str | None = None

    def reading(
        self,
        config: str | None = None,
        variables: Mapping[str, str] | None = None,
        store: str | None = None,
        audit_log: str | None = None,
    ) -> Target:
        """Return a copy with the ini, variables and store that were given to the command itself."""
        variables = {**self.variables, **(variables or {})}
        audit_log = audit_log or self.audit_log
        return replace(
            self, url=store or self.url, config=config or self.config, variables=variables, audit_log=audit_log
        )

    def refuse_variables(self) -> None:
        """Raise ``ConfigError`` if variables were given, for a target without an ini."""
        from ..errors import ConfigError

        if self.variables:
            raise ConfigError("--set", "sets variables of an ini: name one by --config")

    @cached_property
    def in_app(self) -> Found | None:
        """The middleware in the app that ``--config`` names, which is imported; none if that names an ini."""
        if not self.config or not names_app(self.config):
            return None
        from ..stores import creating_none
        from .find import find_one

        self.refuse_variables()
        with creating_none():
            found = find_one(self.config)
        return found._replace(settings=replace(found.settings, store=self.url)) if self.url else found

    def section(self, faults: Faults) -> Section:
        """The section of the ini; ``faults`` receives those of its options."""
        from ..errors import ConfigError

        file = str(self.config).partition("#")[0]
        if os.path.isdir(file) or file.endswith(".py") or not os.path.exists(file):
            raise ConfigError(file, "is no ini: name a file, or an app as MODULE:APP, such as hello:app")
        try:
            from .ini import read_section
        except ModuleNotFoundError:
            raise ConfigError(str(self.config), "reading it needs PasteDeploy: pip install 'oauth_mw[paste]'") from None
        return read_section(str(self.config), self.variables, faults)

    def each_section(self) -> list[Target]:
        """This target, or one for each section of the ini, if it names none of several."""
        try:
            from .ini import places
        except ModuleNotFoundError:  # section() says so
            return [self]
        return [replace(self, config=place) for place in places(str(self.config), self.variables)]

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the changes that are made inside, if ``--audit-log`` says where.

        :raises AdminError: before a change, because it could not be recorded; or at the end, because one was not.
        """
        if not self.audit_log:
            yield
            return
        from ..admin.trail import recorded_by
        from .audit_log import recorder_for

        recorder = recorder_for(self.audit_log)
        try:
            with recorded_by(recorder):
                yield
        finally:
            recorder.close()
        if recorder.fault:
            raise recorder.fault

    @contextmanager
    def naming_variables(self, given: Mapping[str, object] | None = None) -> Iterator[None]:
        """In the faults that are raised inside, name the variables of the ini in the place of their values.

        :param given: options that were given to the command, in the place of those of the ini.
        """
        from ..errors import ConfigError, Faults

        try:
            yield
        except ConfigError as error:
            with Faults():  # an ini that cannot be read has no variables
                if self.config:
                    from ..variables import by_notation

                    store = {"store": self.url} if self.url else {}
                    error.describe(by_notation({**self.section(Faults()).written, **store, **(given or {})}))
            raise

    def options(self, faults: Faults, *, secret: bool = True) -> dict[str, object]:
        """The middleware's options: those of the ini, and the store.

        :param secret: take ``key_encryption_secret`` from the environment if the ini has none. There is no option for
            it: other users could read it in the process list.
        """
        if not self.config:
            self.refuse_variables()
        options = dict(self.section(faults).options) if self.config else {}
        if url := self.url or (None if self.config else self.environ_url):
            options["store"] = url
        if secret and not options.get("key_encryption_secret"):
            options["key_encryption_secret"] = os.environ.get(KEY_ENCRYPTION_SECRET) or None
        return options

    def settings(self, url: str | None = None, *, secret: bool = True) -> Settings:
        """The checked options. Parameters are those of :meth:`url_and_timeout` and :meth:`options`."""
        from ..config import read_options
        from ..errors import ConfigError, Faults

        if self.in_app:
            settings = self.in_app.settings
            return settings if url is None else replace(settings, store=url)
        faults = Faults()
        options = self.options(faults, secret=secret) | ({} if url is None else {"store": url})
        refuse_file(options, faults)
        if not options and not faults:
            raise ConfigError("store", STORE_NOT_GIVEN)
        if faults and self.config:
            from ..startup import check_options

            return check_options(options, faults)
        settings = read_options(options, faults)
        faults.raise_all()
        return settings

    def url_and_timeout(self, url: str | None = None) -> tuple[str, float]:
        """The URL of the store, and the seconds that one operation may wait for it.

        :param url: the URL of another store than the one that the options name.
        :raises ConfigError: the store is not named or is in memory, or an option is wrong.
        """
        from ..errors import ConfigError

        settings = self.settings(url, secret=False)
        if not isinstance(settings.store, str):
            raise ConfigError("store", "the app opens it by itself: give --store URL too")
        if settings.store.startswith("memory:"):
            raise ConfigError("store", "memory:// is lost when the command ends: use sqlite:///file")
        return settings.store, settings.store_timeout_seconds

    @contextmanager
    def store(self, *, create: bool = False, url: str | None = None) -> Iterator[Store]:
        """Open the store, and close it at the end.

        :param create: create the store if it is missing, and print its URL.
        :raises ConfigError: it is missing or cannot be used, or as :meth:`url_and_timeout` does.
        :raises StoreUnavailable: it does not answer.
        """
        from ..stores import open_store

        url, timeout = self.url_and_timeout(url)
        opened = (open_or_create if create else open_store)(url, timeout=timeout)
        try:
            yield opened
        finally:
            opened.close()


def open_or_create(url: str, *, timeout: float) -> Store:
    """Open a store, or create it and print its URL."""
    from ..errors import ConfigError
    from ..stores import open_store, sqlite_file

    try:
        return open_store(url, timeout=timeout)
    except ConfigError:
        # It is missing or unusable: the second try creates it, or raises what is wrong.
        store = open_store(url, create=True, timeout=timeout)
    click.echo(f"created {store.url}", err=True)
    from ..permissions import belongs_to_root

    file = sqlite_file(url)
    if file and belongs_to_root(file):
        click.echo(f"{file} belongs to root, as its folder does: a service of another user cannot open it", err=True)
    return store
