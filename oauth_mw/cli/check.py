"""``oauth-mw check``: check a configuration as the start does, and show what every path needs."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import click

from .. import admin
from ..assembly import judge
from ..config import Settings, own_paths
from ..errors import Faults, StoreMissing
from ..paste import SECRET, VARIABLE
from ..permissions import open_to_others
from ..protocols import Store
from ..rules import ANY_TOKEN, REST, Row
from ..stores import has_password, open_store, shown
from ..stores.sql.sqlite.files import COMPANIONS, check_folder, make_database
from .target import Target, set_option, sqlite_file
from .terminal import Answer, answers, columns

if TYPE_CHECKING:
    from .ini import Section

# Options that open more than their names suggest.
OPENING = {
    "preflight": "OPTIONS with Origin and Access-Control-Request-Method reaches the app's views without a token,"
    " also on paths that rules name",
    "trust_vhm_root": "a client that can send X-Vhm-Root itself bypasses the rules of a Pyramid traversal app",
}
UNLISTED = Row("*", REST.text, ANY_TOKEN.needs)


@click.command()
@click.argument("ini", metavar="INI[#NAME]", required=False)
@set_option
@answers
def check(target: Target, ini: str | None, variables: dict[str, str]) -> Answer:
    """Validate a configuration exactly as the start does, and print what every path needs.

    No store is created. What works, but perhaps not as intended, is a warning, with exit code 0.
    """
    target = target.reading(ini, variables)
    if not target.config:
        raise click.UsageError("No configuration given: name the ini file.")
    faults = Faults()
    section = target.section(faults)
    settings = judge({**section.options, **({"store": target.url} if target.url else {})}, faults)
    own, rules = own_paths(settings), settings.path_rules
    url, warnings = _judge_store(settings)
    warnings += _judge_files(settings, section)
    warnings += rules.warnings(own)
    warnings += [f"{name}: {warning}" for name, warning in OPENING.items() if getattr(settings, name)]
    rows = [
        Row("*", path, f"answered here: {name.removesuffix('_path').replace('_', ' ')} endpoint")
        for name, path in own.items()
    ]
    rows += rules.table()
    unlisted = rows[-1] == UNLISTED and all(rule.pattern != REST for rule in settings.required_scopes)
    if settings.delay_auth_decision and unlisted:
        rows[-1] = UNLISTED._replace(needs="open: left to the app")
        warnings.append("delay_auth_decision: unlisted paths are open, the app decides about them")
    ambiguous = "refused (400)" if rules.decide("GET", "//").kind == "ambiguous" else "any token"
    found = {"config": section.file, "section": section.name, "store": url, "ambiguous_paths": ambiguous}
    text = [
        columns([(name.replace("_", " "), value) for name, value in found.items()]),
        "",
        columns([("METHODS", "PATH", "NEEDS"), *rows]),
        *(f"warning: {warning}" for warning in warnings),
    ]
    return Answer({**found, "paths": [row._asdict() for row in rows], "warnings": warnings}, "\n".join(text))


def _judge_store(settings: Settings) -> tuple[str, list[str]]:
    """Return the full URL of the store, and warnings about it.

    :raises ConfigError: a start would be refused.
    :raises StoreUnavailable: a start would warn, and answer 503.
    """
    url = str(settings.store)
    file = sqlite_file(url)
    if file:
        check_folder(os.path.dirname(file))
    if os.path.lexists(file):
        make_database(file)  # the file exists: this checks that it can be read and written
    try:
        store = open_store(url, timeout=settings.store_timeout_seconds)
    except StoreMissing as error:
        missing = [f"{error}: the start makes it", *_open(file), *_judge_keys(settings, None)]
        return f"sqlite:///{file}" if file else shown(url), missing
    try:
        found = [*store.warnings(), *admin.client_warnings(store)]
        warnings = [*(f"store: {warning}" for warning in found), *_open(file)]
        return store.url, [*warnings, *_judge_keys(settings, store)]
    finally:
        store.close()


def _open(file: str) -> list[str]:
    """Warnings about access of other users to the database file, if the store has one."""
    return [f"store: {sentence}" for sentence in open_to_others(file, COMPANIONS)] if file else []


def _judge_files(settings: Settings, section: Section) -> list[str]:
    """Warnings about access of other users to the ini, and to the folders of key files."""
    secret = bool(_in_file(section, SECRET)) or has_password(_in_file(section, "store"))
    found = [f"config: {sentence}" for sentence in open_to_others(section.file, secret=secret)]
    keys = (sentence for file in settings.signing_key_files for sentence in open_to_others(file, secret=False))
    return [*found, *(f"signing_key_files: {sentence}" for sentence in keys)]


def _in_file(section: Section, name: str) -> str:
    """The value of an option as far as the file itself holds it: without ``${NAME}`` and its ``:`` or ``password=``."""
    return re.sub(f"(?:password=|:)?{VARIABLE.pattern}", "", str(section.written.get(name) or ""))


def _judge_keys(settings: Settings, store: Store | None) -> list[str]:
    """Warnings about the signing keys, or about JWTs without an ``issuer``."""
    if not settings.issuer:
        wanted = store is not None and any(client.token_format == "jwt" for client in admin.list_clients(store))
        return ["clients have the token format jwt, but issuer is not set: they get opaque tokens"] if wanted else []
    return admin.key_warnings(store, secret=settings.key_encryption_secret, files=settings.signing_key_files)
