"""Make the stores of schema 3 that the tests upgrade, by the wheel of the code that had it.

``python tests/stores/upgrade/make_schema3.py`` writes ``schema3.db`` (SQLite), ``schema3.sql`` (a dump of a PostgreSQL
schema) and ``schema3.json`` (what is in them) beside the wheel, which ``pip wheel --no-deps`` made of commit 692900a.
All secrets and tokens in them are made for this alone, and all times are near ``NOW``. In Redis, this schema is the
present one.
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from base64 import b64encode
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
from webob import Request

FIXTURES = Path(__file__).parent / "fixtures" / "schema3"
WHEEL = next(FIXTURES.glob("*.whl"))
sys.path[:0] = [str(WHEEL), str(Path(__file__).parents[2])]

import oauth_mw  # noqa: E402
from helpers.engines_postgres import Postgres  # noqa: E402
from oauth_mw import OAuthMiddleware, admin, middleware, open_store  # noqa: E402

NOW = 1_800_000_000
LONG = 10 * 366 * 24 * 3600  # the longest lifetime
SCHEMA = "schema3_fixture"
# Options of add_client; each also has the scope "read write".
CLIENTS: dict[str, dict[str, Any]] = {
    "plain": {"lifetime": LONG},
    "full": {"lifetime": LONG, "name": "Käse", "default_scope": "read", "attributes": {"tenant": "Zürich"}},
    "deleted": {},
}


def secret_of(client_id: str) -> str:
    return sha256(client_id.encode()).hexdigest()[:32]


def no_app(environ: Any, start_response: Any) -> list[bytes]:
    raise AssertionError("nothing is asked for but tokens")


def clock() -> float:
    return NOW - 60


def fill(url: str) -> dict[str, Any]:
    """Fill a new store; return what is in it."""
    store = open_store(url, create=True, clock=clock)
    build = middleware.build
    middleware.build = lambda app, options: build(app, options, clock)
    app = OAuthMiddleware(no_app, store=store)
    middleware.build = build

    def issue(client_id: str) -> str:
        login = b64encode(f"{client_id}:{secret_of(client_id)}".encode()).decode()
        form, headers = {"grant_type": "client_credentials"}, {"Authorization": f"Basic {login}"}
        text: str = Request.blank("/oauth/token", POST=form, headers=headers).get_response(app).json["access_token"]
        return text

    for client_id, options in CLIENTS.items():
        known = {"client_id": client_id, "secret": secret_of(client_id), "clock": clock}
        admin.add_client(store, **{"name": client_id, "scope": "read write", **options, **known})
    admin.rotate_key(store, at_once=True, clock=clock)
    live = {issue(client_id): client_id for client_id in ("plain", "full")}
    revoked = {issue(client_id): client_id for client_id in ("plain", "deleted")}
    admin.revoke_token(store, admin.token_key(next(iter(revoked))), clock=clock)
    admin.delete_client(store, "deleted")
    store.remember_once(b"\x01", NOW + LONG)
    secrets = {client.client_id: client.secrets[0].secret_id for client in store.clients()}
    state, keys = store.copyable().log_state(), [key.kid for key in store.read_keys().keys]
    store.close()
    facts = {"live": live, "revoked": revoked, "secrets": secrets, "keys": keys}
    return {**facts, "position": state.position, "store_id": state.store_id}


def make_sqlite() -> dict[str, Any]:
    file = FIXTURES / "schema3.db"
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as database:  # small pages, for a small file
        database.executescript("PRAGMA page_size=512; VACUUM")
    facts = fill(f"sqlite:///{file}")
    for companion in FIXTURES.glob("schema3.db-*"):
        companion.unlink()
    return facts


def make_postgresql() -> dict[str, Any]:
    with Postgres() as engine:
        plain = engine.url.replace("+psycopg", "")
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {SCHEMA}")
        facts = fill(f"{engine.url}?options=-csearch_path%3D{SCHEMA}")
        dump = engine.run("pg_dump", "--inserts", "--no-owner", "-n", SCHEMA, plain)
    # What psql and the newest server alone understand says nothing of the store.
    left_out = re.compile(r"(--( .*)?|SET .*|SELECT pg_catalog.set_config.*|\\.*|CREATE SCHEMA .*|)$")
    lines = [line for line in dump.splitlines() if not left_out.match(line)]
    (FIXTURES / "schema3.sql").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return facts


if __name__ == "__main__":
    assert oauth_mw.__file__.startswith(str(WHEEL)), oauth_mw.__file__
    facts = {"sqlite": make_sqlite(), "postgresql": make_postgresql()}
    (FIXTURES / "schema3.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
