"""``oauth-mw check``: check a configuration as the start does, and show what every path needs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from .. import admin
from ..config import Settings, own_paths
from ..errors import ConfigError, Faults, StoreMissing
from ..paste import SECRET
from ..permissions import open_to_others
from ..protocols import Store
from ..rules import ANY_TOKEN, REST, Row
from ..startup import check_options
from ..stores import creating_none, has_password, open_store, shown, sqlite_file
from ..stores.sql.sqlite.files import COMPANIONS, check_folder, make_database
from ..variables import VARIABLE
from .findings import address_lists, findings, weak_secrets
from .tables import columns, table
from .target import Target, names_app
from .terminal import Output, on_target

if TYPE_CHECKING:
    from .ini import Section

NO_FAULTS = "no faults"
UNLISTED = Row("*", REST.text, ANY_TOKEN.needs)


@click.command()
@click.argument("reference", metavar="INI[#NAME]|MODULE:APP", required=False)
@on_target
def check(target: Target, reference: str | None) -> Output:
    """Validate a configuration exactly as the start does, and print what every path needs.

    It is that of an ini, of one section there (#NAME) or of all that its apps name, or that of each middleware that is
    found in an app: MODULE:APP, or MODULE:make() for a factory.
    The app is imported and asked once, by GET on the token path. No store is created. What works, but perhaps not as
    intended, is a warning, with exit code 0. All faults are reported together; without any, the last line says so.
    """
    target = target.reading(reference)
    if not target.config:
        raise click.UsageError("No configuration given: name the ini file, or MODULE:APP.")
    return (_check_app if names_app(target.config) else _check_ini)(target)


def _check_ini(target: Target) -> Output:
    sys.path.insert(0, os.getcwd())  # where gunicorn looks for what on_refusal names
    targets, faults, reports = target.each_section(), Faults(), []
    for each in targets:
        try:
            reports.append(_check_section(each))
        except ConfigError as error:
            place = f"[{str(each.config).partition('#')[2]}] " if len(targets) > 1 else ""
            for option, text in error.faults:
                faults.add(place + option, text)
    faults.raise_all()
    report = reports[0] if len(targets) == 1 else {"middlewares": reports}
    return Output(report, "\n\n".join([*map(_text, reports), NO_FAULTS]))


def _check_section(target: Target) -> dict[str, Any]:
    faults = Faults()
    section = target.section(faults)
    with target.naming_variables():
        settings = check_options({**section.options, **({"store": target.url} if target.url else {})}, faults)
        return _report(
            {"config": section.file, "section": section.name}, settings, _ini_warnings(section), section.inherited
        )


def _check_app(target: Target) -> Output:
    from .find import find

    target.refuse_variables()
    faults = Faults()
    reports = []
    with creating_none():
        for found in find(str(target.config)):
            settings = replace(found.settings, store=target.url) if target.url else found.settings
            tried = "no" if found.fault else "by GET on the token path"
            place = {"config": str(target.config), "found": found.place, "mount": found.mount, "confirmed": tried}
            with faults:
                reports.append(_report(place, settings, [found.fault] if found.fault else []))
    faults.raise_all()
    return Output({"middlewares": reports}, "\n\n".join([*map(_text, reports), NO_FAULTS]))


def _report(
    place: Mapping[str, str], settings: Settings, warnings: list[str], inherited: Collection[str] = ()
) -> dict[str, Any]:
    """What is said about one middleware; ``warnings`` are those about its place."""
    own, rules = own_paths(settings), settings.path_rules
    url, store_warnings = _store_warnings(settings)
    warnings = [*store_warnings, *warnings, *findings(settings, inherited)]
    rows = [Row("*", path, answered_here(name)) for name, path in own]
    rows += rules.table()
    unlisted = rows[-1] == UNLISTED and all(rule.pattern != REST for rule in settings.required_scopes)
    if settings.delay_auth_decision and unlisted:
        rows[-1] = UNLISTED._replace(needs="open: left to the app")
        warnings.append("delay_auth_decision: unlisted paths are open, the app decides about them")
    ambiguous = "refused (400)" if rules.decide("GET", "//").kind == "ambiguous" else "any token"
    found = {**place, "store": url, "ambiguous_paths": ambiguous}
    return {**found, "paths": [row._asdict() for row in rows], "warnings": warnings}


def _text(report: Mapping[str, Any]) -> str:
    found = [(name.replace("_", " "), text) for name, text in report.items() if isinstance(text, str)]
    paths = table(["METHODS", "PATH", "NEEDS"], [tuple(row.values()) for row in report["paths"]])
    return "\n".join([columns(found), "", paths, *(f"warning: {each}" for each in report["warnings"])])


def answered_here(name: str) -> str:
    """What is at one of :func:`oauth_mw.config.own_paths`."""
    return f"answered here: {name.removesuffix('_path').replace('_', ' ')} endpoint"


def _store_warnings(settings: Settings) -> tuple[str, list[str]]:
    """Return the full URL of the store, and warnings about it.

    :raises ConfigError: a start would be refused.
    :raises StoreUnavailable: a start would warn, and answer 503.
    """
    if not isinstance(settings.store, str):
        return settings.store.url, _opened_warnings(settings, settings.store, "")
    url = settings.store
    file = sqlite_file(url)
    if file:
        check_folder(os.path.dirname(file))
    if os.path.lexists(file):
        make_database(file)  # the file exists: this checks that it can be read and written
    try:
        store = open_store(url, timeout=settings.store_timeout_seconds)
    except StoreMissing as error:
        missing = [f"{error}: the start creates it", *_open(file), *_key_warnings(settings, None)]
        return f"sqlite:///{file}" if file else shown(url), missing
    try:
        return store.url, _opened_warnings(settings, store, file)
    finally:
        store.close()


def _opened_warnings(settings: Settings, store: Store, file: str) -> list[str]:
    warnings = [f"store: {warning}" for warning in (*store.warnings(), *admin.client_warnings(store))]
    of_clients = [
        warning for warn in (weak_secrets, address_lists) for warning in warn(settings, admin.list_clients(store))
    ]
    return [*warnings, *_open(file), *_key_warnings(settings, store), *of_clients]


def _open(file: str) -> list[str]:
    """Warnings about access of other users to the database file, if the store has one."""
    return [f"store: {sentence}" for sentence in open_to_others(file, COMPANIONS)] if file else []


def _ini_warnings(section: Section) -> list[str]:
    """Warnings about an app that does not load the filter, and about access of other users to the ini."""
    app, ours = section.unguarded, section.name
    left_out = [f"config: [{app}] does not load [{ours}]: put it into the pipeline, or all is open"] if app else []
    left_out += [f"config: [{app}] is mounted without a filter of oauth_mw: it is open" for app in section.open_mounts]
    secret = bool(_in_file(section, SECRET)) or has_password(_in_file(section, "store"))
    return [*left_out, *(f"config: {sentence}" for sentence in open_to_others(section.file, secret=secret))]


def _in_file(section: Section, name: str) -> str:
    """The part of an option's value that is in the file itself: without ``${NAME}`` and its ``:`` or ``password=``."""
    return re.sub(f"(?:password=|:)?{VARIABLE.pattern}", "", str(section.written.get(name) or ""))


def _key_warnings(settings: Settings, store: Store | None) -> list[str]:
    """Warnings about the signing keys, or about JWTs without an ``issuer``."""
    if not settings.issuer:
        wanted = store is not None and any(client.token_format == "jwt" for client in admin.list_clients(store))
        return ["clients have the token format jwt, but issuer is not set: they get opaque tokens"] if wanted else []
    return admin.key_warnings(store, secret=settings.key_encryption_secret, files=settings.signing_key_files)
