"""The records in Redis: each client is a hash, a sorted set has all ids, and the signing keys are in the store's hash.

A record is changed by compare-and-set: it is read, changed in Python, and written unless another worker has changed it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ...cutoffs import Cutoff, spares
from ...model import CLIENTS_PER_PAGE, Client, KeySet, StoredClient, Verifiers
from .. import records
from ..decoding import blob, decimal
from .network import Command, Replies
from .rows import CLIENT_FIELDS, client_from, cutoff_from, position_text, read, several, texts_from, verifiers_from
from .scripts import FIND_CLIENT, FIND_VERIFIERS, NO_STORE, PUT_CLIENTS, PUT_KEYS, VERSION
from .session import Conflict, RedisSession
from .uses import forget_secrets

# Runs the script of a change, as :meth:`.session.RedisSession.reply` does.
Write = Callable[..., Any]

# What PUT_CLIENTS appends to the log, the key of an event that spares tokens, and the member of DUE of the one before
# that did; each may be empty.
Appends = tuple[str, bytes, bytes]
NOTHING: Appends = ("0", b"", b"")
EVICT: Appends = ("2", b"", b"")


def find_verifiers(session: RedisSession, client_id: str) -> Verifiers:
    return read(verifiers_from, _find(session, FIND_VERIFIERS, client_id, session.deadline()))


def find_client(session: RedisSession, client_id: str) -> Client | None:
    return read(client_from, client_id, *_fields(session, client_id, session.deadline()))


def _fields(session: RedisSession, client_id: str, deadline: float) -> Replies:
    """The values of :data:`CLIENT_FIELDS`."""
    return read(several, len(CLIENT_FIELDS), _find(session, FIND_CLIENT, client_id, deadline, *CLIENT_FIELDS))


def find_cutoff(session: RedisSession, client_id: str, deadline: float) -> Cutoff | None:
    """Which tokens of a client are revoked together; ``None`` if there is no such client."""
    *_, before, following = _with_next(session, client_id, deadline)
    return None if before is None else read(cutoff_from, read(decimal, before), following)


def _with_next(session: RedisSession, client_id: str, deadline: float) -> Replies:
    """The values of :data:`CLIENT_FIELDS`, and the log-only revocation that follows the last one of all."""
    more = session.keys.log_only(client_id)
    found = _find(session, FIND_CLIENT, client_id, deadline, *CLIENT_FIELDS, more=[more])
    return read(several, len(CLIENT_FIELDS) + 1, found)


def _find(
    session: RedisSession, script: str, client_id: str, deadline: float, *arguments: str, more: Sequence[str] = ()
) -> Any:
    keys = (session.keys.store, session.keys.client(client_id), *more)
    command: Command = ("EVALSHA", script, len(keys), *keys, VERSION, *arguments)
    return session.with_store(lambda: session.run(keys[0], [command], deadline)[0], deadline)


def page(session: RedisSession, after: str = "") -> list[Client]:
    """See :meth:`~oauth_mw.protocols.ClientStore.clients`."""
    for ids in pages_of_ids(session, after):
        found = [read(client_from, *row) for row in rows(session, ids, session.deadline())]
        if clients := [client for client in found if client]:
            return clients
    rows(session, [], session.deadline())  # raises if the store is missing
    return []


def stored(session: RedisSession) -> Iterator[list[StoredClient]]:
    """Yield all clients, including deleted ones, in pages."""
    for ids in pages_of_ids(session):
        yield [read(stored_from, *row) for row in rows(session, ids, session.deadline())]


def stored_from(client_id: str, record: bytes | None, revoked_before: bytes | None) -> StoredClient:
    client = client_from(client_id, record, revoked_before)
    return StoredClient(client) if client else records.deleted_client(client_id, decimal(revoked_before))


def pages_of_ids(session: RedisSession, after: str = "") -> Iterator[list[str]]:
    while True:
        first = "(" + after if after else "-"
        command = ("ZRANGEBYLEX", session.keys.clients, first, "+", "LIMIT", 0, CLIENTS_PER_PAGE)
        ids = read(texts_from, *session.query(command))
        if ids:
            yield ids
        if len(ids) < CLIENTS_PER_PAGE:
            return
        after = ids[-1]


def rows(session: RedisSession, ids: Sequence[str], deadline: float) -> list[Replies]:
    """For each client, its id and the values of :data:`CLIENT_FIELDS`."""
    names = session.keys
    commands: list[Command] = [("HMGET", names.client(each), *CLIENT_FIELDS) for each in ids]

    def operation() -> Any:
        version, *rows = session.run(names.store, [("HGET", names.store, "version"), *commands], deadline)
        return rows if version == VERSION else NO_STORE

    found = zip(ids, session.with_store(operation, deadline), strict=True)
    return [[client_id, *read(several, len(CLIENT_FIELDS), row)] for client_id, row in found]


def add(session: RedisSession, client: Client) -> bool:
    fields = fields_of(StoredClient(replace(client, revoked_before=0)))
    return bool(put(session, session.reply, [(client.client_id, "", "", *fields)], session.deadline()))


def update(
    session: RedisSession,
    client_id: str,
    change: Callable[[Client], Client | None],
    *,
    revoke_tokens: bool = False,
    issued_before: int | None = None,
    evict_tokens: bool = False,
) -> Client | None:
    """See :meth:`~oauth_mw.protocols.ClientStore.update_client`."""

    def attempt(deadline: float) -> Client | None:
        found = (_with_next if revoke_tokens else _fields)(session, client_id, deadline)
        seen = found[: len(CLIENT_FIELDS)]
        known = read(client_from, client_id, *seen)
        if known is None:
            session.confirm(deadline)
            return None
        client: Client | None = session.changed(change, known, deadline)
        record, verifiers, _ = fields_of(StoredClient(client or known, deleted=client is None))
        row = (client_id, *seen, record, verifiers, seen[1])
        appends = EVICT if evict_tokens else NOTHING
        if revoke_tokens:
            appends = read(_revoke_all, client_id, issued_before, *found[1:])
        revoked_before = put(session, session.reply, [row], deadline, appends)
        if not revoked_before:
            raise Conflict
        forget_secrets(session, known, client, deadline)
        return client and replace(client, revoked_before=read(decimal, revoked_before))

    return session.repeat(attempt)


def _revoke_all(client_id: str, moment: int | None, revoked_before: bytes, following: Sequence[bytes]) -> Appends:
    cutoff = cutoff_from(decimal(revoked_before), following)
    key = b"" if moment is None else cutoff.sparing(client_id, moment)
    return "1", key, following[0] if spares(cutoff.key) else b""


def put(
    session: RedisSession,
    write: Write,
    clients: Sequence[Sequence[Any]],
    deadline: float,
    appends: Appends = NOTHING,
) -> Any:
    """Write clients, unless one of them has changed since it was read.

    :param clients: for each, what :func:`rows` returned, with empty texts for ``None``, and what :func:`fields_of`
        returns.
    :param appends: what is appended to the log for each client.
    :return: the ``revoked_before`` of the last one; 0 if one has changed.
    """
    arguments = [each for client in clients for each in client]
    more = [session.keys.client(client_id) for client_id, *_ in clients]
    if any(appends[1:]):
        more.append(session.keys.log_only(clients[0][0]))
    return write(PUT_CLIENTS, *appends, *arguments, deadline=deadline, more=more, appends=appends != NOTHING)


def fields_of(stored: StoredClient) -> tuple[str, bytes, str]:
    """A client as it is written: its record, its verifiers and its ``revoked_before``."""
    client, deleted = stored
    revoked_before = position_text(client.revoked_before)
    if deleted:
        return "", records.BLANK_VERIFIERS, revoked_before
    verifiers, record = records.client_row(client)
    return record, verifiers, revoked_before


# Signing keys


def read_keys(session: RedisSession) -> KeySet:
    return keys_from(key_record(session, session.deadline()))


def update_keys(session: RedisSession, change: Callable[[KeySet], KeySet], *, revoke_all: bool = False) -> KeySet:
    """See :meth:`~oauth_mw.protocols.KeyStore.update_keys`."""

    def attempt(deadline: float) -> KeySet:
        seen = key_record(session, deadline)
        after: KeySet = session.changed(change, keys_from(seen), deadline)
        arguments = ("1" if revoke_all else "0", seen, records.key_set_text(after))
        if not session.reply(PUT_KEYS, *arguments, deadline=deadline, appends=revoke_all):
            raise Conflict
        return after

    return session.repeat(attempt)


def key_record(session: RedisSession, deadline: float) -> bytes:
    (record,) = session.fields("keys", deadline=deadline)
    return read(blob, record)


def keys_from(record: bytes) -> KeySet:
    return read(lambda: records.key_set_from(record.decode()))
