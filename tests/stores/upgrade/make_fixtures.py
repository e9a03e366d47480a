"""Make the stores of schema 2 that the tests upgrade, by the wheel of the code that had it.

``python tests/stores/upgrade/make_fixtures.py`` writes ``schema2.db`` (SQLite), ``schema2.sql`` (a dump of a
PostgreSQL schema), ``schema2.redis`` (the commands that make one in Redis) and ``schema2.json`` (what is in them)
beside the wheel, which ``pip wheel --no-deps`` made of commit 6cc6cb4. All secrets, keys and tokens in them are made
for this alone, and all times are near ``NOW``.
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

FIXTURES = Path(__file__).parent / "fixtures"
WHEEL = next(FIXTURES.glob("*.whl"))
sys.path[:0] = [str(WHEEL), str(Path(__file__).parents[2])]

import oauth_mw  # noqa: E402
from helpers.engines_postgres import Postgres  # noqa: E402
from helpers.engines_redis import Redis  # noqa: E402
from helpers.redis_raw import Raw  # noqa: E402
from oauth_mw import OAuthMiddleware, admin, middleware, open_store  # noqa: E402

NOW = 1_800_000_000
HOUR = 3600
LONG = 10 * 366 * 24 * HOUR  # the longest lifetime
ISSUER, API = "https://auth.example.com", "https://api.example.com/v1"
KEY_SECRET = "only for the tests of upgrades"
OPTIONS = {"issuer": ISSUER, "audience": f"{ISSUER} {API}", "key_encryption_secret": KEY_SECRET}
SCHEMA = PREFIX = "schema2_fixture"

# Options of add_client; each also has the scope "read write".
CLIENTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "full": {
        "name": "Käse & Söhne ☕",
        "default_scope": "read",
        "lifetime": LONG,
        "token_format": "opaque",
        "audiences": (API, ISSUER),
        "default_audience": (API,),
        "attributes": {"tenant": "Zürich", "quota": 12, "share": 0.5},
        "public_attributes": {"beta": True},
    },
    "audience-only": {"audiences": (API, ISSUER)},
    "five": {},
    "signer": {"token_format": "jwt", "attributes": {"tenant": "b"}},
    "cleared": {},
    "all-revoked": {},
    "disabled": {},
    "deleted": {},
    "api": {"resource_server": True, "audiences": (API,), "scope": ""},
}

# Secrets of the client "five" beside its first one.
FIVE: dict[str, dict[str, Any]] = {
    "1-qV8sT3xN6bLr2Kd9": {"label": "Büro"},
    "2-qV8sT3xN6bLr2Kd9": {"not_after": NOW + HOUR},
    "weak": {"allow_weak_secret": True},
    "4-qV8sT3xN6bLr2Kd9": {},
}


def secret_of(client_id: str) -> str:
    return sha256(client_id.encode()).hexdigest()[:32]


def no_app(environ: Any, start_response: Any) -> list[bytes]:
    raise AssertionError("nothing is asked for but tokens")


class Maker:
    """Fills one store and notes what is in it."""

    def __init__(self, url: str) -> None:
        self.now = NOW - 1800
        self.store = open_store(url, create=True, clock=self.clock)
        self.live: dict[str, str] = {}
        self.revoked: dict[str, str] = {}
        self.renew_app()

    def clock(self) -> float:
        return self.now

    def renew_app(self) -> None:
        """Let an app read the keys that are there now."""
        build = middleware.build
        middleware.build = lambda app, options: build(app, options, self.clock)
        self.plain_app = OAuthMiddleware(no_app, store=self.store)
        self.app = OAuthMiddleware(no_app, store=self.store, **OPTIONS)
        middleware.build = build

    def issue(self, client_id: str) -> str:
        app = self.app if CLIENTS[client_id] else self.plain_app
        login = b64encode(f"{client_id}:{secret_of(client_id)}".encode()).decode()
        request = Request.blank(
            "/oauth/token", POST={"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {login}"}
        )
        answer = request.get_response(app)
        assert answer.status_int == 200, answer.text
        text: str = answer.json["access_token"]
        self.live[text] = client_id
        return text

    def note_revoked(self, *client_ids: str) -> None:
        for text in [text for text, owner in self.live.items() if owner in client_ids]:
            self.revoked[text] = self.live.pop(text)

    def fill(self) -> dict[str, Any]:
        clock, store = self.clock, self.store
        for client_id, options in CLIENTS.items():
            known = {"client_id": client_id, "secret": secret_of(client_id), "clock": clock}
            admin.add_client(store, **{"name": client_id, "scope": "read write", **options, **known})
        for text, options in FIVE.items():
            admin.add_secret(store, "five", secret=text, clock=clock, **options)
        admin.rotate_key(store, algorithm="ES256", at_once=True, clock=clock)
        self.issue("signer")
        admin.rotate_key(store, algorithm="EdDSA", secret=KEY_SECRET, at_once=True, clock=clock)
        self.renew_app()
        self.now = NOW - 60
        for client_id in ("signer", "plain"):
            text = self.issue(client_id)
            self.revoked[text] = self.live.pop(text)
            if client_id == "signer":
                admin.revoke_jwt(store, text, secret=KEY_SECRET, clock=clock)
            else:
                admin.revoke_token(store, admin.token_key(text), clock=clock)
        for client_id in [*CLIENTS, *CLIENTS]:
            if client_id != "api":
                self.issue(client_id)
        admin.revoke_all_tokens(store, "cleared")
        admin.disable_client(store, "disabled")
        admin.delete_client(store, "deleted")
        admin.revoke_all_tokens(store, "all-revoked")
        self.note_revoked("cleared", "disabled", "deleted", "all-revoked")
        self.issue("cleared")
        clients = [self.facts(client) for client in store.clients()]
        keys = [key._asdict() for key in store.key_store().signing_keys()]
        found = admin.holdings(store, clock=clock)
        store.close()
        counts = {"position": found.position, "store_id": found.store_id, "events": found.events}
        return {"live": self.live, "revoked": self.revoked, "clients": clients, "keys": keys, **counts}

    def facts(self, client: Any) -> dict[str, Any]:
        found = {name: getattr(client, name) for name in client.__slots__ if name != "position"}
        secrets = [
            {**secret._asdict(), "salt": secret.salt.hex(), "digest": secret.digest.hex()} for secret in client.secrets
        ]
        public = sorted(client.public_attributes)
        return {**found, "attributes": dict(client.attributes), "public_attributes": public, "secrets": secrets}


def make_sqlite() -> dict[str, Any]:
    file = FIXTURES / "schema2.db"
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as database:  # small pages, for a small file
        database.executescript("PRAGMA page_size=512; VACUUM")
    facts = Maker(f"sqlite:///{file}").fill()
    for companion in FIXTURES.glob("schema2.db-*"):
        companion.unlink()
    return facts


def make_postgresql() -> dict[str, Any]:
    with Postgres() as engine:
        with psycopg.connect(engine.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {SCHEMA}")
        facts = Maker(f"{engine.url}?options=-csearch_path%3D{SCHEMA}").fill()
        dump = engine.run("pg_dump", "--inserts", "--no-owner", "-n", SCHEMA, engine.url.replace("+psycopg", ""))
    # What psql and the newest server alone understand says nothing of the store.
    left_out = re.compile(r"(--( .*)?|SET .*|SELECT pg_catalog.set_config.*|\\.*|CREATE SCHEMA .*|)$")
    lines = [line for line in dump.splitlines() if not left_out.match(line)]
    (FIXTURES / "schema2.sql").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return facts


def make_redis() -> dict[str, Any]:
    with Redis() as server:
        url = f"{server.url}?prefix={PREFIX}"
        facts = Maker(url).fill()
        with closing(Raw(url)) as raw:
            commands = [command for name, found in sorted(raw.contents().items()) for command in made_by(name, found)]
    lines = [json.dumps([part.decode("latin-1") for part in command]) for command in commands]
    (FIXTURES / "schema2.redis").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return facts


def made_by(name: str, found: Any) -> list[list[bytes]]:
    """The commands that make a key."""
    key = name.encode()
    if isinstance(found, bytes):
        return [[b"SET", key, found]]
    if isinstance(found, dict):
        return [[b"HSET", key, *(part for pair in found.items() for part in pair)]]
    if isinstance(found[0][1], dict):
        return [[b"XADD", key, entry, *(part for pair in fields.items() for part in pair)] for entry, fields in found]
    return [[b"ZADD", key, *(part for member, score in found for part in (b"%d" % score, member))]]


if __name__ == "__main__":
    assert oauth_mw.__file__.startswith(str(WHEEL)), oauth_mw.__file__
    secrets = {client_id: [secret_of(client_id)] for client_id in CLIENTS}
    secrets["five"] += FIVE
    known = {"options": OPTIONS, "secrets": secrets}
    facts = {**known, "sqlite": make_sqlite(), "postgresql": make_postgresql(), "redis": make_redis()}
    (FIXTURES / "schema2.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
