"""The audit trail: what happened, by whom, in one record of a constant form; and the logger that takes it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from .background import Background
from .background import flush as flush
from .texts import unprintable

# What an event may be. These names, and those of the members, do not change.
REQUEST_EVENTS = (
    "token_issued",
    "token_refused",
    "client_refused",
    "request_refused",
    "request_accepted",
    "token_revoked",
    "foreign_revocation",
    "quota_exceeded",
)
CHANGE_EVENTS = (
    "client_added",
    "client_changed",
    "client_enabled",
    "client_disabled",
    "client_deleted",
    "secret_added",
    "secret_changed",
    "secret_revoked",
    "token_revoked",
    "tokens_revoked",
    "key_added",
    "key_retired",
    "key_exported",
    "store_copied",
    "change_unconfirmed",
)

log = logging.getLogger("oauth_mw.audit")
if log.level == logging.NOTSET:  # else the level of a parent would count, which is WARNING where none is set
    log.setLevel(logging.INFO)


class AuditEvent(NamedTuple):
    """One event of the audit trail. A text that is not known, or has no meaning for the event, is empty.

    No field holds a token or a secret.

    :ivar time: Unix seconds.
    :ivar event: what happened, such as ``token_issued`` or ``client_disabled``.
    :ivar client_id: the client. In ``client_refused`` it is not authenticated, but exists.
    :ivar token_id: names the token, and is useless as a credential.
    :ivar secret_id: names the secret. ``key_id`` names the signing key.
    :ivar address: where the request came from, as far as ``trusted_proxies`` allows to know.
    :ivar method: percent-encoded and cut off, as ``path`` is, which has no query and no mount.
    :ivar status: of the answer, if the request was refused; else 0. ``error`` is its error code.
    :ivar reason: why the request was refused.
    :ivar rule: the rule that decided, in the notation of ``required_scopes``.
    :ivar needed: the scope that the request needed.
    :ivar scope: of the token; in changes of a client, what the client may have after it.
    :ivar audience: of the token.
    :ivar expires_at: when the token or secret expires, in Unix seconds; 0: never, or it has no meaning.
    :ivar owner: the client that the token belongs to, in ``foreign_revocation``.
    :ivar request_id: what the server or a proxy calls the request (the option ``request_id_key``).
    :ivar by: who made a change: the operating system's user, or who the program named.
    :ivar changed: the fields that a change has changed.
    :ivar store: the URL of the store that was changed, without its password.
    :ivar source: that of the store that was copied into it.
    :ivar attempted: the event of a change that the store did not confirm, in ``change_unconfirmed``.
    :ivar issued_before: only tokens that were issued before this Unix second were revoked; 0: all.
    """

    time: float
    event: str
    client_id: str = ""
    client_name: str = ""
    token_id: str = ""
    secret_id: str = ""
    key_id: str = ""
    address: str = ""
    method: str = ""
    path: str = ""
    status: int = 0
    error: str = ""
    reason: str = ""
    rule: str = ""
    needed: str = ""
    scope: str = ""
    audience: tuple[str, ...] = ()
    expires_at: int = 0
    owner: str = ""
    request_id: str = ""
    by: str = ""
    changed: tuple[str, ...] = ()
    store: str = ""
    source: str = ""
    attempted: str = ""
    issued_before: int = 0

    def members(self) -> dict[str, object]:
        """What the line has: ``time`` in RFC 3339, ``event``, and what is not empty, under the names of the fields."""
        at = datetime.fromtimestamp(self.time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        found: dict[str, object] = {name: value for name, value in zip(self._fields, self, strict=True) if value}
        found["time"] = at
        return found

    def line(self) -> str:
        """The event as one line of JSON, in ASCII."""
        return json.dumps(self.members())


def system_user() -> str:
    """The operating system's user of this process, and behind ``sudo`` also who called that.

    The latter is in the environment: only for root is it certain that ``sudo`` has put it there.
    """
    if not hasattr(os, "getuid"):
        return os.environ.get("USERNAME", "")  # Windows
    import pwd

    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container may have no entry for it
        name = str(uid)
    caller = os.environ.get("SUDO_USER", "")
    return f"{name} ({caller} by sudo)" if caller and not unprintable(caller) else name


def is_logged() -> bool:
    """True if the logger ``oauth_mw.audit`` has a handler of its own that would get the events."""
    return bool(log.handlers) and log.isEnabledFor(logging.INFO)


def write(event: AuditEvent) -> None:
    """Write the event to the logger: the line, and each of its members as ``oauth_mw_…`` of the record.

    Only the handlers of the logger itself get it. Those of its parents have sentences for people. A handler that raises
    an exception reports it as :mod:`logging` does, and the others get the event nevertheless.
    """
    members = event.members()
    extra = {f"oauth_mw_{name}": value for name, value in members.items()}
    arguments = (json.dumps(members),)
    record = log.makeRecord(log.name, logging.INFO, __file__, 0, "%s", arguments, None, write.__name__, extra)
    # When it happened, not when this thread came to it.
    record.created, record.msecs = event.time, event.time % 1 * 1000 // 1
    if log.filter(record):
        for handler in log.handlers:
            if record.levelno >= handler.level:
                try:
                    handler.handle(record)
                except Exception:  # those of logging itself catch their own
                    handler.handleError(record)


class Waiting(NamedTuple):
    """An event that is on its way to a sink; ``complete`` adds what takes too long for a request."""

    event: AuditEvent
    complete: Callable[[AuditEvent], AuditEvent] | None = None

    def completed(self) -> AuditEvent:
        return self.complete(self.event) if self.complete else self.event


def _log(waiting: Waiting) -> None:
    write(waiting.completed())


def _abandon() -> None:
    """Give each handler another lock: a thread that hangs has the one that :func:`logging.shutdown` waits for."""
    for handler in log.handlers:
        handler.createLock()


# One for the process, as the logger is.
logged: Background[Waiting] = Background(_log, "audit events", abandon=_abandon)
