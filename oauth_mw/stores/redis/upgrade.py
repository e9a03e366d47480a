"""Upgrade a store on Redis from schema version 2, which had a field for each part of a client.

The version is changed first: from then on, no code uses the store until the upgrade is complete. Each step takes effect
as a whole or not at all, and can be repeated, so that an interrupted upgrade can be run again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from ...credentials import MAX_SECRETS
from ...errors import AdminError, StoreMissing
from ...model import KeyRecord, KeySet, Sizes, StoredClient
from .. import records
from ..decoding import FAULTS, decimal, decoded, flag, number
from ..versions import Progress
from . import records as current
from .network.checks import is_current, look_up
from .rows import attributes_from, in_pairs, read
from .scripts import VERSION, named
from .session import Conflict, RedisSession

T = TypeVar("T")

BEFORE, UNDER_WAY = b"2", b"2>3"
FIELDS = ("record", "enabled", "secrets", "ended")

# The first write of each script is one that Redis refuses if its memory is full, as in :mod:`.scripts`.
# The fields of a copy are removed, so that the store is a copy of none.
START = named("""
local version = redis.call('HGET', KEYS[1], 'version')
if version ~= ARGV[1] and version ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[2])
redis.call('HDEL', KEYS[1], 'origin', 'copied', 'kids')
return 1
""")

# A client without ``ended`` is already upgraded. Under this version, nothing else changes the others.
PUT_CLIENTS = named("""
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
for n = 2, #KEYS do
  local ended, record, verifiers = redis.call('HGET', KEYS[n], 'ended'), unpack(ARGV, 2 * n - 2, 2 * n - 1)
  if ended then
    redis.call('HSET', KEYS[n], 'record', record, 'verifiers', verifiers, 'revoked_before', ended)
    redis.call('HDEL', KEYS[n], 'ended', 'enabled', 'secrets', 'deleted', 'copied')
  end
end
return 1
""")

# The hash of the old keys is removed last.
FINISH = named("""
local under_way, version, keys = unpack(ARGV)
if redis.call('HGET', KEYS[1], 'version') ~= under_way then return 0 end
redis.call('HSET', KEYS[1], 'version', version, 'keys', keys)
redis.call('DEL', KEYS[2])
return 1
""")


def upgrade(url: str, *, timeout: float = 5.0, progress: Progress = lambda count, total: None) -> bool:
    """Upgrade a store to the version of this code. If it is interrupted or fails, it can be run again.

    :param timeout: seconds that each step may take.
    :param progress: see :data:`~oauth_mw.stores.versions.Progress`; it counts clients.
    :return: ``False`` if the store has that version already.
    :raises AdminError: a client or a signing key cannot be read, or a client has too many secrets. If the upgrade was
        not begun before, nothing was changed.
    :raises ConfigError: there is no store, or none that can be upgraded.
    """
    session = RedisSession(url, timeout, time.time, Sizes())
    shown, keys = session.place.shown, session.keys
    upgraded = False
    try:
        while (version := look_up(session.servers, keys, session.deadline())) in (BEFORE, UNDER_WAY):
            upgraded = True
            # Otherwise another process completed it, or a replica that lacks the last steps took over.
            with suppress(Conflict):
                _run(session, progress, begun=version == UNDER_WAY)
                return True
        if not is_current(version, shown, keys.prefix):
            raise StoreMissing(f"{shown} holds no oauth_mw store with the prefix {keys.prefix}")
        session.confirm(session.deadline())
        return upgraded
    finally:
        session.servers.close()


def _run(session: RedisSession, progress: Progress, *, begun: bool) -> None:
    if not begun:
        for _ in _pages(session):  # raises for what cannot be read, before anything is changed
            pass
        _key_set(session)
    _change(session, START, [], BEFORE, UNDER_WAY)
    (total,) = session.query(("ZCARD", session.keys.clients))
    progress(0, read(number, total))
    for count, page in _pages(session):
        _put(session, page)
        progress(count, total)
    # A replica that took over meanwhile may lack some of the changes.
    while pages := [page for _, page in _pages(session) if page]:
        for page in pages:
            _put(session, page)
    keys = records.key_set_text(_key_set(session))
    _change(session, FINISH, [session.keys.of_version_2], UNDER_WAY, VERSION, keys)


def _change(session: RedisSession, script: str, keys: Sequence[str], *arguments: bytes | str) -> None:
    """
    :raises Conflict: the store does not have the version that this step begins with.
    """
    if not session.replicated(script, [session.keys.store, *keys], *arguments, deadline=session.deadline()):
        raise Conflict


def _pages(session: RedisSession) -> Iterator[tuple[int, list[tuple[str, str, bytes]]]]:
    """How many clients each page has; and id, record and verifiers of those that are not yet upgraded."""
    for ids in current.pages_of_ids(session):
        rows = session.query(*[("HMGET", session.keys.client(client_id), *FIELDS) for client_id in ids])
        found = [(client_id, row) for client_id, row in zip(ids, rows, strict=True) if row[-1] is not None]
        yield len(ids), [(client_id, *client_from(client_id, *row)) for client_id, row in found]


def _put(session: RedisSession, page: Sequence[tuple[str, str, bytes]]) -> None:
    if page:
        arguments = [each for _, record, verifiers in page for each in (record, verifiers)]
        names = [session.keys.client(client_id) for client_id, *_ in page]
        _change(session, PUT_CLIENTS, names, UNDER_WAY, *arguments)


def _key_set(session: RedisSession) -> KeySet:
    (found,) = session.query(("HGETALL", session.keys.of_version_2))
    return KeySet.of(key_from(*pair) for pair in read(in_pairs, found))


def client_from(client_id: str, *fields: Any) -> tuple[str, bytes]:
    """The record and the verifiers of a client.

    :param fields: the values of :data:`FIELDS`.
    :raises AdminError: they are garbled, or the client has too many secrets.
    """
    what = f"the client {client_id!r}"
    members = _judged(what, _members, *fields)
    if not members:
        return "", records.BLANK_VERIFIERS
    if len(members["secrets"]) > MAX_SECRETS:
        excess = f"{what} has {len(members['secrets'])} secrets, and {MAX_SECRETS} are the most"
        raise AdminError(f"{excess}: revoke some by the oauth_mw that made the store, and run the upgrade again")
    client = _judged(what, lambda: records.client_from(client_id, json.dumps(members), 0))
    record, verifiers, _ = _judged(what, current.fields_of, StoredClient(client))
    return record, verifiers


def key_from(kid: bytes, row: bytes) -> KeyRecord:
    return _judged(f"the signing key {kid!r}", _key_from, kid, row)


def _judged(what: str, reader: Callable[..., T], *found: Any) -> T:
    try:
        return reader(*found)
    except FAULTS:
        message = f"{what} is garbled in Redis: repair its key or delete it, and run the upgrade again"
        raise AdminError(message) from None


# A store of version 2: a record was a JSON array of these members, and so was each line of ``secrets``.
_CLIENT = ("name", "scopes", "default_scope", "lifetime", "token_format", "audiences", "default_audience")
_MORE = ("attributes", "resource_server", "created_at")
_SECRET = ("secret_id", "salt", "digest", "label", "created_at", "not_after", "weak")


def _members(record: bytes, enabled: bytes, secrets: bytes, ended: bytes) -> dict[str, Any]:
    """The members of the client's new record; none for a deleted client."""
    decimal(ended)
    if not record:
        return {}
    members = _named(_CLIENT + _MORE, record)
    attributes, public = attributes_from(members["attributes"])
    return members | {
        "attributes": dict(attributes),
        "public_attributes": sorted(public),
        "enabled": flag(decimal(enabled)),
        "secrets": [_named(_SECRET, line) for line in secrets.split(b"\n")] if secrets else [],
    }


def _named(names: Sequence[str], row: bytes) -> dict[str, Any]:
    return {name: each for name, each in zip(names, decoded(row), strict=True) if each is not None}


def _key_from(kid: bytes, row: bytes) -> KeyRecord:
    signs_from, needed_until, algorithm, public, private, created_at = decoded(row)
    key = KeyRecord(kid.decode(), algorithm, public, private, created_at, signs_from, needed_until)
    return records.key_set_from(records.key_set_text(KeySet((key,)))).keys[0]
