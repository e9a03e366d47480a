"""The records of a store, read and written without it, as a worker of another version may write them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

from helpers.postgres_raw import Raw
from helpers.redis_raw import Raw as RedisRaw

CLIENT = "oauth_mw_clients", "WHERE client_id = 'tester'", "client:tester", "record"
KEYS = "oauth_mw_key_set", "", "store", "keys"


def read_record(url: str, place: tuple[str, str, str, str]) -> Any:
    """
    :param place: :data:`CLIENT` or :data:`KEYS`.
    """
    table, where, key, field = place
    if "redis" in url.partition("://")[0]:
        with closing(RedisRaw(url)) as raw:
            return json.loads(raw.client.hget(raw.key(key), field))
    return json.loads(_sql(url, f"SELECT record FROM {table} {where}")[0][0])


def write_record(url: str, place: tuple[str, str, str, str], members: Any) -> None:
    table, where, key, field = place
    text = json.dumps(members)
    if "redis" in url.partition("://")[0]:
        with closing(RedisRaw(url)) as raw:
            raw.client.hset(raw.key(key), field, text)
    else:
        _sql(url, f"UPDATE {table} SET record = '{text}' {where}")


def _sql(url: str, statement: str) -> list[Any]:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database, database:
            return database.execute(statement).fetchall()
    with Raw(url) as raw:
        return [(row,) for row in raw(statement)]
