"""All that the product does with a store, and each secret that takes part."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from tempfile import TemporaryDirectory

from webtest import TestApp

from helpers.jwts import ISSUER
from helpers.support import basic, bearer, echo, issue
from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.keys import keypair
from oauth_mw.protocols import Store

GIVEN = "g1ven-5ecret-from-elsewhere/7Kq2vX9m"
WRONG = "wr0ng-5ecret-of-tester/4tR8wZ1n"
STORE_KEY = "k3y-encrypti0n-secret/C5y7Kq2vX9mB"
PEM_PASSWORD = "p3m-passw0rd/8wZ1nC5y7Kq2vX"


def live(store: Store) -> list[bytes]:
    """Register, issue, check, introspect, revoke, change keys, copy. What is returned may appear nowhere."""
    seen = [GIVEN, WRONG, STORE_KEY, PEM_PASSWORD]
    seen += _keys(store)
    client, secret = admin.add_client(store, "Größe %s", scope="read write", attributes={"tier": "gold"})
    admin.add_client(store, "imported", client_id="imported", secret=GIVEN, resource_server=True)
    more, another = admin.add_secret(store, client.client_id, label="%(x)s")
    seen += [secret, another, *serve(store, client.client_id, secret)]
    hashes = _hashes(store)
    admin.update_client(store, client.client_id, name="other", scope="read")
    if store.copyable():
        with _new_store() as other:
            admin.copy_store(store, other)
            admin.copy_store(store, other)
    admin.revoke_secret(store, client.client_id, more.secret_id, and_tokens=True)
    admin.disable_client(store, client.client_id)
    admin.enable_client(store, client.client_id)
    admin.revoke_all_tokens(store, client.client_id)
    admin.delete_client(store, client.client_id)
    admin.purge(store, clock=lambda: time.time() + 1_000_000)
    admin.stats(store)
    store.warnings()
    return [*hashes, *(form for text in seen for form in spellings(text.encode()))]


def become_copy(store: Store) -> list[bytes]:
    """Make an empty store a copy of another. What is returned may appear nowhere."""
    with _new_store() as other:
        secret = admin.add_client(other, "copied").secret
        key = admin.rotate_key(other, secret=STORE_KEY)
        pem = admin.private_key(other, key.kid, password=PEM_PASSWORD, secret=STORE_KEY)
        for _ in range(2):
            admin.copy_store(other, store)
        hidden = [secret, pem, *(record.private for record in other.read_keys().keys)]
        return [*_hashes(other), *(form for text in hidden for form in spellings(text.encode()))]


@contextmanager
def _new_store() -> Iterator[Store]:
    with TemporaryDirectory() as folder, closing(open_store(f"sqlite:///{folder}/oauth.db", create=True)) as store:
        yield store


def _hashes(store: Store) -> Iterator[bytes]:
    """The salts and digests of secrets, in every form."""
    for client in list(store.clients()):
        for each in client.secrets:
            for value in (each.salt, each.digest):
                yield from (value, value.hex().encode(), repr(value)[2:-1].encode(), _base64(value))


def _keys(store: Store) -> Iterator[str]:
    pem = keypair.make("ES256").pem(PEM_PASSWORD)
    yield pem
    made = admin.import_key(store, pem, password=PEM_PASSWORD, secret=STORE_KEY)
    yield admin.private_key(store, made.kid, password=PEM_PASSWORD, secret=STORE_KEY)
    admin.rotate_key(store, secret=STORE_KEY, at_once=True)
    admin.list_keys(store)
    admin.key_warnings(store, secret=STORE_KEY)
    yield from [record.private for record in store.read_keys().keys]
    admin.retire_key(store, made.kid, secret=STORE_KEY, wait=lambda seconds: None)
    admin.rotate_key(store, secret=STORE_KEY, at_once=True)
    yield from [record.private for record in store.read_keys().keys]


def serve(store: Store, client_id: str, secret: str) -> Iterator[str]:
    """Do what a service does, for a client and for the resource server ``imported``; yield the tokens."""
    keys = {"issuer": ISSUER, "audience": ISSUER, "key_encryption_secret": STORE_KEY}
    for token_format in ("opaque", "jwt"):
        app = TestApp(OAuthMiddleware(echo, store=store, token_format=token_format, **keys))
        token, other = (issue(app, client_id, secret) for _ in range(2))
        form = {"grant_type": "client_credentials"}
        app.post("/oauth/token", form, headers=basic(client_id, WRONG), status=401)
        app.post("/oauth/token", {**form, "client_id": client_id, "client_secret": WRONG}, status=401)
        app.post("/oauth/token", form, headers=basic("nobody", secret), status=401)
        app.get("/any", headers=bearer(token), status=200)
        app.get("/any", headers=bearer(token[:-1]), status=401)
        app.get("/oauth/jwks", status=200)
        asked = app.post("/oauth/introspect", {"token": token}, headers=basic("imported", GIVEN))
        assert asked.json["active"]
        app.post("/oauth/revoke", {"token": token}, headers=basic(client_id, secret), status=200)
        app.get("/any", headers=bearer(token), status=401)
        yield from (token, other)


def spellings(secret: bytes) -> Iterator[bytes]:
    """The forms in which a secret may be written; of a text of many lines, each line."""
    for part in re.split(rb"\s*\n|-----[A-Z ]+-----", secret):
        if len(part) > 8:
            yield from (part, part[5:-2], part.hex().encode(), _base64(part), repr(part.decode())[1:-1].encode())


def _base64(value: bytes) -> bytes:
    return base64.b64encode(value).rstrip(b"=")
