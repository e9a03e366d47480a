"""Operations on a damaged store: each returns, or raises ``StoreUnavailable`` and nothing else."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from helpers.builders import key_of, registered, token_of
from helpers.changes import end_client, remove_secret
from helpers.support import SECRET, basic, echo
from helpers.wsgi_client import CheckedApp
from oauth_mw import AdminError, OAuthMiddleware, StoreUnavailable, admin
from oauth_mw.credentials import hash_secret
from oauth_mw.keys.ring import KeyRing
from oauth_mw.model import QUOTA_MODES, TOKEN_FORMATS, Client, Count, Counted, KeyRecord, KeySet, TokenRecord
from oauth_mw.protocols import Store
from oauth_mw.tokens.denylist import load_denylist
from oauth_mw.tokens.opaque import OpaqueTokens

KEY = key_of(1, expires_at=int(time.time()) + 3600)
LOG_ONLY = key_of(2, expires_at=int(time.time()) + 3600)
COUNT = Count(b"count", 9, int(time.time()) + 3600)
ISSUER = {"issuer": "https://auth.example"}
AUDIENCE = ("https://api.example/v1",)


def fill(store: Store) -> None:
    """Add one of each: clients with all that they may have, tokens, events, a signing key."""
    whole: dict[str, Any] = {
        "scopes": ("read", "write"),
        "default_scope": ("read",),
        "lifetime": 600,
        "token_format": "opaque",
        "audiences": AUDIENCE,
        "default_audience": AUDIENCE,
        "attributes": {"tier": "gold", "limit": 5},
        "public_attributes": frozenset({"tier"}),
        "secrets": (hash_secret(SECRET, label="first", not_after=int(time.time()) + 9999),),
    }
    store.add_client(registered("tester", **whole))
    store.add_client(registered("other"))
    end_client(store, "other")
    client = store.find_client("tester")
    assert client
    token = token_of(client, issued_at=int(time.time()), audience=AUDIENCE, attributes={"tier": "gold"})
    store.add_token(KEY, token)
    store.add_token(key_of(3, expires_at=int(time.time()) + 3600), token)
    store.count([COUNT])
    store.note_uses({("tester", "a"): int(time.time())})
    store.revoke_token(key_of(3, expires_at=int(time.time()) + 3600))
    store.revoke_log_only("tester", LOG_ONLY, client.revoked_before)
    admin.rotate_key(store)


def issued_text(store: Store) -> str:
    """A token of the client, issued by the middleware."""
    app = CheckedApp(OAuthMiddleware(echo, store=store, **ISSUER))
    answer = app.post("/oauth/token", {"grant_type": "client_credentials"}, headers=basic("tester", SECRET))
    text: str = answer.json["access_token"]
    return text


def _all(pages: Any) -> Any:
    return [list(page) for page in pages]


def _ring(store: Store) -> KeyRing:
    options: dict[str, Any] = {"algorithm": "ES256", "lifetime": None, "lead": 300, "secret": None}
    return KeyRing(store, time.time, time.monotonic, **options)


def _tokens(store: Store) -> Any:
    copying = store.copyable()
    return [copying.read_tokens(page) for page in copying.read_token_keys(0) if page]


def _follow(store: Store) -> Any:
    page = store.read_log("", -1)
    return store.read_log(page.store_id, page.position), store.read_log(page.store_id, 0)


OPERATIONS: dict[str, Callable[[Store], object]] = {
    "find client": lambda store: store.find_client("tester"),
    "list clients": lambda store: store.clients(),
    "find token": lambda store: store.find_token(KEY),
    "issue": lambda store: _issue(store),
    "read log": _follow,
    "read ends": lambda store: load_denylist(store, time.time),
    "read signing keys": lambda store: store.read_keys().keys,
    "sign": lambda store: _ring(store).signing(int(time.time()) + 60).sign(b"message"),
    "publish keys": lambda store: _ring(store).public(),
    "list keys": lambda store: (admin.list_keys(store), admin.public_keys(store)),
    "standing": lambda store: store.copyable().log_state(),
    "copy clients": lambda store: _all(store.copyable().read_clients()),
    "copy events": lambda store: _all(store.copyable().read_events(-1)),
    "copy tokens": _tokens,
    "stats": lambda store: store.stats(int(time.time())),
    "count": lambda store: (store.count_tokens(), store.count_tokens(int(time.time()))),
    "add client": lambda store: store.add_client(registered("third")),
    "update client": lambda store: store.update_client("tester", lambda client: replace(client, name="new")),
    "add secret": lambda store: store.update_client("tester", _with_secret),
    "remove secret": lambda store: remove_secret(store, "tester", "nope", and_tokens=True),
    "end a JWT": lambda store: store.revoke_log_only("tester", key_of(4, expires_at=int(time.time()) + 60), 5),
    "end one more": lambda store: store.revoke_log_only("tester", LOG_ONLY, 5),
    "revoke token": lambda store: store.revoke_token(KEY),
    "rotate": lambda store: admin.rotate_key(store),
    "count what is issued": lambda store: store.count([COUNT, COUNT._replace(key=b"new")]),
    "tokens of a client": lambda store: store.tokens_of("tester"),
    "note uses": lambda store: store.note_uses({("tester", "a"): 5, ("other", "b"): 5}),
    "last uses": lambda store: [(*names, Counted((at,))) for names, at in store.last_uses(["tester", "other"]).items()],
    "sweep": lambda store: store.sweep(0, 5),
    "end client": lambda store: end_client(store, "tester"),
    "delete client": lambda store: end_client(store, "tester", delete=True),
}


def _issue(store: Store) -> object:
    client = store.find_client("tester")
    if client is None:
        return None
    judge(client)
    return OpaqueTokens(store, time.time, "").issue(client, client.scopes, client.lifetime or 60)


def ask(store: Store, operation: str) -> object:
    """The checked result of an operation, or the error by which the store refused it."""
    try:
        found = OPERATIONS[operation](store)
    except (StoreUnavailable, AdminError) as error:
        return error
    judge(found)
    return found


def judge(found: object) -> None:
    """Check that what a store returns has the types that it promises."""
    if isinstance(found, Client):
        _judge_client(found)
    elif isinstance(found, KeySet):
        judge(found.keys)
    elif isinstance(found, KeyRecord):
        assert all(map(is_text, found[:4])) and all(map(is_number, found[4:7]))
    elif isinstance(found, TokenRecord):
        assert all(map(is_text, (found.client_id, found.scope, *found.audience)))
        assert is_number(found.issued_at) and is_number(found.position) and type(found.revoked) is bool
        _judge_attributes(found)
    elif isinstance(found, Counted):
        assert all(map(is_number, found.values))
    elif isinstance(found, list | tuple):
        for each in found:
            judge(each)


def _judge_client(client: Client) -> None:
    texts = client.scopes + (client.default_scope or ()) + client.audiences + (client.default_audience or ())
    assert all(map(is_text, (client.client_id, client.name, *texts)))
    assert client.lifetime is None or 0 < client.lifetime
    assert client.token_format in (None, *TOKEN_FORMATS)
    assert client.quota_mode in (None, *QUOTA_MODES)
    assert all(map(is_text, (*client.allowed_addresses, *client.allowed_requests, client.rate_limit or "")))
    for number in (client.not_after, client.tokens_per_hour, client.tokens_per_day):
        assert number is None or is_number(number)
    assert type(client.enabled) is bool and type(client.resource_server) is bool and is_number(client.created_at)
    _judge_attributes(client)
    for secret in client.secrets:
        assert type(secret.salt) is bytes and type(secret.digest) is bytes and is_number(secret.created_at)
        assert is_text(secret.label) and is_text(secret.secret_id) and type(secret.weak) is bool
        assert secret.not_after is None or is_number(secret.not_after)


def _judge_attributes(found: Client | TokenRecord) -> None:
    assert found.public_attributes <= found.attributes.keys()
    assert all(map(is_text, found.attributes))
    for value in found.attributes.values():
        assert is_text(value) or type(value) in (int, bool) or (type(value) is float and math.isfinite(value))


def is_text(found: object) -> bool:
    """Whether it can be sent and shown."""
    return type(found) is str and found.encode("utf-8", "replace").decode() == found


def is_number(found: object) -> bool:
    return type(found) is int and 0 <= found < 2**63


def requests(store: Store, text: str) -> Iterator[tuple[str, Any]]:
    """Yield the middleware's answers to one request of each kind; ``text`` is a token that was issued before."""
    app = CheckedApp(OAuthMiddleware(echo, store=store, **ISSUER))
    login = basic("tester", SECRET)
    grant = {"grant_type": "client_credentials"}
    yield "guard", app.get("/", headers={"Authorization": f"Bearer {text}"}, status="*")
    yield "token", app.post("/oauth/token", grant, headers=login, status="*")
    yield "introspect", app.post("/oauth/introspect", {"token": text}, headers=login, status="*")
    yield "keys", app.get("/oauth/jwks", status="*")
    yield "revoke", app.post("/oauth/revoke", {"token": text}, headers=login, status="*")
    yield "guard again", app.get("/", headers={"Authorization": f"Bearer {text}"}, status="*")


def judge_answers(store: Store, text: str) -> None:
    """Check that no answer is an error of the server, except a 503 with Retry-After; then do all operations."""
    for name, answer in requests(store, text):
        retry = answer.headers.get("Retry-After")
        assert answer.status_int < 500 or (answer.status_int, retry) == (503, "1"), f"{name}: {answer.status}"
    for name in OPERATIONS:
        ask(store, name)


def _with_secret(client: Client) -> Client:
    return replace(client, secrets=(*client.secrets[:1], hash_secret(SECRET * 2)))
