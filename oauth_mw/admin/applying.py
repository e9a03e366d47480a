"""Clients as a file: a store is made to match declared clients, and its clients are written as such a file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from ..errors import AdminError, Faults
from ..model import Client, Clock
from ..protocols import Store
from .client_tables import Difference, differences, table_of, toml
from .clients import change_client, list_clients
from .clients_file import place_of, read_clients
from .declared import DeclaredClient, Effect, Reopened, Wanted, new_client, wanted
from .trail import changes_of, record_changes, recording

ADD, UPDATE, DISABLE, KEEP = "add", "update", "disable", "keep"

_HEAD = """\
# Clients of oauth_mw, for `oauth-mw client apply`. Keep this file as you keep secrets: weak ones can be guessed by
# their hashes, without a request.
"""


class ClientChange(NamedTuple):
    """What is changed in one client.

    :ivar action: ``add``, ``update``, ``disable`` for a client that the file does not have, or ``keep``.
    :ivar differences: the fields that change.
    :ivar notes: what stays closed although the file has it open, a sentence each.
    """

    client_id: str
    name: str
    action: str
    differences: Sequence[Difference]
    notes: Sequence[str] = ()


# Makes the client that is stored the one that is wanted.
_Change = Callable[[Client], Client]


class _Step(NamedTuple):
    """A change, with the function that changes the stored client, and the client to add if there was none."""

    shown: ClientChange
    change: _Change
    new: Client | None = None


def apply_clients(
    store: Store,
    document: Mapping[str, Any],
    *,
    prune: bool = False,
    reopen: Iterable[str] = (),
    dry_run: bool = False,
    folder: str = ".",
    environ: Mapping[str, str] = os.environ,
    on_change: Callable[[ClientChange], None] = lambda change: None,
    clock: Clock = time.time,
) -> list[ClientChange]:
    """Make the store match a file of clients.

    A client is added or updated if it differs, in one step each. Fields that the file does not have get their defaults,
    except ``enabled``, ``secrets`` and the ``not_after`` of a secret, which are kept. Live tokens are revoked if a
    client is disabled. No client is enabled that was disabled in the store, and no secret brought back that was
    revoked there.

    :param document: the file, as ``tomllib.load`` returns it. :func:`export_clients` writes such a file.
    :param prune: disable clients that the file does not have.
    :param reopen: ids of clients to enable, and of revoked secrets to bring back, as SECRET or CLIENT:SECRET.
    :param dry_run: change nothing.
    :param folder: files of secrets are relative to it.
    :param environ: has the secrets that the file names as variables.
    :param on_change: called with each change once it is made. If a change fails, those before it stay made, and another
        run makes the others.
    :return: all changes, and the clients about which there are notes.
    :raises ConfigError: with all faults of the file, each with its place. Nothing is changed.
    """
    declared = declared_clients(document, folder=folder, environ=environ, clock=clock)
    return apply_declared(
        store, declared, prune=prune, reopen=reopen, dry_run=dry_run, on_change=on_change, clock=clock
    )


def declared_clients(
    document: Mapping[str, Any], *, folder: str = ".", environ: Mapping[str, str] = os.environ, clock: Clock = time.time
) -> list[DeclaredClient]:
    """Read a file of clients. The parameters are those of :func:`apply_clients`.

    :raises ConfigError: with all faults of the file, each with its place.
    """
    faults = Faults()
    found = read_clients(document, folder=folder, environ=environ, now=int(clock()), faults=faults)
    faults.raise_all()
    return found


def apply_declared(
    store: Store,
    declared: Sequence[DeclaredClient],
    *,
    prune: bool = False,
    only_imported: bool = False,
    reopen: Iterable[str] = (),
    dry_run: bool = False,
    on_change: Callable[[ClientChange], None] = lambda change: None,
    clock: Clock = time.time,
) -> list[ClientChange]:
    """Do the same for clients that are declared by other means. Other parameters are as in :func:`apply_clients`.

    :param only_imported: prune no client that was added by hand or by a file.
    :raises ConfigError: with all that does not fit the store. Nothing is changed.
    """
    now, faults = clock(), Faults()
    reopened = _reopened(declared, reopen, faults)
    steps = [*_declared_steps(store, declared, reopened, now, faults)]
    if prune:
        steps += _pruned(store, {each.client.client_id for each in declared}, only_imported)
    faults.raise_all()
    for shown, change, new in steps:
        if dry_run or shown.action == KEEP:
            continue
        if new is None or not _add(store, new):  # another run has added it meanwhile
            _update(store, shown.client_id, change)
        on_change(shown)
    return [step.shown for step in steps]


def export_clients(store: Store) -> Iterator[str]:
    """Yield all clients as pieces of a TOML file, from which :func:`apply_clients` makes equal ones.

    It has the hashes of their secrets: those of weak secrets can be guessed.
    """
    yield _HEAD
    yield "\n[clients]\n"
    yield from toml((client.client_id, table_of(client)) for client in list_clients(store))


def _reopened(declared: Iterable[DeclaredClient], reopen: Iterable[str], faults: Faults) -> Mapping[str, Reopened]:
    """What may be opened again, by the ids of clients."""
    secrets = [(each.client.client_id, secret.record.secret_id) for each in declared for secret in each.secrets or ()]
    clients = {each.client.client_id: each for each in declared}
    opened: dict[str, Reopened] = {}
    for name in reopen:
        found = [pair for pair in secrets if name in (pair[1], ":".join(pair))]
        if name in clients and any(name == secret_id for _, secret_id in secrets):
            faults.add("--reopen", f"{name!r} is a client and a secret: expected CLIENT:SECRET, or use `client enable`")
        elif name in clients:
            if clients[name].enabled is False:
                faults.add(f"{place_of(name)}.enabled", f"is false, and --reopen {name} would enable it")
            opened[name] = opened.get(name, Reopened())._replace(client=True)
        elif len(found) == 1:
            client_id, secret_id = found[0]
            before = opened.get(client_id, Reopened())
            opened[client_id] = before._replace(secrets=before.secrets | {secret_id})
        elif found:
            faults.add("--reopen", f"{len(found)} clients have a secret {name!r}: expected CLIENT:SECRET")
        else:
            faults.add("--reopen", f"{name!r} is no id of a client or secret in the file")
    return opened


def _declared_steps(
    store: Store, declared: Iterable[DeclaredClient], reopened: Mapping[str, Reopened], now: float, faults: Faults
) -> Iterator[_Step]:
    """The steps for the clients that differ, or about which there is a note."""
    deleted: set[str] | None = None
    for each in declared:
        client_id = each.client.client_id
        stored = store.find_client(client_id)
        of = partial(wanted, each, reopened=reopened.get(client_id, Reopened()), now=now)
        try:
            if stored is None:
                deleted = deleted_ids(store) if deleted is None else deleted
                if client_id in deleted:
                    raise AdminError("a client with this id was deleted, and an id is never used again")
                new = new_client(each)
                yield _Step(ClientChange(client_id, new.name, ADD, differences(None, new)), _changing(of), new)
            elif step := _step(stored, of):
                yield step
        except AdminError as error:
            faults.add(place_of(client_id), str(error))


def _step(stored: Client, of: Callable[[Client], Wanted]) -> _Step | None:
    client, notes = of(stored)
    changed = differences(stored, client)
    is_same = client == stored and not changed
    if is_same and not notes:
        return None
    shown = ClientChange(stored.client_id, client.name, KEEP if is_same else UPDATE, changed, notes)
    return _Step(shown, _changing(of))


def _changing(of: Callable[[Client], Wanted]) -> _Change:
    return lambda client: of(client).client


def _pruned(store: Store, declared: set[str], only_imported: bool) -> Iterator[_Step]:
    for stored in list_clients(store):
        if stored.enabled and stored.client_id not in declared and (stored.imported or not only_imported):
            changed = differences(stored, _disabled(stored))
            yield _Step(ClientChange(stored.client_id, stored.name, DISABLE, changed), _disabled)


def _disabled(client: Client) -> Client:
    return replace(client, enabled=False)


def deleted_ids(store: Store) -> set[str]:
    """The ids of deleted clients; none if the store does not list them, which then refuses to add such a client."""
    pages = copyable.read_clients() if (copyable := store.copyable()) else ()
    return {each.client.client_id for page in pages for each in page if each.deleted}


def _add(store: Store, client: Client) -> bool:
    """Add a client, unless its id is in use."""
    with recording(store, partial(changes_of, None, client)) as record:
        added = store.add_client(client)
        if added:
            record_changes(record, None, client)
    return added


class _Moved(Exception):
    """The client was changed meanwhile: what the change demands of its tokens is more than what was expected."""


def _update(store: Store, client_id: str, change: _Change) -> None:
    while True:
        stored = store.find_client(client_id)
        if stored is None:
            raise AdminError(f"client {client_id!r} was deleted, and an id is never used again")
        effect = Effect.of(stored, change(stored))

        def changed(client: Client, effect: Effect = effect) -> Client:
            new = change(client)
            if not effect.covers(Effect.of(client, new)):
                raise _Moved
            return new

        try:
            change_client(store, client_id, changed, **effect._asdict())
            return
        except _Moved:
            continue
