"""A PostgreSQL store with a damaged row: whatever its column types allow, the answer is no 500."""

from __future__ import annotations

from contextlib import closing, contextmanager

import psycopg
import pytest

from helpers.damage import fill, issued_text, judge_answers, requests
from helpers.postgres_raw import Raw
from oauth_mw import open_store

COLUMNS = """
SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, 2
"""
BAD = {
    "NULL": "NULL",
    "minus one": "-1",
    "a large number": str(2**31 - 1),
    "the largest number": str(2**63 - 1),
    "text": "'text'",
    "no text": "''",
    "an open bracket": "'{'",
    "a list": "'[]'",
    "many brackets": "repeat('[', 100000)",
    "an infinite attribute": """'{"attributes": {"tier": 1e999}}'""",
    "half a character": """'{"attributes": {"tier": "\\ud800"}}'""",
    "bytes": "'\\xff'::bytea",
    "no bytes": "''::bytea",
    "true": "true",
}


@contextmanager
def damaged(url, statement):
    """A store with one of each in which a statement was executed, and a token that was issued before that."""
    with closing(open_store(url, create=True)) as store, Raw(url) as raw:
        fill(store)
        text = issued_text(store)
        raw(statement)
        yield store, text


@pytest.mark.long
@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_each_column_with_each_value_is_an_answer_or_an_outage(postgres, postgres_url, value):
    with closing(open_store(postgres_url, create=True)), Raw(postgres_url) as raw:
        columns = raw(COLUMNS)
    for table, column in columns:
        with postgres.fresh() as url, damaged(url, "SELECT 1") as (store, text), Raw(url) as raw:
            try:
                raw(f"UPDATE {table} SET {column} = {value}")
            except psycopg.Error:
                continue  # the column's type or a key does not allow it
            judge_answers(store, text)


OUTAGES = {
    "a record without an end": ("oauth_mw_clients SET record = '{'", "token"),
    "a record too deep": ("oauth_mw_clients SET record = repeat('[', 100000)", "token"),
    "verifiers too short": ("oauth_mw_clients SET verifiers = substr(verifiers, 2)", "token"),
    "half a character": ("""oauth_mw_tokens SET extra = '{"attributes": {"tier": "\\ud800"}}'""", "guard"),
    "a token before all time": ("oauth_mw_tokens SET position = -1", "guard"),
    "a head beyond all numbers": (f"oauth_mw_store SET position = {2**63 - 1}", "revoke"),
    "a key that is none": ("oauth_mw_key_set SET record = replace(record, '{', '[')", "keys"),
}


@pytest.mark.parametrize(("damage", "request_"), OUTAGES.values(), ids=OUTAGES)
def test_a_damaged_row_is_503_with_retry_after(postgres_url, damage, request_):
    with damaged(postgres_url, f"UPDATE {damage}") as (store, text):
        answer = dict(requests(store, text))[request_]

    assert (answer.status_int, answer.headers.get("Retry-After")) == (503, "1")


def test_a_missing_row_of_the_store_itself_is_503(postgres_url):
    with damaged(postgres_url, "DELETE FROM oauth_mw_store") as (store, text):
        answers = dict(requests(store, text))

    assert [answers[name].status_int for name in ("guard", "guard again")] == [503, 503]


def test_bytes_that_are_no_text_are_an_outage(postgres):
    """In a database that takes any bytes as text."""
    name = "damaged"
    url = postgres.url.rpartition("/")[0] + f"/{name}"
    with Raw(postgres.url) as admin:
        admin(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
        try:
            with damaged(url, "UPDATE oauth_mw_clients SET record = E'\\xff'") as (store, text):
                answer = dict(requests(store, text))["token"]
        finally:
            admin(f"DROP DATABASE {name} WITH (FORCE)")

    assert (answer.status_int, answer.headers.get("Retry-After")) == (503, "1")
