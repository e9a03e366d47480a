"""Errors of redis-py, turned into our own."""

from __future__ import annotations

import re

from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    InvalidResponse,
    MasterDownError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from ....errors import StoreUnavailable

# By what Redis calls them in an error, also in that of a script.
_STATES = {
    "OOM": "Redis is full (maxmemory)",
    "READONLY": "Redis is a replica there",
    "LOADING": "Redis is loading its data",
    "MASTERDOWN": "Redis is a replica that lost its primary",
    "CLUSTERDOWN": "the Redis cluster is down",
    "TRYAGAIN": "the Redis cluster is moving the keys",
    "NOREPLICAS": "Redis has too few replicas to write",
    "MISCONF": "Redis cannot write to its disk",
    "BUSY": "Redis is busy with a script",
    "NOAUTH": "Redis wants a password",
    "WRONGPASS": "Redis refuses the user or the password",
    "NOPERM": "Redis does not permit this user a command or a key that is needed",
    "MOVED": "Redis is a node of a cluster",
    "ASK": "Redis is a node of a cluster",
}
_STATE = re.compile(rf"\b({'|'.join(_STATES)})\b")
# What a script may not do is said in other words, by Redis 6 and from Redis 7 on.
_DENIED = re.compile(r"The user executing the script can't|ACL failure in script")
_ADDRESS = re.compile(r"\b[0-9]+ (\S{0,255}):([0-9]{1,5})$")
# redis-py cuts the name off where it has a class for it; a class before those it inherits from.
_CLASSES = {
    OutOfMemoryError: "OOM",
    ReadOnlyError: "READONLY",
    BusyLoadingError: "LOADING",
    MasterDownError: "MASTERDOWN",
    ClusterDownError: "CLUSTERDOWN",
    TryAgainError: "TRYAGAIN",
    AuthenticationError: "WRONGPASS",
    NoPermissionError: "NOPERM",
    MovedError: "MOVED",
    AskError: "ASK",
}
_MESSAGES = {
    "No connection available.": "no connection to Redis became free in time",
    "max number of clients reached": "Redis has no connection left",
}
# After these the connection is as good as before.
HARMLESS = {"OOM", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "MISCONF", "BUSY", "MOVED", "ASK"}


class NotSent(StoreUnavailable):
    """No command was sent: no connection could be opened or taken from the pool."""


class Redirected(StoreUnavailable):
    """A node of a cluster did nothing, and names the node that has the key (MOVED or ASK).

    :param host: empty for the host of the node that replied.
    :param asking: for this command only, and with ASKING before it.
    """

    def __init__(self, reason: str, host: str, port: int, *, asking: bool) -> None:
        super().__init__(reason)
        self.host, self.port, self.asking = host, port, asking


def error_code(error: BaseException) -> str | None:
    for kind, state in _CLASSES.items():
        if isinstance(error, kind):
            return state
    if _DENIED.search(str(error)):
        return "NOPERM"
    found = _STATE.search(str(error))
    return found[1] if found else None


def unavailable(error: Exception) -> StoreUnavailable:
    """In our own words: Redis's may name keys, redis-py's hosts."""
    state = error_code(error)
    # Older redis-py has a class for it only within its own client for clusters.
    elsewhere = _ADDRESS.search(str(error)) if state in ("MOVED", "ASK") else None
    if elsewhere:
        return Redirected(_STATES["MOVED"], elsewhere[1], int(elsewhere[2]), asking=state == "ASK")
    if state:
        return StoreUnavailable(_STATES[state])
    if isinstance(error, TimeoutError):
        return StoreUnavailable("Redis did not answer in time")
    if isinstance(error, InvalidResponse):
        return StoreUnavailable("what answers is not Redis")
    if str(error) in _MESSAGES:
        return StoreUnavailable(_MESSAGES[str(error)])
    if isinstance(error, ResponseError):
        return StoreUnavailable("Redis refused a command")
    return StoreUnavailable(f"Redis cannot be reached{_cause(error)}")


def _cause(error: BaseException) -> str:
    """What the system said of the connection or the certificate, which redis-py tells with the host around it."""
    for each in (error, error.__cause__, error.__context__):
        if isinstance(each, OSError) and each.strerror:
            return f": {each.strerror}"
    return ""
