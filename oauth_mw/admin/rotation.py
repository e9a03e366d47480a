"""The rotation of a client's secrets: a new one, an end for the others, and their revocation once they are unused."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from ..errors import AdminError
from ..model import LAST_SECOND, Client, ClientSecret, Clock
from ..protocols import ClientStore, Store
from .clients import change_client, made_secret, with_secret, without_secret
from .fields import read_name
from .uses import refuse_recent


class Rotation(NamedTuple):
    """A new secret as it is stored, its text, and the client as it was before and as it is now."""

    record: ClientSecret
    secret: str
    before: Client
    client: Client

    def __repr__(self) -> str:
        return f"Rotation(record={self.record!r}, client={self.client!r})"


def rotate_secret(
    store: ClientStore,
    client_id: str,
    *,
    overlap: int,
    label: str = "",
    not_after: int | None = None,
    secret: str | None = None,
    allow_weak_secret: bool = False,
    clock: Clock = time.time,
) -> Rotation:
    """Add a secret to a client, and let its others expire.

    The parameters besides ``overlap`` are those of :func:`add_secret`, for the new secret.

    :param overlap: seconds until the others expire; those that expire earlier keep their ``not_after``.
    :raises AdminError: the client has too many secrets that have not expired, the new one is weak, or a time has passed
        or is too late.
    """
    now = int(clock())
    end = now + overlap
    if not now <= end <= LAST_SECOND:
        raise AdminError("the overlap is negative, or ends after the year 2105")
    new = made_secret(secret, client_id, allow_weak_secret, now, read_name(label), not_after)
    before: list[Client] = []

    def rotated(client: Client) -> Client:
        if new.record in client.secrets:  # a store may repeat a change whose outcome is unknown
            return client
        before[:] = [client]
        *others, added = with_secret(client, new.record, now).secrets
        return replace(client, secrets=(*(_ending(each, end) for each in others), added))

    client = change_client(store, client_id, rotated)
    return Rotation(new.record, new.secret, before[0], client)


def undo_rotation(store: ClientStore, rotation: Rotation) -> None:
    """Remove the secret that a rotation has added, and give the others their earlier ``not_after`` again."""
    earlier = {each.secret_id: each.not_after for each in rotation.before.secrets}
    given = {each.secret_id: each.not_after for each in rotation.client.secrets}

    def restored(client: Client) -> Client:
        left = [each for each in client.secrets if each.secret_id != rotation.record.secret_id]
        return replace(
            client,
            secrets=tuple(
                each._replace(not_after=earlier[each.secret_id])
                if each.secret_id in earlier and each.not_after == given.get(each.secret_id)
                else each
                for each in left
            ),
        )

    change_client(store, rotation.client.client_id, restored)


def revoke_secret(
    store: Store,
    client_id: str,
    secret_id: str,
    *,
    and_tokens: bool = False,
    force: bool = False,
    clock: Clock = time.time,
) -> None:
    """Revoke a secret; with ``and_tokens`` also all tokens of the client.

    :param force: also if the secret was used within the last day.
    :raises AdminError: it was, and is not forced.
    """
    if not force:
        refuse_recent(store, client_id, secret_id, clock)
    change_client(store, client_id, partial(without_secret, secret_id=secret_id), revoke_tokens=and_tokens)


def _ending(secret: ClientSecret, end: int) -> ClientSecret:
    return secret if secret.not_after is not None and secret.not_after <= end else secret._replace(not_after=end)
