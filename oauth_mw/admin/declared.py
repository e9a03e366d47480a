"""Declared clients: what clients are to be, and the change that makes a stored client one of them.

Nothing here reads a store or a file. What was closed in the store stays closed, unless it is reopened: a client that
was disabled or has expired, and a secret that was revoked or has expired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ..credentials import has_expired, matching_verifier
from ..errors import AdminError
from ..model import Client, ClientSecret
from .clients import remembered, with_secret
from .fields import LIVE
from .imported import enabling, is_partial, merged, only_closed, was_removed


class DeclaredSecret(NamedTuple):
    """A secret that a client is to have.

    :ivar record: the secret as it is added.
    :ivar text: its text, or ``None`` if only its hash is known.
    :ivar keeps_end: a stored secret keeps its ``not_after``.
    """

    record: ClientSecret
    text: str | None = None
    keeps_end: bool = False

    def __repr__(self) -> str:
        return f"DeclaredSecret(record={self.record!r})"

    def is_same(self, stored: ClientSecret) -> bool:
        """True if a stored secret is this one, whatever its id."""
        verifier = stored.salt + stored.digest
        if self.text is None:
            return verifier == self.record.salt + self.record.digest
        return matching_verifier(self.text, verifier) is not None

    def equals(self, other: DeclaredSecret) -> bool:
        """True if both are the same secret, as far as a hash shows it."""
        return self.is_same(other.record) or other.is_same(self.record)


class DeclaredClient(NamedTuple):
    """What a client is to be.

    :ivar client: all of its fields but ``enabled`` and ``secrets``. Of those in ``revoked_secrets``, it has none.
        ``created_at`` is used for a client that is added.
    :ivar enabled: ``None`` leaves it as it is; a client that is added is enabled.
    :ivar secrets: those that it has, besides others in the store; ``None`` if no statement is made about them.
    :ivar only_news: a stored client takes only what has changed where it comes from, by the marks in ``imported``.
    """

    client: Client
    enabled: bool | None = None
    secrets: Sequence[DeclaredSecret] | None = None
    only_news: bool = False


class Reopened(NamedTuple):
    """What may be opened again: the client, and secrets by their ids."""

    client: bool = False
    secrets: frozenset[str] = frozenset()


class Wanted(NamedTuple):
    """A client as it is to be stored, and what stays closed although it is declared open, a sentence each."""

    client: Client
    notes: Sequence[str] = ()


class Effect(NamedTuple):
    """What a change demands of the live tokens of a client.

    :ivar revoke_tokens: all are revoked.
    :ivar evict_tokens: workers drop what they have cached of them.
    """

    revoke_tokens: bool = False
    evict_tokens: bool = False

    @classmethod
    def of(cls, before: Client, after: Client) -> Effect:
        if before.enabled and not after.enabled:  # which evicts them, too
            return cls(revoke_tokens=True)
        return cls(evict_tokens=any(getattr(before, name) != getattr(after, name) for name in LIVE))

    def covers(self, other: Effect) -> bool:
        return self.revoke_tokens or not other.revoke_tokens and (self.evict_tokens or not other.evict_tokens)


def new_client(declared: DeclaredClient) -> Client:
    """The client as it is added to a store that does not have it.

    :raises AdminError: nothing is declared about its secrets.
    """
    if declared.secrets is None:
        raise AdminError("secrets is missing: a client that is added needs one (or secrets = [], and gets no token)")
    secrets = tuple(each.record for each in declared.secrets)
    return replace(declared.client, enabled=declared.enabled is not False, secrets=secrets)


def wanted(declared: DeclaredClient, stored: Client, reopened: Reopened, now: float) -> Wanted:
    """The stored client as it is declared.

    :param now: Unix seconds.
    :raises AdminError: it has too many secrets that have not expired, or one of them has another id in the store.
    """
    if declared.only_news:
        declared = _news(declared, stored, reopened)
    notes: list[str] = []
    name = stored.client_id
    enabled = stored.enabled and declared.enabled is not False
    if not stored.enabled and declared.enabled is not False:
        enabled = reopened.client
        if declared.enabled and not enabled:
            notes.append(f"client {name!r} stays disabled")
    not_after = declared.client.not_after
    if has_expired(stored, now) and not has_expired(declared.client, now) and not reopened.client:
        not_after = stored.not_after
        notes.append(f"client {name!r} stays expired")
    client = replace(
        declared.client,
        enabled=enabled,
        not_after=not_after,
        created_at=stored.created_at,
        secrets=tuple(each for each in stored.secrets if each.secret_id not in declared.client.revoked_secrets),
        revoked_secrets=_revoked(declared, stored, reopened),
        revoked_before=stored.revoked_before,
        imported=declared.client.imported or stored.imported,
        other=stored.other,
    )
    for each in declared.secrets or ():
        client, note = _with(client, each, reopened, now)
        notes += [f"secret {each.record.secret_id!r} of client {name!r} stays {note}"] if note else []
    return Wanted(client, notes)


def _news(declared: DeclaredClient, stored: Client, reopened: Reopened) -> DeclaredClient:
    """What has changed where the client comes from."""
    given = declared.secrets or ()
    if not stored.imported and not any(each.is_same(one) for each in given for one in stored.secrets):
        raise AdminError(
            "a client with this id is in the store, was not imported, and does not have this secret: if it is the same"
            " client, give it this secret by `secret add`; else leave it out of the files"
        )
    enabled = enabling(declared.client, stored)
    if is_partial(declared.client):
        return DeclaredClient(stored if enabled is None else only_closed(declared.client, stored), enabled)
    secrets = [renamed for each in given if (renamed := _known(each, stored, reopened))]
    return DeclaredClient(merged(declared.client, stored), enabled, secrets)


def _known(declared: DeclaredSecret, stored: Client, reopened: Reopened) -> DeclaredSecret | None:
    """A declared secret with what was changed here; none if it is here by another id, or was removed long ago."""
    same = next((each for each in stored.secrets if declared.is_same(each)), None)
    secret_id = declared.record.secret_id
    if same is None:
        is_forgotten = was_removed(secret_id, stored) and secret_id not in {*stored.revoked_secrets, *reopened.secrets}
        return None if is_forgotten else declared
    if same.secret_id != declared.record.secret_id:
        return None
    return declared._replace(record=same._replace(not_after=declared.record.not_after))


def _revoked(declared: DeclaredClient, stored: Client, reopened: Reopened) -> tuple[str, ...]:
    """The ids that are remembered. Those of an old file are the first to be forgotten: the file still has them."""
    now = [each.secret_id for each in stored.secrets if each.secret_id in declared.client.revoked_secrets]
    known = {*stored.revoked_secrets, *now}
    earlier = [each for each in declared.client.revoked_secrets if each not in known]
    kept = remembered((*earlier, *stored.revoked_secrets), now)
    return tuple(each for each in kept if each not in reopened.secrets)


def _with(client: Client, declared: DeclaredSecret, reopened: Reopened, now: float) -> tuple[Client, str]:
    """The client with a declared secret, and how it stays closed, if it does."""
    record = declared.record
    stored = next((each for each in client.secrets if each.secret_id == record.secret_id), None)
    if stored is not None:
        renewed, note = _renewed(stored, declared, record.secret_id in reopened.secrets, now)
        return replace(client, secrets=tuple(renewed if each is stored else each for each in client.secrets)), note
    if has_expired(record, now):  # it has made room for another one
        return client, ""
    if record.secret_id in client.revoked_secrets:
        return client, "revoked"
    if same := next((each for each in client.secrets if declared.is_same(each)), None):
        raise AdminError(f"secret {record.secret_id!r} is in the store with another id: expected {same.secret_id!r}")
    return with_secret(client, record, now), ""


def _renewed(stored: ClientSecret, declared: DeclaredSecret, reopened: bool, now: float) -> tuple[ClientSecret, str]:
    record = declared.record
    is_same = declared.is_same(stored)
    is_closed = has_expired(stored, now) and not has_expired(record, now) and not reopened
    keeps_end = is_closed or (declared.keeps_end and not reopened)
    renewed = record._replace(not_after=stored.not_after if keeps_end else record.not_after, other=stored.other)
    if is_same:
        renewed = renewed._replace(salt=stored.salt, digest=stored.digest, created_at=stored.created_at)
    # A rotation lets secrets expire that the file still has: that is no news.
    return renewed, "expired" if is_closed and not (declared.keeps_end and is_same) else ""
