"""The audit trail of changes: what was changed, in which store, and who did it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields
from typing import Any, Protocol

from ..audit import AuditEvent, Waiting, is_logged, logged, system_user
from ..errors import AdminError, NotSent, StoreUnavailable
from ..model import Client, ClientSecret
from ..texts import unprintable

MAX_BY = 200

# Fields of a client that have events of their own, or that no change names.
_APART = {"client_id", "created_at", "enabled", "imported", "other", "revoked_before", "revoked_secrets", "secrets"}

Described = dict[str, Any]  # the fields of an AuditEvent
Event = tuple[str, Described]


class Recorder(Protocol):
    """Keeps the events of changes. Both methods raise ``AdminError`` if it cannot."""

    def prepare(self) -> None:
        """Called before a change, which is not made if this raises an exception."""

    def record(self, event: AuditEvent) -> None: ...


_by: ContextVar[str] = ContextVar("_by", default="")
_recorder: ContextVar[Recorder | None] = ContextVar("_recorder", default=None)


@contextmanager
def acting_as(who: str) -> Iterator[None]:
    """Name who makes the changes inside of the ``with`` block, as ``by`` of their audit events.

    Without it, that is the operating system's user.

    :param who: printable text, of at most 200 characters.
    :raises AdminError: it is not.
    """
    if not who or len(who) > MAX_BY or unprintable(who):
        raise AdminError(f"who makes a change is printable text of at most {MAX_BY} characters")
    before = _by.set(who)
    try:
        yield
    finally:
        _by.reset(before)


@contextmanager
def recorded_by(recorder: Recorder) -> Iterator[None]:
    """Pass the events of all changes inside to a recorder, too."""
    before = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(before)


@contextmanager
def recording(store: object, attempted: Callable[[], Iterable[Event]]) -> Iterator[Callable[..., None]]:
    """For a change inside: yield a function that takes the name of an event and its fields, and emits it.

    If the store may have made the change and does not say so, each event that was ``attempted`` is emitted as
    unconfirmed.

    :param store: the store that is changed.
    :param attempted: returns the events of the change; none while it has not begun.
    :raises AdminError: the recorder cannot record. The change is not made.
    """
    recorder, url = _recorder.get(), getattr(store, "url", "")
    if recorder:
        recorder.prepare()

    def emit(event: str, **described: Any) -> None:
        made = AuditEvent(time.time(), event, by=_by.get() or system_user(), store=url, **described)
        if is_logged():
            logged.put(Waiting(made))
        if recorder:
            recorder.record(made)

    try:
        yield emit
    except (StoreUnavailable, KeyboardInterrupt) as error:
        reason = error.reason if isinstance(error, StoreUnavailable) else "interrupted"
        events = [] if isinstance(error, NotSent) else list(attempted())
        for event, described in events:
            emit("change_unconfirmed", **described, attempted=event, reason=reason)
        if events:
            names = ", ".join(event for event, _ in events)
            error.add_note(f"it may be done or not ({names}): look, and repeat it if it is not")
        raise


def record_changes(
    record: Callable[..., None], before: Client | None, after: Client | None, *, revoked: bool = False
) -> None:
    """Record how a client was changed, and with ``revoked`` that all of its tokens were revoked."""
    for event, described in changes_of(before, after, revoked=revoked):
        record(event, **described)


def changes_of(before: Client | None, after: Client | None, *, revoked: bool = False) -> Iterator[Event]:
    """The events of a change of a client, each with its fields.

    It is added if there is no ``before``, and deleted if there is no ``after``. No value of an
    attribute is part of them: the app may have put something confidential there.
    """
    if client := after or before:
        yield from _of_fields(before, after, client)
        if revoked:
            yield "tokens_revoked", {"client_id": client.client_id, "client_name": client.name}


def _of_fields(before: Client | None, after: Client | None, client: Client) -> Iterator[Event]:
    named = {"client_id": client.client_id, "client_name": client.name}
    if before is None:
        yield "client_added", {**named, "scope": " ".join(client.scopes)}
    elif after is None:
        yield "client_deleted", named
        return
    else:
        if before.enabled != after.enabled:
            yield "client_enabled" if after.enabled else "client_disabled", named
        names = [each.name for each in fields(Client) if each.name not in _APART]
        changed = tuple(name for name in names if getattr(before, name) != getattr(after, name))
        # What was revoked just now has an event of its own.
        removed = {each.secret_id for each in before.secrets}
        if not {*after.revoked_secrets} - {*before.revoked_secrets} <= removed:
            changed += ("revoked_secrets",)
        if changed:
            shown = tuple("scope" if name == "scopes" else name for name in changed)
            yield "client_changed", {**named, "changed": shown, "scope": " ".join(after.scopes)}
    for event, secret in _of_secrets(before.secrets if before else (), client.secrets):
        yield event, {**named, "secret_id": secret.secret_id, "expires_at": secret.not_after or 0}


def _of_secrets(before: Iterable[ClientSecret], after: Iterable[ClientSecret]) -> Iterator[tuple[str, ClientSecret]]:
    old, new = ({each.secret_id: each for each in secrets} for secrets in (before, after))
    for secret_id, secret in new.items():
        if secret_id not in old:
            yield "secret_added", secret
        elif old[secret_id] != secret:
            yield "secret_changed", secret
    yield from (("secret_revoked", secret) for secret_id, secret in old.items() if secret_id not in new)
