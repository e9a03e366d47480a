"""What somebody would write by hand, with nothing in it that could be left out: the measures for everything else."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from measure import App, Environ

from oauth_mw.keys.material import Key


def bare(environ: Environ, start_response: Any) -> Iterable[bytes]:
    """The app behind every variant."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


class Floor:
    """The smallest check there is: SHA-256 of the token, dict look-up, expiry, two environ keys."""

    def __init__(self, app: App, tokens: Mapping[str, tuple[str, str, int]]) -> None:
        self._app = app
        self._tokens = {sha256(text.encode()).digest(): token for text, token in tokens.items()}

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        header = environ.get("HTTP_AUTHORIZATION", "")
        if header[:7] == "Bearer ":
            token = self._tokens.get(sha256(header[7:].encode()).digest())
            if token is not None and token[2] > time.time():
                environ["client_id"] = token[0]
                environ["scope"] = token[1]
                return self._app(environ, start_response)
        start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer")])
        return []


class IndexedRead:
    """One read by primary key in front of ``app``."""

    def __init__(self, app: App, database: str, statement: str) -> None:
        self._app = app
        self._execute = sqlite3.connect(database, isolation_level=None).execute
        self._statement = statement

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        self._execute(self._statement, (environ["benchmark.key"],)).fetchone()
        return self._app(environ, start_response)


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
        rows = ((secrets.token_bytes(32), "somebody", "read", 0) for _ in range(count))
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
        token = secrets.token_urlsafe(32)
        row = (sha256(token.encode()).digest(), client_id, client[2], int(time.time()) + 3600)
        self._database.execute("INSERT INTO token VALUES (?, ?, ?, ?)", row)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": client[2]}
        body = json.dumps(answer).encode()
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [body]


class SigningEndpoint:
    """A token endpoint that signs: Basic, a form, one read by plain sqlite3, one hash, claims, a signature, JSON."""

    def __init__(self, database: str, client_id: str, secret: str, scope: str, issuer: str, key: Key) -> None:
        self._database = sqlite3.connect(database, isolation_level=None)
        salt = secrets.token_bytes(16)
        self._database.execute("CREATE TABLE client (client_id TEXT PRIMARY KEY, salt BLOB, digest BLOB, scope TEXT)")
        row = (client_id, salt, sha256(salt + secret.encode()).digest(), scope)
        self._database.execute("INSERT INTO client VALUES (?, ?, ?, ?)", row)
        self._issuer = issuer
        self._sign = raw_signer(key)
        self._header = encoded({"typ": "at+jwt", "alg": key.algorithm, "kid": key.kid}) + b"."

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
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "sub": client_id,
            "aud": self._issuer,
            "client_id": client_id,
            "iat": now,
            "exp": now + 3600,
            "jti": secrets.token_urlsafe(16),
            "scope": client[2],
        }
        message = self._header + encoded(claims)
        token = (message + b"." + urlsafe_b64encode(self._sign(message)).rstrip(b"=")).decode()
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": client[2]}
        body = json.dumps(answer).encode()
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [body]


def encoded(members: dict[str, object]) -> bytes:
    return urlsafe_b64encode(json.dumps(members, separators=(",", ":")).encode()).rstrip(b"=")


def raw_signer(key: Key) -> Callable[[bytes], bytes]:
    """What cryptography itself needs."""
    native: Any = load_pem_private_key(key.pem().encode(), None)
    if key.algorithm == "EdDSA":
        sign: Callable[[bytes], bytes] = native.sign
        return sign
    if key.algorithm == "RS256":
        return lambda message: bytes(native.sign(message, PKCS1v15(), SHA256()))
    how = ECDSA(SHA256())

    def es256(message: bytes) -> bytes:
        r, s = decode_dss_signature(native.sign(message, how))
        return r.to_bytes(32) + s.to_bytes(32)

    return es256
