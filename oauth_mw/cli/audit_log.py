"""``--audit-log``: where the command line records the changes that it makes."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress

from ..audit import AuditEvent
from ..errors import AdminError

SYSLOG = "syslog"
SYSLOG_SOCKET = "/dev/log"
SYSLOG_PRIORITY = 4 * 8 + 6  # auth, informational


class AuditFile:
    """A file to which each change is appended, as a line of JSON. It is opened before the first change.

    A new file can be read by its owner alone. A line of which a full disk took only a part stays alone: what follows
    begins on a line of its own.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None

    def prepare(self) -> None:
        if self._descriptor is not None:
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        try:
            self._descriptor = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise _unusable(self._path, error) from None

    def record(self, event: AuditEvent) -> None:
        try:
            line = f"{self._begin()}{event.line()}\n".encode()
            # In one call: the lines of two commands do not mix.
            if self._descriptor is None or os.write(self._descriptor, line) < len(line):
                raise OSError("only a part of the line was written")
        except OSError as error:
            raise _missing(event, self._path, error) from None

    def _begin(self) -> str:
        """A line break if the file ends within a line, as far as this user may read it."""
        at = os.fstat(self._descriptor) if self._descriptor is not None else None
        if at is None or not stat.S_ISREG(at.st_mode) or not at.st_size:
            return ""
        with suppress(OSError), open(self._path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return "" if file.read() == b"\n" else "\n"
        return ""

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


class Syslog:
    """The system's log (RFC 3164), with the facility ``auth``."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def prepare(self) -> None:
        if self._socket is not None:
            return
        if not hasattr(socket, "AF_UNIX"):
            raise AdminError("--audit-log: this system has no log that takes lines: nothing was changed")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.connect(SYSLOG_SOCKET)
        except OSError as error:
            raise _unusable(SYSLOG_SOCKET, error) from None

    def record(self, event: AuditEvent) -> None:
        try:
            if self._socket:
                self._socket.send(f"<{SYSLOG_PRIORITY}>oauth-mw: {event.line()}".encode())
        except OSError as error:
            raise _missing(event, "the system's log", error) from None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


class Careful:
    """Records as another recorder does, and keeps the first fault: a change that is made is still shown."""

    def __init__(self, recorder: AuditFile | Syslog) -> None:
        self._recorder = recorder
        self.fault: AdminError | None = None

    def prepare(self) -> None:
        self._recorder.prepare()

    def record(self, event: AuditEvent) -> None:
        try:
            self._recorder.record(event)
        except AdminError as error:
            self.fault = self.fault or error

    def close(self) -> None:
        with suppress(OSError):
            self._recorder.close()


def recorder_for(name: str) -> Careful:
    """The recorder for what ``--audit-log`` names: a file, or the word ``syslog``."""
    return Careful(Syslog() if name == SYSLOG else AuditFile(name))


def _unusable(place: str, error: OSError) -> AdminError:
    return AdminError(f"--audit-log: {place} cannot be written ({_said(error)}): nothing was changed")


def _missing(event: AuditEvent, place: str, error: OSError) -> AdminError:
    was = f"{event.attempted} may be done or not" if event.attempted else f"{event.event} was done"
    return AdminError(f"{was}, but is missing in {place}: {_said(error)}")


def _said(error: OSError) -> str:
    return error.strerror or str(error)
