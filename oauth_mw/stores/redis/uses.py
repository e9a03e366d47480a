"""Last uses of secrets in Redis: of each client a hash, by secret id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ...errors import StoreUnavailable
from ...model import CLIENTS_PER_PAGE, Client
from ..copying import batches
from ..records import removed_secrets
from .network import Command
from .rows import read, uses_from
from .scripts import NO_STORE, NOTE_USES, VERSION
from .session import RedisSession


def note_uses(session: RedisSession, uses: Mapping[tuple[str, str], int]) -> None:
    """See :meth:`oauth_mw.protocols.TokenStore.note_uses`."""
    names = session.keys
    for some in batches([*uses.items()], CLIENTS_PER_PAGE):
        keys, arguments = [names.store], [VERSION.decode()]
        for (client_id, secret_id), second in some:
            keys += [names.client(client_id), names.uses(client_id)]
            arguments += [secret_id, str(second)]
        _run(session, ("EVALSHA", NOTE_USES, len(keys), *keys, *arguments))


def _run(session: RedisSession, command: Command) -> None:
    deadline = session.deadline()
    session.with_store(lambda: session.run(session.keys.store, [command], deadline)[0], deadline)


def last_uses(session: RedisSession, client_ids: Sequence[str]) -> Mapping[tuple[str, str], int]:
    """See :meth:`oauth_mw.protocols.TokenStore.last_uses`."""
    found: dict[tuple[str, str], int] = {}
    for ids in batches(client_ids, CLIENTS_PER_PAGE):
        for client_id, reply in zip(ids, _replies(session, ids), strict=True):
            found |= read(uses_from, client_id, reply)
    return found


def _replies(session: RedisSession, ids: Sequence[str]) -> Any:
    names, deadline = session.keys, session.deadline()
    commands: list[Command] = [("HGET", names.store, "version"), *(("HGETALL", names.uses(each)) for each in ids)]

    def operation() -> Any:
        version, *replies = session.run(names.store, commands, deadline)
        return replies if version == VERSION else NO_STORE

    return session.with_store(operation, deadline)


def forget_secrets(session: RedisSession, before: Client, after: Client | None, deadline: float) -> None:
    """Remove the uses of removed secrets; where that fails they stay, but nothing shows them."""
    removed = removed_secrets(before, after) if after else []
    if removed:
        with suppress(StoreUnavailable):
            session.run(session.keys.store, [("HDEL", session.keys.uses(before.client_id), *removed)], deadline)
