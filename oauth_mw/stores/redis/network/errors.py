"""Turn errors of redis-py into our own."""

from __future__ import annotations

import re

from redis import exceptions
from redis.exceptions import InvalidResponse, ResponseError, TimeoutError

from ....errors import StoreUnavailable

# By the code in Redis's error, or in the error of a script. If redis-py has a class for a code, it removes the code.
# A class precedes its base classes.
_STATES: dict[str, tuple[type[Exception] | None, str]] = {
    "OOM": (exceptions.OutOfMemoryError, "Redis is full (maxmemory)"),
    "READONLY": (exceptions.ReadOnlyError, "Redis is a replica there"),
    "LOADING": (exceptions.BusyLoadingError, "Redis is loading its data"),
    "MASTERDOWN": (exceptions.MasterDownError, "Redis is a replica that lost its primary"),
    "CLUSTERDOWN": (exceptions.ClusterDownError, "the Redis cluster is down"),
    "TRYAGAIN": (exceptions.TryAgainError, "the Redis cluster is moving the keys"),
    "NOREPLICAS": (None, "Redis has too few replicas to write"),
    "MISCONF": (None, "Redis cannot write to its disk"),
    "BUSY": (None, "Redis is busy with a script"),
    "NOAUTH": (None, "Redis wants a password"),
    "WRONGPASS": (exceptions.AuthenticationError, "Redis refuses the user or the password"),
    "NOPERM": (exceptions.NoPermissionError, "Redis does not permit this user a command or a key that is needed"),
    "MOVED": (exceptions.MovedError, "Redis is a node of a cluster"),
    "ASK": (exceptions.AskError, "Redis is a node of a cluster"),
}
_STATE = re.compile(rf"\b({'|'.join(_STATES)})\b")
# How Redis 6, and Redis 7 and later, report what a script lacks permission for.
_DENIED = re.compile(r"The user executing the script can't|ACL failure in script")
_ADDRESS = re.compile(r"\b[0-9]+ (\S{0,255}):([0-9]{1,5})$")
_MESSAGES = {
    "No connection available.": "no connection to Redis became free in time",
    "max number of clients reached": "Redis has no connection left",
}
# The connection can be used again after these.
HARMLESS = {"OOM", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "MISCONF", "BUSY", "MOVED", "ASK"}


class Redirected(StoreUnavailable):
    """A node of a cluster did nothing, and names the node that has the key (MOVED or ASK).

    :param host: empty for the host of the node that replied.
    :param asking: only this command goes there, with ASKING before it.
    """

    def __init__(self, reason: str, host: str, port: int, *, asking: bool) -> None:
        super().__init__(reason)
        self.host, self.port, self.asking = host, port, asking


def error_code(error: BaseException) -> str | None:
    text = str(error)
    found = _STATE.search("NOPERM" if _DENIED.search(text) else text)
    of_kind = (code for code, (kind, _) in _STATES.items() if kind is not None and isinstance(error, kind))
    return next(of_kind, found and found[1])


def unavailable(error: Exception) -> StoreUnavailable:
    """With a message of ours: Redis's may contain keys, and redis-py's hosts."""
    if isinstance(error, StoreUnavailable):
        return error
    code = error_code(error)
    if code in ("MOVED", "ASK") and (elsewhere := _ADDRESS.search(str(error))):
        return Redirected(_STATES[code][1], elsewhere[1], int(elsewhere[2]), asking=code == "ASK")
    if code:
        return StoreUnavailable(_STATES[code][1])
    if isinstance(error, TimeoutError):
        return StoreUnavailable("Redis did not answer in time")
    if isinstance(error, InvalidResponse):
        return StoreUnavailable("what answers is not Redis")
    if str(error) in _MESSAGES:
        return StoreUnavailable(_MESSAGES[str(error)])
    if isinstance(error, ResponseError):
        return StoreUnavailable("Redis refused a command")
    # The system's message on the connection or the certificate, without the host that redis-py adds.
    causes = (error, error.__cause__, error.__context__)
    said = next((each.strerror for each in causes if isinstance(each, OSError) and each.strerror), "")
    return StoreUnavailable(f"Redis cannot be reached{said and f': {said}'}")
