"""PostgreSQL store URLs. The query may have any option of libpq."""

from __future__ import annotations

import math
import os
import re
from difflib import get_close_matches
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo, PGconn
from sqlalchemy.dialects.postgresql.psycopg import dialect as _dialect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ....errors import ConfigError

dialect: Any = _dialect  # SQLAlchemy has left it untyped

_EXPECTED = "expected postgresql+psycopg://user@host/database, special characters of a password as %40"
_SECRET = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
_SECONDS = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_NUMBERS = ("connect_timeout", "keepalives", *_SECONDS, "tcp_user_timeout")
# SQLAlchemy takes all before an @ for user and password, even hosts, ports, database and options, if the @ is in the
# value of an option or after the end.
_NO_USER = re.compile(
    r"""[^:/]*[?\#;=\s][^:/]*(:[^@]*)?@
    | [^:/]*:[^@]*\?[a-z_]+=[^@]*@
    | [^:/]*:\d*(,[^:/@,]*(:\d*)?)*[/?\#;\s][^@]*@
    | [^:/]*:[^/@]*/[^@]*[?\#;\s][^@]*@
    | \[[^@]*@""",
    re.VERBOSE,
)
# Where a fragment or another option may begin. Messages may quote the values of the options that are named here.
_ODD_QUERY = re.compile(r"\?.*[#;]|[?&](host|hostaddr|dbname|user)=[^&]*[=+\s]")
# If one of these is unescaped in the name of a host or database, a part of that name may be a password.
_ODD = re.compile(r"[@#;=\s]")
# A standby would show revocations late.
_PRIMARY = ("primary", "read-write")


def parsed(url: str) -> URL:
    """Parse the URL, and give it psycopg's scheme.

    :raises ConfigError: it cannot be read.
    """
    try:
        address = make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise ConfigError("store", _EXPECTED) from None
    # Otherwise a part of a password would be shown as a part of a user, a host or a database.
    rest = url.partition("://")[2]
    more = address.password is not None and rest.partition(":")[2].count("@") > 1
    place = rest if address.password is None else rest.partition("@")[2]
    odd = _ODD_QUERY.search(place) or _ODD.search(f"{address.host}{address.database}")
    wrong = more or _NO_USER.match(rest) or odd
    if wrong or not url.isprintable() or "%00" in url:
        raise ConfigError("store", _EXPECTED)
    return address


def shown(url: URL) -> str:
    """The URL for messages: without passwords."""
    return url.difference_update_query(_SECRET).render_as_string()


def arguments(url: URL, timeout: float) -> dict[str, Any]:
    """The driver's arguments for connecting.

    :raises ConfigError: libpq would refuse it.
    """
    try:
        _, given = dialect().create_connect_args(url)
    except (ArgumentError, ValueError):
        raise ConfigError("store", f"{_EXPECTED}, and several hosts as ?host=one:5432&host=two:5432") from None
    wrong = _wrong(given)
    if wrong:
        # If a name is wrong, its value may be a password.
        raise ConfigError("store", f"{shown(url.set(query={}))}: {wrong}")
    return {
        "target_session_attrs": _PRIMARY[0],
        "fallback_application_name": "oauth_mw",
        "connect_timeout": math.ceil(timeout / hosts(given)),
        "tcp_user_timeout": int(timeout * 1000),
        **_SECONDS,
        **given,
        "client_encoding": "utf8",
    }


def hosts(given: dict[str, Any]) -> int:
    """The number of hosts that are tried in turn."""
    return str(given.get("host") or given.get("hostaddr") or "").count(",") + 1


def _wrong(given: dict[str, Any]) -> str:
    """What libpq or this store refuses, without the value; empty if nothing is refused."""
    for name in _NUMBERS:
        if not str(given.get(name, 0)).isdecimal():
            return f"{name} must be a whole number"
    if given.get("target_session_attrs", _PRIMARY[0]) not in _PRIMARY:
        return f"target_session_attrs must be {' or '.join(_PRIMARY)}"
    # libpq checks most values when it connects, so let it connect to where no server can be.
    nowhere = ",".join([os.devnull] * hosts(given))
    try:
        tried = PGconn.connect_start(make_conninfo(**{**given, "host": nowhere, "hostaddr": ""}).encode())
    except psycopg.Error as error:
        return _names_only(str(error), given)
    said = tried.get_error_message().strip()
    tried.finish()
    return "" if os.devnull in said else _names_only(said, given)


def _names_only(said: str, given: dict[str, Any]) -> str:
    """Keep a quoted name only if it resembles one of libpq's: any other may be a part of a password, after an &."""
    known = [option.keyword.decode() for option in Conninfo.get_defaults()]

    def quoted(found: re.Match[str]) -> str:
        return found[0] if found[1] in given and get_close_matches(found[1], known) else "…"

    return re.sub('"(.*)"', quoted, said.strip().splitlines()[0])
