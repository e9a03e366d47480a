"""No part of a password is in what is said of a store URL, however wrong the URL is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_mw import ConfigError, open_store
from oauth_mw.stores import shown
from oauth_mw.stores.postgres import PostgresEngine

# No letter or digit of these is in anything else that is said.
QUERY_SAFE = "QXZJ78?/#:@%=[],+.\"'"
PASSWORD = st.text(QUERY_SAFE + "&", min_size=3, max_size=12)
IN_QUERY = st.text(QUERY_SAFE, min_size=3, max_size=12)


def parts_in(text, password):
    """What of a password is told: three characters or more, one of them no mere punctuation."""
    parts = {password[start : start + 3] for start in range(len(password) - 2)}
    return {part for part in parts if any(map(str.isalnum, part)) and part in text}


def said_of(rest):
    """The error, or what is shown and where it would go to."""
    try:
        return PostgresEngine(f"postgresql+psycopg://{rest}", 1.0).url
    except ConfigError as error:
        return str(error)


@given(PASSWORD)
def test_of_another_scheme_no_password_is_told(password):
    for scheme in ("postgresql://", "postgres://", "mysql:", "memory://", "redis:/"):
        url = f"{scheme}app:{password}@host/db"
        with pytest.raises(ConfigError) as refused:
            open_store(url)
        assert parts_in(str(refused.value), password) == set()
        assert parts_in(shown(url), password) == set()


@given(PASSWORD)
def test_of_a_url_of_ours_no_password_is_told(password):
    for after in ("host/db", "host:port/db", "host/db?nonsense=1", "/db?host=a&host=b:x"):
        assert parts_in(said_of(f"app:{password}@{after}"), password) == set()


@given(IN_QUERY)
def test_of_an_option_no_value_is_told(password):
    for name in ("passwort", "PASSWORD", "password", "sslmode", "service", "target_session_attrs", "sslpassword"):
        for more in ("", "&nonsense=1"):
            assert parts_in(said_of(f"app@host/db?{name}={password}{more}"), password) == set()


SHOWN = {
    "postgresql://app:s3cr?etpw@db.internal/oauth": "postgresql://",
    "postgres://app:pa/ss?w@h/db": "postgres://",
    "postgres://app:pa/ss": "postgres://",
    "postgres://app:secret": "postgres://",
    "postgres://app:secret@h:5432/db?x=y": "postgres://h:5432/db",
    "redis+sentinel://u:p@a:1,[::1]:2/service": "redis+sentinel://a:1,[::1]:2/service",
    "oauth.db": "oauth.db",
    "": "",
}


@pytest.mark.parametrize("url", SHOWN)
def test_what_is_shown_ends_where_a_password_may_begin(url):
    assert shown(url) == SHOWN[url]
