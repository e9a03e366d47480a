"""Two stores and what is copied between them, for tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from webtest import TestApp

from helpers.builders import API, BILLING, given_secret, issued, of_row, registered
from helpers.changes import end_client, remove_secret
from helpers.store_urls import SHARED
from helpers.support import basic, bearer, issue
from oauth_mw import OAuthMiddleware, admin
from oauth_mw.credentials import hash_secret
from oauth_mw.model import TokenRecord
from oauth_mw.protocols import Store
from oauth_mw.stores.copying import batches
from oauth_mw.tokens.denylist import load_denylist

# Each engine once as source and once as target: reading and writing have nothing to do with each other.
PAIRS = [("sqlite", "postgresql"), ("postgresql", "redis"), ("redis", "sqlite")]
SLOW = [("redis+sentinel", "redis+cluster"), ("redis+cluster", "redis+sentinel")]

SECRETS = {
    "tester": "7Kq2vX9mB4tR8wZ1nC5y",
    "full id: +%": "3Hn8sL1dG6pQ0xJ5vT2b",
    "off": "9Wf4cM7kY2zE6rA1uD8h",
    "gone": "5Pj0tV3gN8qS4mX7bK1e",
    "revoked": "1Lz6yR9hC3wF8jU5oB2n",
}
PUBLIC = {"tier": "gold é", "limit": 9}
PRIVATE = {"rate": 0.5, "whole": 1.0, "beta": True, "no": False, "empty": ""}
FULL = {"attributes": PRIVATE, "public_attributes": PUBLIC, "default_scope": "read", "lifetime": 600}
FULL |= {"token_format": "opaque", "audiences": [API, BILLING], "default_audience": [BILLING, API]}


def pairs(mark: pytest.MarkDecorator) -> list[Any]:
    marked = [(pair, ()) for pair in PAIRS] + [(pair, (mark,)) for pair in SLOW]
    return [pytest.param(pair, id=" to ".join(pair), marks=marks) for pair, marks in marked]


each_pair = pytest.mark.parametrize("kinds", pairs(pytest.mark.slow))
# What is read and written was copied by each_pair before.
mostly_long = pytest.mark.parametrize("kinds", pairs(pytest.mark.long))


@contextmanager
def new_places(request: pytest.FixtureRequest, folder: Path) -> Iterator[Callable[[str], str]]:
    """Yield a function that returns the URL of an empty place for a kind of store."""
    with ExitStack() as used:

        def place(kind: str) -> str:
            if kind == "sqlite":
                return f"sqlite:///{folder}/{len(list(folder.iterdir()))}.db"
            url: str = used.enter_context(request.getfixturevalue(SHARED[kind]).fresh())
            return url

        yield place


def shows(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The wrapped app: it answers with all that it is given about a token."""
    token = environ["oauth_mw.token"]
    start_response("200 OK", [("Content-Type", "application/json")])
    facts = [token.client_id, token.scope, token.token_id, token.issued_at, token.expires_at, token.audience]
    attributes = [[name, repr(value), name in token.public_attributes] for name, value in token.attributes.items()]
    return [json.dumps([facts, sorted(attributes)]).encode()]


def guarded(store: Store, **options: Any) -> TestApp:
    return TestApp(OAuthMiddleware(shows, store=store, revocation_lag_seconds=0, audience=API, **options))


def lived(store: Store) -> dict[str, str]:
    """Use a store in many ways; return the tokens by what happened to them."""
    for client_id, secret in SECRETS.items():
        more = FULL if client_id.startswith("full") else {}
        admin.add_client(store, f"the {client_id}", scope="read write", client_id=client_id, secret=secret, **more)
    admin.add_client(store, "API", client_id="api", resource_server=True, secret=SECRETS["tester"][::-1])
    admin.add_secret(store, "tester", label="second", not_after=2**32 - 1)
    app = guarded(store)
    tokens = {f"of {client_id}": issue(app, client_id, secret) for client_id, secret in SECRETS.items()}
    tokens["revoked"] = issue(app, "tester", SECRETS["tester"])
    admin.revoke_token(store, admin.token_key(tokens["revoked"]))
    admin.disable_client(store, "off")
    admin.delete_client(store, "gone")
    admin.revoke_all_tokens(store, "revoked")
    tokens["issued again"] = issue(app, "revoked", SECRETS["revoked"])
    tokens["unknown"] = "A" + tokens["of tester"][1:-1] + "A"
    return tokens


def judged(store: Store, tokens: dict[str, str]) -> dict[str, Any]:
    """The answers of guard and introspection about the tokens."""
    app = guarded(store)
    api = basic("api", SECRETS["tester"][::-1])
    verdicts = {}
    for name, token in tokens.items():
        answer = app.get("/", headers=bearer(token), expect_errors=True)
        introspection = app.post("/oauth/introspect", {"token": token}, headers=api).json
        verdicts[name] = answer.status_int, answer.json, introspection
    return verdicts


def contents(store: Store) -> dict[str, Any]:
    """All that is in a store, except its id."""
    whole = store.copyable()
    assert whole
    clients = {each.client.client_id: each for page in whole.read_clients() for each in page}
    keys = [key for page in whole.read_token_keys(0) for key in page]
    found = dict(whole.read_tokens(keys)) if keys else {}
    # On a Redis Cluster, the log alone says that a token is revoked, though it has a row.
    events = [
        event._replace(log_only=event.log_only and event.key not in found)
        for page in whole.read_events(0)
        for event in page
    ]
    # Once all of a client's tokens are revoked, a store may forget which of them were revoked by themselves.
    tokens = {
        key: token._replace(revoked=token.revoked or token.position < clients[token.client_id].client.revoked_before)
        for key, token in found.items()
    }
    state = whole.log_state()._replace(store_id="")
    return {"clients": clients, "events": events, "tokens": tokens, "log": state, "keys": store.read_keys()}


def filled(store: Store, count: int = 9) -> list[bytes]:
    """Add some clients and tokens directly; return the keys of the tokens."""
    for client_id in ("a", "b", "c"):
        store.add_client(registered(client_id))
    keys = [issued(store, "abc"[number % 3], number) for number in range(count)]
    store.revoke_token(keys[0])
    end_client(store, "b")
    end_client(store, "c", delete=True)
    store.add_client(registered("d", enabled=False))
    return [*keys, issued(store, "b", count)]


def changed(store: Store, keys: list[bytes]) -> list[bytes]:
    """Change a filled store further; return the keys of all tokens."""
    new = issued(store, "b", 1000)
    store.revoke_token(keys[3])
    end_client(store, "a", disable=True)
    store.update_client("d", lambda client: replace(client, enabled=True, name="renamed"))
    given_secret(store, "b", hash_secret("t" * 16))
    remove_secret(store, "d", store.find_client("d").secrets[0].secret_id)
    store.add_client(registered("e"))
    return [*keys, new, issued(store, "e", 1001), issued(store, "b", 1002)]


def states(store: Store, keys: list[bytes]) -> list[TokenRecord | None]:
    found = [store.find_token(key) for key in keys]
    if store.rows_show_all:
        return found
    denylist = load_denylist(store, lambda: 0)
    return [
        token and token._replace(revoked=token.revoked or denylist.is_revoked(*of_row(key, token)))
        for key, token in zip(keys, found, strict=True)
    ]


def accepted(store: Store, keys: list[bytes]) -> set[bytes]:
    """The keys of tokens that are accepted."""
    return {key for key, token in zip(keys, states(store, keys), strict=True) if token and not token.revoked}


class Through:
    """A store of whose :class:`~oauth_mw.protocols.Copyable` each method is what ``replace(name, method)`` returns."""

    def __init__(self, store: Store, replace: Callable[[str, Any], Any]) -> None:
        self._store = store
        self._replace = replace

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def copyable(self) -> Any:
        return _Replaced(self._store.copyable(), self._replace)


class _Replaced:
    def __init__(self, whole: Any, replace: Callable[[str, Any], Any]) -> None:
        self._whole = whole
        self._replace = replace

    def __getattr__(self, name: str) -> Any:
        return self._replace(name, getattr(self._whole, name))


def in_pairs(name: str, method: Any) -> Any:
    """For :class:`Through`: clients, events and tokens are read two at a time."""
    if name not in ("read_clients", "read_events", "read_token_keys"):
        return method
    return lambda *given: (part for batch in method(*given) for part in batches(batch, 2))
