"""Functions for ``on_event``, in the folder in which a server runs."""

from __future__ import annotations

import threading

from oauth_mw.audit import AuditEvent


def writing(event: AuditEvent) -> None:
    with open("audit.jsonl", "a") as file:
        file.write(event.line() + "\n")


def failing(event: AuditEvent) -> None:
    raise RuntimeError("no room")


def hanging(event: AuditEvent) -> None:
    threading.Event().wait()
