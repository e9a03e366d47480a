"""The rules of copies: which store can become a copy, and what a copy may overwrite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from ..errors import AdminError
from ..model import CopyState, StoredClient

ROWS_PER_BATCH = 2000

T = TypeVar("T")


def batches(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def check_copy(state: CopyState, origin: str, url: str, *, begun: bool) -> None:
    """Check that another store may be copied into a store.

    :param state: what the store holds.
    :param origin: the id of the other store.
    :param url: of the store, for messages.
    :param begun: the copy was begun, so the store must be one already. Otherwise an empty store may become one.
    :raises AdminError: it may not; the text says why.
    """
    if state.origin == origin or (not begun and not state.origin and state.is_empty):
        return
    if state.origin:
        raise AdminError(f"{url} is a copy of another store: nothing can be copied into it")
    if begun:
        raise AdminError(f"{url} was changed by other means while it was copied into: nothing more can be copied")
    raise AdminError(f"{url} is not empty, and not an unchanged copy of this store: nothing can be copied into it")


def client_of_copy(here: StoredClient | None, there: StoredClient) -> StoredClient:
    """Return what a copy writes for a client: the other store's record. What either has revoked stays revoked."""
    if here is None or here.client.revoked_before <= there.client.revoked_before:
        return there
    return there._replace(client=replace(there.client, revoked_before=here.client.revoked_before))
