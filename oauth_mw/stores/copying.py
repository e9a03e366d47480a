"""What all stores have in common when one is copied to another."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import TypeVar

from ..errors import AdminError
from ..model import Client, ClientRecord

ROWS_PER_BATCH = 2000

T = TypeVar("T")


def gone(client_id: str, ended: int) -> ClientRecord:
    """A deleted client."""
    return ClientRecord(Client(client_id, "", enabled=False), ended, deleted=True)


def digest(record: ClientRecord) -> bytes:
    """The same for the same client in every store, and only there. What its tokens' end is, the log tells."""
    client = record.client
    if record.deleted:
        return sha256(json.dumps([client.client_id]).encode()).digest()
    text = json.dumps(
        [
            client.client_id,
            client.name,
            client.scopes,
            client.default_scope,
            client.lifetime,
            client.token_format,
            client.audiences,
            client.default_audience,
            sorted([name, value, name in client.public_attributes] for name, value in client.attributes.items()),
            client.resource_server,
            client.enabled,
            client.created_at,
            sorted([secret[0], secret[1].hex(), secret[2].hex(), *secret[3:]] for secret in client.secrets),
        ]
    )
    return sha256(text.encode()).digest()


def batches(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def occupied(url: str) -> AdminError:
    return AdminError(f"{url} is not empty, and no copy of another store: nothing can be copied there")


def other_copy(url: str) -> AdminError:
    return AdminError(f"{url} is a copy of another store than this: nothing can be copied there")


def own_events(url: str) -> AdminError:
    return AdminError(f"tokens were ended in {url} itself since it was copied: it goes its own way now")


def own_client(url: str, client_id: str) -> AdminError:
    return AdminError(f"client {client_id!r} was changed in {url} itself since it was copied: it goes its own way now")
