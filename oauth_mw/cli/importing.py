"""``oauth-mw import``: clients of other servers."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import click

from ..admin.apigee import Converted, Found, Grant, Served, convert, read_base_paths
from ..admin.applying import ADD, ClientChange, apply_declared, deleted_ids
from ..admin.clients import list_clients
from ..admin.declared import DeclaredClient
from ..admin.imported import ENABLED
from ..credentials import has_expired
from ..limits import NOTHING
from ..permissions import open_to_others
from .changes import (
    MOST_NAMED,
    apply_options,
    change_notes,
    change_table,
    change_views,
    file_name,
    opened,
    read_file,
    safe,
    saying,
)
from .groups import Group
from .tables import table
from .target import Target
from .terminal import Output, on_target

_KEY, _NAME = 48, 19  # characters that are shown of each: Apigee's own keys have 48, and both fit 80 beside the state
_PROBLEMS = (
    "cannot be expressed here, and so imported disabled (`client update` and `client enable` open what is right):"
)
_MISSING = "not complete in these files, and so not changed if it was imported before, or else imported disabled:"


@click.group("import", cls=Group)
def import_() -> None:
    """Make clients of what another server has of them."""


@import_.command("apigee")
@click.argument("files", nargs=-1, required=True, type=click.File("rb"), metavar="FILE...")
@click.option(
    "--base-path",
    "base_paths",
    multiple=True,
    metavar="PROXY=/PREFIX",
    help="Where the paths of this API proxy begin here; PROXY=- if it is not served here; repeatable.",
)
@click.option("--environment", metavar="NAME", help="The environment of Apigee that this deployment replaces.")
@click.option("--allow-weak-secret", is_flag=True, help="Accept secrets that are short or guessable.")
@click.option(
    "--prune",
    is_flag=True,
    help="Disable clients that were imported before and are not in FILEs, and revoke their tokens.",
)
@apply_options
@on_target
def apigee(
    target: Target,
    /,
    files: tuple[BinaryIO, ...],
    *,
    base_paths: tuple[str, ...],
    environment: str | None,
    allow_weak_secret: bool,
    prune: bool,
    dry_run: bool,
    reopen: tuple[str, ...],
) -> Output:
    """Make clients of the apps of Apigee, which keep their ids and secrets.

    FILEs are JSON: what Apigee's management API answers for apps?expand=true&includeCred=true, for
    apiproducts?expand=true and for developers?expand=true, all pages of them. - is stdin.

    Each key of an app becomes a client. What its approved API products open becomes the list of requests that it may
    send; GET covers HEAD. Quotas are shown and not carried over. A client of which something cannot be expressed is
    disabled, and named.

    Another run changes only what has changed in Apigee. A client that was disabled here stays disabled, and a secret
    that was revoked stays revoked. Clients that are not in FILEs are named.
    """
    served = Served(read_base_paths(base_paths), environment)
    content = [(file_name(each), read_file(each)) for each in files]
    # Before the store, so that none is created for files that are refused.
    found = convert(content, served, allow_weak_secret=allow_weak_secret, now=int(time.time()))
    made: list[ClientChange] = []
    with opened(target, dry_run) as store, saying(made):
        deleted = deleted_ids(store)
        declared = [each for each in found.declared if each.client.client_id not in deleted]
        with _progress(declared, made) as on_change:
            changes = apply_declared(
                store, declared, prune=prune, only_imported=True, reopen=reopen, dry_run=dry_run, on_change=on_change
            )
        stored = [*list_clients(store)]
    enabled = {each.client_id: each.enabled for each in stored}
    # What a dry run would change, and else is so already.
    enabled |= {
        change.client_id: bool(new) for change in changes for name, _, new in change.differences if name == ENABLED
    }
    ids = {each.client_id for each in found.found}
    missing = [each.client_id for each in stored if each.imported and each.enabled and each.client_id not in ids]
    return _warned(_shown(found, changes, enabled, [] if prune else missing, dry_run), [name for name, _ in content])


def _warned(shown: Output, files: Iterable[str]) -> Output:
    """The same, with a warning of each file that others can read: it has secrets."""
    warnings = [f"warning: {each}" for name in files for each in open_to_others(name)]
    return shown._replace(note="\n".join(filter(None, [shown.note, *warnings])))


@contextmanager
def _progress(declared: Sequence[DeclaredClient], made: list[ClientChange]) -> Iterator[Callable[[ClientChange], None]]:
    """What is called with each change; on a terminal it moves a bar."""
    if not declared or not sys.stderr.isatty():
        yield made.append
        return
    with click.progressbar(length=len(declared), label="importing clients", file=sys.stderr) as bar:

        def on_change(change: ClientChange) -> None:
            made.append(change)
            bar.update(1)

        yield on_change
        bar.update(len(declared) - len(made))  # the others are as they were


def _shown(
    found: Converted,
    changes: Sequence[ClientChange],
    enabled: Mapping[str, bool],
    missing: Sequence[str],
    dry_run: bool,
) -> Output:
    gone = [each.client.client_id for each in found.declared if each.client.client_id not in enabled]
    view = {
        "dry_run": dry_run,
        "changes": change_views(changes),
        "clients": [_client_view(each, enabled) for each in found.found],
        "products": [_grant_view(each) for each in found.grants],
        "quotas": [{**each._asdict(), "quota": each.quota._asdict()} for each in found.quotas],
        "not_carried_over": [*found.others],
        "deleted": [*gone],
        "missing": [*missing],
    }
    parts = [_products(found.grants), _quotas(found), _clients(found.found, enabled), _changes(changes)]
    parts += [*_reasons(found.found, enabled), _others(found.others)]
    notes = change_notes(changes, dry_run)
    notes += [f"client {name!r} was deleted here, and is not added again" for name in gone]
    if missing:
        several = ", ".join(missing[:MOST_NAMED]) + (" …" if len(missing) > MOST_NAMED else "")
        notes.append(f"imported before, and not in these files, {len(missing)}: {several} (--prune disables them)")
    weak = [each.client.client_id for each in found.declared if any(one.record.weak for one in each.secrets or ())]
    notes += [f"warning: client {name!r} has a weak secret" for name in weak]
    return Output(view, "\n\n".join(filter(None, parts)), "\n".join(notes))


def _client_view(found: Found, enabled: Mapping[str, bool]) -> dict[str, Any]:
    client = found.declared and found.declared.client
    return {
        "client_id": found.client_id,
        "app": found.app,
        "imported": client is not None,
        "enabled": enabled.get(found.client_id, False),
        "closed": [*found.closed],
        "problems": [*found.problems],
        "incomplete": [*found.missing],
        "scope": " ".join(client.scopes) if client else "",
        "allowed_requests": [*client.allowed_requests] if client else [],
        "not_after": client.not_after if client else None,
        "attributes": dict(client.attributes) if client else {},
    }


def _grant_view(grant: Grant) -> dict[str, Any]:
    return {
        "product": grant.product.name,
        "in_environment": grant.is_here,
        "rules": [{"operation": each.operation, "requests": [*each.requests]} for each in grant.rules],
        "problems": [*grant.problems],
    }


def _products(grants: Sequence[Grant]) -> str:
    rows = []
    for grant in grants:
        name = safe(grant.product.name)
        if not grant.is_here:
            rows.append([name, safe(f"for {', '.join(grant.product.environments)}"), "nothing: another environment"])
        for rule in grant.rules:
            rows.append([name, safe(rule.operation), ", ".join(rule.requests) or "nothing: not served here"])
    return table(["PRODUCT", "IN APIGEE", "HERE"], rows) if rows else ""


def _quotas(found: Converted) -> str:
    rows = [
        [
            safe(each.product),
            safe(each.proxy),
            safe(" ".join(filter(None, [each.quota.limit, "per", each.quota.interval, each.quota.unit]))[:60]),
            f"--rate-limit {each.rate}" if each.rate else "",
        ]
        for each in found.quotas
    ]
    return table(["QUOTA OF PRODUCT", "PROXY", "NOT CARRIED OVER", "NEAREST OPTION"], rows) if rows else ""


def _clients(found: Sequence[Found], enabled: Mapping[str, bool]) -> str:
    rows = [
        [_short(each.client_id), _short(each.app, _NAME), _state(each, enabled.get(each.client_id))] for each in found
    ]
    head = f"keys of apps: {len(rows)}, enabled clients: {sum(row[2] in ('enabled', 'no path') for row in rows)}"
    made = [each.declared.client for each in found if each.declared]
    parts = {
        "scopes": sum(bool(client.scopes) for client in made),
        "ends": sum(client.not_after is not None for client in made),
        "paths": sum(client.allowed_requests != (NOTHING,) for client in made),
    }
    carried = ", ".join(f"{what} of {count}" for what, count in parts.items())
    lines = [head, *_wrapped(f"carried over: ids, secrets, attributes; {carried}", "")]
    return "\n".join([*lines, table(["CLIENT_ID", "NAME", "STATE"], rows)]) if rows else ""


def _state(found: Found, enabled: bool | None) -> str:
    if not found.declared:
        return "not added"
    if enabled is None:
        return "deleted"
    if not enabled:
        return "disabled"
    if has_expired(found.declared.client, time.time()):
        return "expired"
    return "no path" if found.declared.client.allowed_requests == (NOTHING,) else "enabled"


def _changes(changes: Sequence[ClientChange]) -> str:
    """The differences of clients that were there before, and how many were added."""
    added = sum(each.action == ADD for each in changes)
    others = [each for each in changes if each.action != ADD]
    lines = [f"{added} clients added"] if added else []
    return "\n".join([*lines, change_table(others)]) if others or not added else lines[0]


def _reasons(found: Sequence[Found], enabled: Mapping[str, bool]) -> Iterator[str]:
    """Why clients are not enabled, each reason once, with its clients."""
    yield _grouped("not accepted in Apigee, and so imported disabled:", ((each, each.closed) for each in found))
    yield _grouped(_PROBLEMS, ((each, each.problems) for each in found))
    yield _grouped(_MISSING, ((each, each.missing) for each in found))
    changed = []
    for each in found:
        state = enabled.get(each.client_id)
        if each.declared and state is not None and state is not each.declared.enabled:
            changed.append((each, ["enabled" if state else "disabled"]))
    yield _grouped("changed here:", changed)


def _grouped(head: str, reasons: Iterable[tuple[Found, Sequence[str]]]) -> str:
    clients: dict[str, list[str]] = {}
    for found, each in reasons:
        for reason in each:
            clients.setdefault(reason, []).append(_short(found.client_id))
    lines = [line for reason, ids in clients.items() for line in _paragraph(reason, ids)]
    return "\n".join([*_wrapped(head, ""), *lines]) if lines else ""


def _paragraph(reason: str, ids: Sequence[str]) -> list[str]:
    return [*_wrapped(reason, "  "), *_wrapped(", ".join(ids), "    ")]


def _others(sentences: Sequence[str]) -> str:
    lines = [line for each in sentences for line in _wrapped(each, "  ")]
    return "\n".join(["not carried over:", *lines]) if lines else ""


def _short(text: str, most: int = _KEY) -> str:
    """A text that may be of any length, safe in a table."""
    shown = safe(text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


_WRAPPER = textwrap.TextWrapper(80, break_long_words=False, break_on_hyphens=False)


def _wrapped(text: str, indent: str) -> list[str]:
    _WRAPPER.initial_indent = _WRAPPER.subsequent_indent = indent
    return _WRAPPER.wrap(safe(text))
