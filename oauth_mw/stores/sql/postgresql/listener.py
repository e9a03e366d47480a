"""Waking the workers that follow the revocation log of a PostgreSQL store, by LISTEN and NOTIFY.

A notification is never evidence: it only makes a worker read the log early. If one is lost, the worker reads the log at
its next poll.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

from ....deadlines import RequestDeadline
from ....errors import ConfigError, StoreUnavailable
from .driver import ERRORS, Driver, is_readable

DIAL_SECONDS = 1.0  # for opening the connection, and for testing it
REDIAL_SECONDS = 5.0
DEAF_SECONDS = 300.0  # until the next trial, if nothing was delivered
# Notifications of other applications may wait for a missing standby, and ours would wait behind them.
_LOCK_MILLISECONDS = 50


def notify(driver: Driver, payload: str = "") -> None:
    """Try once to wake the followers of the log; errors are ignored.

    It is a transaction of its own that waits for no standby, because it holds a lock that other notifications need.
    """
    with suppress(*ERRORS):
        driver.execute(
            "BEGIN; SET LOCAL synchronous_commit TO off; "
            f"SET LOCAL lock_timeout TO {_LOCK_MILLISECONDS}; NOTIFY {_channel(driver)}, '{payload}'; COMMIT"
        )


def _channel(driver: Driver) -> str:
    """The name of the store's channel; each schema of a database may have a store."""
    return "oauth_mw_" + sha256(driver.schema.encode()).hexdigest()[:16]


class Listener:
    """See :class:`~oauth_mw.protocols.Waiter`. It has a connection of its own.

    :param dial: opens a connection.
    :param notify: sends a notification with this payload over another connection.
    :param redial: seconds until a connection that was lost, or could not be opened, is tried again.
    """

    def __init__(
        self, dial: Callable[[], Driver], notify: Callable[[str], None], *, redial: float = REDIAL_SECONDS
    ) -> None:
        self._dial = dial
        self._notify = notify
        self._redial = redial
        self._driver: Driver | None = None
        self._next_dial = 0.0

    def wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        try:
            if self._driver is not None:
                if is_readable(self._driver.fileno(), seconds):
                    _received(self._driver)
                return
        except (OSError, *ERRORS):
            self._lose(self._redial)
            return  # at once: reading the log shows whether the server still answers
        if time.monotonic() < self._next_dial or not self._listen():
            time.sleep(max(until - time.monotonic(), 0))

    def close(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()

    def interrupt(self) -> None:
        """Shut the connection down from another thread, which ends a wait. The listening thread closes it."""
        driver = self._driver
        if driver is not None and driver.pid == os.getpid():
            with suppress(OSError, *ERRORS), socket.socket(fileno=os.dup(driver.fileno())) as shared:
                shared.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> bool:
        """Open the connection; true when notifications arrive over it: a pooler accepts LISTEN, and delivers none."""
        pause = self._redial
        with suppress(ConfigError, StoreUnavailable, OSError, *ERRORS), RequestDeadline(DIAL_SECONDS):
            driver = self._driver = self._dial()
            if not driver.pooled:
                driver.execute(f"LISTEN {_channel(driver)}")
                until, own = time.monotonic() + DIAL_SECONDS, secrets.token_hex(8)
                self._notify(own)
                while is_readable(driver.fileno(), max(until - time.monotonic(), 0)):
                    if own in _received(driver):
                        return True
            pause = DEAF_SECONDS
        self._lose(pause)
        return False

    def _lose(self, pause: float) -> None:
        self.close()
        self._next_dial = time.monotonic() + pause


def _received(driver: Driver) -> list[str]:
    """The payloads of the notifications that have arrived.

    :raises psycopg.Error: the connection was lost.
    """
    driver.pgconn.consume_input()
    payloads = []
    while notification := driver.pgconn.notifies():
        payloads.append(notification.extra.decode())
    driver.fileno()  # raises where it was closed
    return payloads
