"""Clients in Redis: a hash each, and a sorted set of all ids."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ...errors import StoreUnavailable
from ...model import CLIENTS_PER_PAGE, Client, StoredClient
from ..decoding import decimal
from ..records import BLANK_VERIFIERS, client_text, deleted_client, padded_verifiers, verifiers_from
from .network.nodes import Command, Replies
from .rows import CLIENT_FIELDS, client_from, ids_from, position_text, read, several
from .scripts.changes import FIND_CLIENT, FIND_VERIFIERS, NO_STORE, PUT_CLIENTS, VERSION
from .session import RedisSession


def find_verifiers(session: RedisSession, client_id: str) -> bytes:
    return read(verifiers_from, _find(session, FIND_VERIFIERS, client_id, session.deadline()))


def find_client(session: RedisSession, client_id: str) -> Client | None:
    return read(client_from, client_id, *_fields(session, client_id, session.deadline()))


def _fields(session: RedisSession, client_id: str, deadline: float) -> Replies:
    """What :data:`CLIENT_FIELDS` names."""
    return read(several, len(CLIENT_FIELDS), _find(session, FIND_CLIENT, client_id, deadline, *CLIENT_FIELDS))


def _find(session: RedisSession, script: str, client_id: str, deadline: float, *arguments: str) -> Any:
    keys = (session.keys.store, session.keys.client(client_id))
    command: Command = ("EVALSHA", script, len(keys), *keys, VERSION, *arguments)
    return session.with_store(lambda: session.run(keys[0], [command], deadline)[0], deadline)


def page(session: RedisSession, after: str) -> list[Client]:
    """See :meth:`~oauth_mw.protocols.ClientStore.clients`."""
    while True:
        ids = page_of_ids(session, after)
        found = [read(client_from, *row) for row in rows(session, ids, session.deadline())]
        clients = [client for client in found if client]
        if clients or len(ids) < CLIENTS_PER_PAGE:
            return clients
        after = ids[-1]  # all of them were deleted


def stored(session: RedisSession) -> Iterator[list[StoredClient]]:
    """All clients, deleted ones too, in pages."""
    for ids in pages_of_ids(session):
        yield [read(stored_from, *row) for row in rows(session, ids, session.deadline())]


def stored_from(client_id: str, record: bytes | None, revoked_before: bytes | None) -> StoredClient:
    client = client_from(client_id, record, revoked_before)
    return StoredClient(client) if client else deleted_client(client_id, decimal(revoked_before))


def pages_of_ids(session: RedisSession) -> Iterator[list[str]]:
    last = ""
    while ids := page_of_ids(session, last):
        yield ids
        last = ids[-1]


def page_of_ids(session: RedisSession, after: str) -> list[str]:
    first = "(" + after if after else "-"
    command = ("ZRANGEBYLEX", session.keys.clients, first, "+", "LIMIT", 0, CLIENTS_PER_PAGE)
    return read(ids_from, *session.run(session.keys.store, [command], session.deadline()))


def rows(session: RedisSession, ids: Sequence[str], deadline: float) -> list[Replies]:
    """The id of each client, and what :data:`CLIENT_FIELDS` names."""
    names = session.keys
    commands: list[Command] = [
        ("HGET", names.store, "version"),
        *[("HMGET", names.client(each), *CLIENT_FIELDS) for each in ids],
    ]

    def ask() -> Any:
        version, *rows = session.run(names.store, commands, deadline)
        return rows if version == VERSION else NO_STORE

    found = zip(ids, session.with_store(ask, deadline), strict=True)
    return [[client_id, *read(several, len(CLIENT_FIELDS), row)] for client_id, row in found]


def add(session: RedisSession, client: Client) -> bool:
    fields = fields_of(StoredClient(replace(client, revoked_before=0)))
    return bool(put(session, session.reply, [(client.client_id, "", "", *fields)], session.deadline()))


def update(
    session: RedisSession,
    write: Callable[..., Any],
    client_id: str,
    change: Callable[[Client], Client | None],
    *,
    revoke_tokens: bool,
) -> Client | None:
    """See :meth:`~oauth_mw.protocols.ClientStore.update_client`.

    :param write: runs the script of a change.
    """
    deadline = session.deadline()
    while time.monotonic() < deadline:
        seen = _fields(session, client_id, deadline)
        known = read(client_from, client_id, *seen)
        if known is None:
            session.confirm(deadline)
            return None
        try:
            client = change(known)
        except Exception:
            session.confirm(deadline)
            raise
        record, verifiers, _ = fields_of(StoredClient(client or known, deleted=client is None))
        row = (client_id, *seen, record, verifiers, seen[1])
        revoked_before = put(session, write, [row], deadline, revoke_tokens=revoke_tokens)
        if revoked_before:
            return client and replace(client, revoked_before=read(decimal, revoked_before))
    raise StoreUnavailable("other workers kept changing the client")


def put(
    session: RedisSession,
    write: Callable[..., Any],
    clients: Sequence[Sequence[Any]],
    deadline: float,
    *,
    revoke_tokens: bool = False,
) -> Any:
    """Write clients, unless one of them has changed since it was read.

    :param clients: of each what :func:`rows` gave, with empty texts for ``None``, and what :func:`fields_of` gives.
    :return: the reply to :data:`~.changes.PUT_CLIENTS`.
    """
    arguments = [each for client in clients for each in client]
    more = [session.keys.client(client_id) for client_id, *_ in clients]
    return write(PUT_CLIENTS, "1" if revoke_tokens else "0", *arguments, deadline=deadline, more=more)


def fields_of(stored: StoredClient) -> tuple[str, bytes, str]:
    """A client as it is written: its record, its verifiers and its ``revoked_before``."""
    client, deleted = stored
    revoked_before = position_text(client.revoked_before)
    if deleted:
        return "", BLANK_VERIFIERS, revoked_before
    return client_text(client), padded_verifiers(client), revoked_before
