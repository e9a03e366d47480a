"""Upgrading a store on Redis from schema version 2, which had a field for each part of a client.

The version is changed first: from then on, neither the code of before nor this one uses the store until the upgrade is
complete. Each step takes effect whole or not at all, and can be repeated, so that an upgrade that was interrupted
anywhere can be run again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from ...credentials import MAX_SECRETS
from ...errors import AdminError, ConfigError, StoreMissing
from ...model import Client, ClientSecret, KeyRecord, KeySet, StoredClient
from .. import decoding, records
from ..decoding import FAULTS, decimal, decoded, flag, maybe, number, text
from ..versions import Progress
from . import clients
from .network.checks import is_current, look_up
from .network.nodes import Command
from .network.url import parse_url
from .rows import in_pairs, read
from .scripts.changes import VERSION, named
from .session import RedisSession

T = TypeVar("T")

BEFORE, UNDER_WAY = b"2", b"2>3"
FIELDS = ("record", "enabled", "secrets", "ended")

# The first write of each script is one that Redis refuses if its memory is full, as in :mod:`.scripts.changes`.
# Without the fields that a copy had, the store is a copy of none.
BEGIN = named("""
local version = redis.call('HGET', KEYS[1], 'version')
if version ~= ARGV[1] and version ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[2])
redis.call('HDEL', KEYS[1], 'origin', 'copied', 'kids')
return 1
""")

# A client without ``ended`` is as it should be. Under this version, nothing else changes the others.
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

# The hash of the keys of before is removed last.
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
    :param progress: called with how many clients were dealt with since the last call, and how many there are.
    :return: ``False`` if the store has that version already.
    :raises AdminError: a client or a signing key cannot be read, or a client has too many secrets. If the upgrade was
        not begun before, nothing was changed.
    :raises ConfigError: there is no store, or none that can be upgraded.
    :raises StoreUnavailable: Redis does not answer, or too few replicas confirmed a step.
    """
    place = parse_url(url)
    try:
        from .network.routing import connect
    except ImportError:
        raise ConfigError("store", "Redis needs a driver: pip install 'oauth_mw[redis]'") from None
    session = RedisSession(place, connect(place), timeout, time.time)
    work, upgraded = _Upgrade(session, progress), False
    try:
        while (version := look_up(session.servers, session.keys, session.deadline())) in (BEFORE, UNDER_WAY):
            upgraded = True
            # Else another process has completed it, or a replica has taken over that lacks the last steps.
            if work.run(begun=version == UNDER_WAY):
                return True
        if not is_current(version, place.shown, place.prefix):
            raise StoreMissing(f"{place.shown} holds no oauth_mw store with the prefix {place.prefix}")
        session.confirm(session.deadline())
        return upgraded
    finally:
        session.servers.close()


class _VersionChanged(Exception):
    """The store does not have the version that a step begins with."""


class _Upgrade:
    def __init__(self, session: RedisSession, progress: Progress) -> None:
        self._session = session
        self._names = session.keys
        self._signing = f"{session.keys.tag}:signing"
        self._progress = progress

    def run(self, *, begun: bool) -> bool:
        """Whether it is complete; not so if the version was changed meanwhile."""
        if not begun:
            for _ in self._pages():  # what cannot be read is refused before anything is changed
                pass
            self._key_set()
        try:
            self._change(BEGIN, [], BEFORE, UNDER_WAY)
            (total,) = self._run(("ZCARD", self._names.clients))
            self._progress(0, read(number, total))
            for count, page in self._pages():
                self._put(page)
                self._progress(count, total)
            # A replica that took over meanwhile may lack some of them.
            while pages := [page for _, page in self._pages() if page]:
                for page in pages:
                    self._put(page)
            self._change(FINISH, [self._signing], UNDER_WAY, VERSION, records.key_set_text(self._key_set()))
        except _VersionChanged:
            return False
        return True

    def _run(self, *commands: Command) -> list[Any]:
        return self._session.run(self._names.store, commands, self._session.deadline())

    def _change(self, script: str, keys: Sequence[str], *arguments: bytes | str) -> None:
        deadline = self._session.deadline()
        if not self._session.replicated(script, [self._names.store, *keys], *arguments, deadline=deadline):
            raise _VersionChanged

    def _pages(self) -> Iterator[tuple[int, list[tuple[str, str, bytes]]]]:
        """How many clients each page has, and id, record and verifiers of those that are still as before."""
        for ids in clients.pages_of_ids(self._session):
            rows = self._run(*(("HMGET", self._names.client(client_id), *FIELDS) for client_id in ids))
            found = [(client_id, row) for client_id, row in zip(ids, rows, strict=True) if row[-1] is not None]
            yield len(ids), [(client_id, *client_from(client_id, *row)) for client_id, row in found]

    def _put(self, page: Sequence[tuple[str, str, bytes]]) -> None:
        if page:
            arguments = [each for _, record, verifiers in page for each in (record, verifiers)]
            names = [self._names.client(client_id) for client_id, *_ in page]
            self._change(PUT_CLIENTS, names, UNDER_WAY, *arguments)

    def _key_set(self) -> KeySet:
        (found,) = self._run(("HGETALL", self._signing))
        return KeySet.of(key_from(*pair) for pair in read(in_pairs, found))


def client_from(client_id: str, *fields: Any) -> tuple[str, bytes]:
    """The record and the verifiers of a client.

    :param fields: what :data:`FIELDS` names.
    :raises AdminError: they are garbled, or the client has too many secrets.
    """
    what = f"the client {client_id!r}"
    client = _judged(what, _client_from, client_id, *fields)
    if client is None:
        return "", records.BLANK_VERIFIERS
    if len(client.secrets) > MAX_SECRETS:
        excess = f"{what} has {len(client.secrets)} secrets, and {MAX_SECRETS} are the most"
        raise AdminError(f"{excess}: revoke some by the oauth_mw that made the store, and run the upgrade again")
    return _judged(what, _written, client)


def _written(client: Client) -> tuple[str, bytes]:
    record, verifiers, _ = clients.fields_of(StoredClient(client))
    records.client_from(client.client_id, record, 0)  # what cannot be read back is not written
    return record, verifiers


def key_from(kid: bytes, row: bytes) -> KeyRecord:
    """
    :raises AdminError: it is garbled.
    """
    return _judged(f"the signing key {kid!r}", _key_from, kid, row)


def _judged(what: str, reader: Callable[..., T], *found: Any) -> T:
    try:
        return reader(*found)
    except FAULTS:
        raise AdminError(
            f"{what} is garbled in Redis: repair its key or delete it, and run the upgrade again"
        ) from None


# What lies in a store of version 2. A record was a JSON array, and so was each line of ``secrets``.


def _client_from(client_id: str, record: bytes, enabled: bytes, secrets: bytes, ended: bytes) -> Client | None:
    decimal(ended)
    if not record:
        return None
    name, scopes, default_scope, lifetime, token_format, audiences, default_audience, *more = decoded(record)
    pairs, resource_server, created_at = more
    return Client(
        client_id,
        text(name),
        records.texts(scopes),
        maybe(records.texts, default_scope),
        lifetime,
        token_format,
        records.texts(audiences),
        maybe(records.texts, default_audience),
        decoding.attributes({name: value for name, (value, _) in pairs.items()}),
        frozenset(name for name, (_, is_public) in pairs.items() if flag(is_public)),
        flag(resource_server),
        flag(decimal(enabled)),
        created_at,
        tuple([_secret_from(line) for line in secrets.split(b"\n")]) if secrets else (),
    )


def _secret_from(line: bytes) -> ClientSecret:
    secret_id, salt, digest, *more = decoded(line)
    return ClientSecret(secret_id, bytes.fromhex(salt), bytes.fromhex(digest), *more)


def _key_from(kid: bytes, row: bytes) -> KeyRecord:
    signs_from, needed_until, algorithm, public, private, created_at = decoded(row)
    key = KeyRecord(kid.decode(), algorithm, public, private, created_at, signs_from, needed_until)
    return records.key_set_from(records.key_set_text(KeySet((key,)))).keys[0]
