"""Count the clients of a store."""

from __future__ import annotations

from typing import NamedTuple

from ..protocols import ClientStore


class ClientCounts(NamedTuple):
    enabled: int
    disabled: int
    secrets: int


def count_clients(store: ClientStore) -> ClientCounts:
    """Count the clients and their secrets, page by page.

    :raises StoreUnavailable: the store does not answer.
    """
    enabled = disabled = secrets = 0
    after = ""
    while page := store.clients(after):
        for client in page:
            enabled += client.enabled
            disabled += not client.enabled
            secrets += len(client.secrets)
        after = page[-1].client_id
    return ClientCounts(enabled, disabled, secrets)
