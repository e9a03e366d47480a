"""What an app would do without a library, and nothing that it could leave out: the measures for everything else."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qs

from measure import App, Environ


def bare(environ: Environ, start_response: Any) -> Iterable[bytes]:
    """The app behind every variant."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


def floor(app: App, tokens: Mapping[str, tuple[str, str, int]]) -> App:
    """The smallest check there is: SHA-256 of the token, dict look-up, expiry, two environ keys.

    A closure, since each attribute of an object would cost a look-up more.

    :param tokens: client id, scope and expiry by the token's text.
    """
    find = {sha256(text.encode()).digest(): token for text, token in tokens.items()}.get
    now = time.time

    def check(environ: Environ, start_response: Any) -> Iterable[bytes]:
        header = environ.get("HTTP_AUTHORIZATION", "")
        token = find(sha256(header[7:].encode()).digest())
        if token is None or token[2] <= now() or header[:7] != "Bearer ":
            start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer")])
            return []
        environ["client_id"], environ["scope"], _ = token
        return app(environ, start_response)

    return check


def after(work: Callable[[Environ], object]) -> App:
    """The app, called after ``work``, which is what is measured."""

    def call(environ: Environ, start_response: Any) -> Iterable[bytes]:
        work(environ)
        return bare(environ, start_response)

    return call


class TokenEndpoint:
    """A token endpoint on plain sqlite3: Basic, a form, one read, one hash, one insert, JSON."""

    def __init__(self, database: str, client_id: str, secret: str, scope: str) -> None:
        self._database = sqlite3.connect(database, isolation_level=None)
        salt = secrets.token_bytes(16)
        self._database.executescript(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = NORMAL;
            CREATE TABLE client (client_id TEXT PRIMARY KEY, salt BLOB, digest BLOB, scope TEXT);
            CREATE TABLE token (digest BLOB PRIMARY KEY, client_id TEXT, scope TEXT, expires_at INTEGER) WITHOUT ROWID;
            """
        )
        row = (client_id, salt, sha256(salt + secret.encode()).digest(), scope)
        self._database.execute("INSERT INTO client VALUES (?, ?, ?, ?)", row)

    def fill(self, count: int) -> None:
        rows = ((secrets.token_bytes(32), "another", "read", 0) for _ in range(count))
        self._database.execute("BEGIN")
        self._database.executemany("INSERT INTO token VALUES (?, ?, ?, ?)", rows)
        self._database.execute("COMMIT")

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        _, _, value = environ["HTTP_AUTHORIZATION"].partition(" ")
        client_id, _, secret = b64decode(value).decode().partition(":")
        form = parse_qs(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode())
        client = self._database.execute(
            "SELECT salt, digest, scope FROM client WHERE client_id = ?", (client_id,)
        ).fetchone()
        if client is None or not compare_digest(sha256(client[0] + secret.encode()).digest(), client[1]):
            start_response("401 Unauthorized", [("WWW-Authenticate", "Basic")])
            return []
        if form.get("grant_type") != ["client_credentials"]:
            start_response("400 Bad Request", [])
            return []
        token = self.issued(client_id, client[2])
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": client[2]}
        body = json.dumps(answer).encode()
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [body]

    def issued(self, client_id: str, scope: str) -> str:
        token = secrets.token_urlsafe(32)
        row = (sha256(token.encode()).digest(), client_id, scope, int(time.time()) + 3600)
        self._database.execute("INSERT INTO token VALUES (?, ?, ?, ?)", row)
        return token
