"""No part of a password is in what is said of a store URL, of whatever scheme and however wrong the URL is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauth_mw import ConfigError, open_store
from oauth_mw.model import Sizes
from oauth_mw.stores import shown
from oauth_mw.stores.redis import RedisStore
from oauth_mw.stores.sql.postgresql.engine import PostgresEngine

# No letter or digit of these is in anything else that is said.
QUERY_SAFE = "QXZJ78?/#:@%=[],+.\"'; \\"
PASSWORD = st.text(QUERY_SAFE + "&", min_size=3, max_size=12)
IN_QUERY = st.text(QUERY_SAFE, min_size=3, max_size=12)

BEFORE = (
    *("app:{}@host/db", "app:{}@host:5432/db?sslmode=require", ":{}@host", "app:{}@", "app:{}@[::1]/db"),
    *("app:{}@host?a=b", "app:{}@host:port/db", "app:{}@host/db?nonsense=1", "app:{}@/db?host=a&host=b:x"),
)
BEHIND = (
    *("host/db?password={}", "host?password={}", "?password={}", "/db?password={}", "host:5432?password={}"),
    *("app@host?password={}", "app@/db?password={}", "app@?password={}", "app@host/db?user=x&password={}"),
    *("app:pw@host/db?password={}", "host?user=app&password={}&sslmode=require", "host/db?password={}&nonsense=1"),
    *("host/db#password={}", "host/db;password={}", "host password={}", "host/db?PASSWORD={}", "host/db?passwort={}"),
    *("host/db?sslmode={}", "host/db?service={}", "host/db?target_session_attrs={}", "host/db?sslpassword={}"),
    *("app@one,two/db?password={}", "app@host/db?sentinel_password={}"),
)


def parts_in(text, password):
    """The parts of a password in a text: three characters each, at least one of them a letter or a digit."""
    parts = {password[start : start + 3] for start in range(len(password) - 2)}
    return {part for part in parts if any(map(str.isalnum, part)) and part in text}


def of_postgresql(url):
    return PostgresEngine(url, 1.0).url


def of_redis(url):
    return RedisStore(url, 1.0, lambda: 0, Sizes()).url


SCHEMES = {
    **dict.fromkeys(("postgresql+psycopg://", "postgresql://", "postgres://"), of_postgresql),
    **dict.fromkeys(("redis://", "rediss://", "unix://", "redis+sentinel://", "redis+cluster://"), of_redis),
    # Those that no store has.
    **dict.fromkeys(("mysql:", "memory://", "redis:/", "jdbc:postgresql://", ""), open_store),
    **dict.fromkeys(("sqlite://", "redis+ssl://", "postgresql+psycopg:", "postgresql+psycopg2://"), open_store),
}


def said_of(scheme, rest):
    """What is shown of a URL, and the error that refuses it."""
    try:
        said = SCHEMES[scheme](scheme + rest)
    except ConfigError as error:
        said = str(error)
    return said + " " + shown(scheme + rest)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(PASSWORD, IN_QUERY)
@settings(max_examples=20)
def test_no_part_of_a_password_is_shown(scheme, password, in_query):
    for places, secret in ((BEFORE, password), (BEHIND, in_query), (BEHIND[:12], password)):
        for place in places:
            assert parts_in(said_of(scheme, place.format(secret)), secret) == set(), place


SHOWN = {
    "postgresql://app:s3cr?etpw@db.internal/oauth": "postgresql://",
    "postgres://app:pa/ss?w@h/db": "postgres://",
    "postgres://app:pa/ss": "postgres://",
    "postgres://app:secret": "postgres://",
    "postgres://app:secret@h:5432/db?x=y": "postgres://h:5432/db",
    "postgres://app:a#b@h/db": "postgres://",
    "host=h password=secret dbname=db": "",
    "jdbc:sqlserver://h;password=secret": "jdbc:",
    "redis+sentinel://u:p@a:1,[::1]:2/service": "redis+sentinel://a:1,[::1]:2/service",
    "oauth.db": "oauth.db",
    "": "",
}


@pytest.mark.parametrize("url", SHOWN)
def test_what_is_shown_ends_where_a_password_may_begin(url):
    assert shown(url) == SHOWN[url]
