"""When clients and their secrets were used last, as workers have noted it.

A worker notes the use of a secret at most once an hour, so the last use can be an hour later than what is noted.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from ..credentials import has_expired
from ..errors import AdminError
from ..last_use import NOTE_SECONDS
from ..model import CLIENTS_PER_PAGE, EMPTY, Client, Clock
from ..protocols import Store, TokenStore
from .clients import get_client, list_clients

RECENT_SECONDS = 24 * 3600


class LastUse(NamedTuple):
    """Unix seconds; ``None`` if no use is known. ``secrets`` has them by the ids of secrets that were used."""

    client: int | None = None
    secrets: Mapping[str, int] = EMPTY


NEVER = LastUse()


def last_use(store: Store, client_id: str) -> LastUse:
    """When a client and its secrets were used last."""
    return _last_uses(store, [get_client(store, client_id).client_id])[0]


def with_last_use(store: TokenStore, clients: Iterable[Client]) -> Iterator[tuple[Client, LastUse]]:
    """Iterate over clients, each with its last use; the store is read for many of them at once."""
    iterator = iter(clients)
    while page := list(islice(iterator, CLIENTS_PER_PAGE)):
        yield from zip(page, _last_uses(store, [client.client_id for client in page]), strict=True)


def unused_clients(store: Store, seconds: int, *, clock: Clock = time.time) -> Iterator[tuple[Client, LastUse]]:
    """Iterate over the clients that have certainly not been used for so many seconds.

    A client that was never used counts from its creation.
    """
    until = clock() - seconds
    for client, use in with_last_use(store, list_clients(store)):
        if (client.created_at if use.client is None else use.client + NOTE_SECONDS) <= until:
            yield client, use


def refuse_recent(store: Store, client_id: str, secret_id: str, clock: Clock) -> None:
    """Refuse to revoke a secret that may have been used within the last day, unless it has expired.

    :raises AdminError: it may have been.
    """
    client, now = get_client(store, client_id), clock()
    used = _last_uses(store, [client_id])[0].secrets.get(secret_id)
    is_live = any(each.secret_id == secret_id and not has_expired(each, now) for each in client.secrets)
    if used is not None and is_live and used + NOTE_SECONDS + RECENT_SECONDS > now:
        at = datetime.fromtimestamp(used, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        raise AdminError(
            f"secret {secret_id!r} was used at {at}, or up to an hour later: what has it would be refused. Give it"
            " another secret first, and revoke this one after a day without a use; --force revokes it now, for example"
            " because it has leaked"
        )


def _last_uses(store: TokenStore, client_ids: Sequence[str]) -> list[LastUse]:
    """The last uses of clients, in their order."""
    found: dict[str, dict[str, int]] = {}
    for (client_id, secret_id), second in store.last_uses(client_ids).items():
        found.setdefault(client_id, {})[secret_id] = second
    uses = (found.get(client_id, {}) for client_id in client_ids)
    return [LastUse(each.pop("", None), each) if each else NEVER for each in uses]
