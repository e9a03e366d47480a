"""What is measured inside the process: requests to the guard and to the token endpoint."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from itertools import cycle, repeat
from time import perf_counter_ns, process_time_ns, thread_time_ns

from by_hand import TokenEndpoint, after, bare, floor
from engines import path_of
from filled import CLIENT_ID, LIFETIME, SCOPE, SECRET, Filled, filled_memory, key_of, made_up
from measure import App, Batch, Environ, Variant, one_by_one
from webob import Request

from oauth_mw import OAuthMiddleware, admin
from oauth_mw.model import TokenRecord
from oauth_mw.stores.sql import schema

RULES = {
    "public_paths": ["/health", "/docs/*"],
    "required_scopes": [
        ("GET", "/reports/*", SCOPE),
        ("*", "/reports/*", "reports:write"),
        ("GET", "/users/{id}/orders", "any of orders:read orders:write"),
        ("*", "/admin/*", "admin"),
    ],
}
READ = f"SELECT client, scope, issued_at, position, revoked, extra FROM {schema.tokens.name} WHERE key = ?"

HOT = 200  # a batch of what takes microseconds
COLD = 20  # of what reads the store
ISSUES = 10
UNCACHED = 1000  # a cache that forgets every token before its turn comes again
CACHE_SIZE = 10_000  # what it is by default
CLIENTS = 20
THREADS = 4
CLOCKS = {"processor time": thread_time_ns, "wall": perf_counter_ns}


def request(**changes: object) -> Environ:
    """The environ of a GET as gunicorn makes it behind a reverse proxy."""
    return {
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": object,
        "wsgi.input_terminated": True,
        "wsgi.input": None,
        "wsgi.url_scheme": "http",
        "SERVER_SOFTWARE": "gunicorn/22.0.0",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "51234",
        "REQUEST_METHOD": "GET",
        "QUERY_STRING": "page=2&order=created",
        "RAW_URI": "/reports/2024?page=2&order=created",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/reports/2024",
        "HTTP_HOST": "api.example.com",
        "HTTP_CONNECTION": "close",
        "HTTP_USER_AGENT": "python-requests/2.32.3",
        "HTTP_ACCEPT": "application/json",
        "HTTP_ACCEPT_ENCODING": "gzip, deflate, br",
        "HTTP_ACCEPT_LANGUAGE": "en",
        "HTTP_X_REQUEST_ID": "0b7e6a52-2f0b-4a4e-9a39-0f5a0d3e8f11",
        "HTTP_X_FORWARDED_FOR": "203.0.113.9",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_TRACEPARENT": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        **changes,
    }


def with_token(text: str, **changes: object) -> Environ:
    return request(HTTP_AUTHORIZATION="Bearer " + text, **changes)


class Body:
    """A form, for as many reads as there are."""

    def __init__(self, form: str) -> None:
        self._form = form.encode()

    def read(self, size: int) -> bytes:
        return self._form


def posted(path: str, form: str) -> Environ:
    """The client's own request to an endpoint."""
    return request(
        REQUEST_METHOD="POST",
        PATH_INFO=path,
        QUERY_STRING="",
        CONTENT_TYPE="application/x-www-form-urlencoded",
        CONTENT_LENGTH=str(len(form)),
        HTTP_AUTHORIZATION="Basic " + b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode(),
        **{"wsgi.input": Body(form)},
    )


def token_request() -> Environ:
    return posted("/oauth/token", "grant_type=client_credentials")


def issued(app: App, count: int) -> list[str]:
    """The texts of so many tokens that the client is given."""
    asked = token_request()
    return [Request(asked).get_response(app).json["access_token"] for _ in range(count)]


def revocation_request(text: str) -> Environ:
    return posted("/oauth/revoke", f"token={text}")


def all_variants(folder: str, stores: Sequence[Filled], sizes: Sequence[int]) -> list[Variant]:
    memory = filled_memory(sizes[0])
    tokens = stores[0].tokens[:HOT]
    variants = [
        Variant("bare", bare, repeat([request()] * HOT)),
        Variant("bare, new path", bare, _new_paths(tokens[0])),
        _accepted("floor", floor_of(tokens), tokens),
        _accepted("memory", OAuthMiddleware(bare, store=memory.store, **RULES), memory.tokens, multiprocess=False),
        *_by_both_clocks("issue by hand", by_hand(folder, sizes[0])),
        *_threads(stores[0], sizes[0]),
        *_working_sets(stores[0], sizes[0]),
    ]
    for size, filled in zip(sizes, stores, strict=True):
        for variant in (*_checks(filled), *_store_read(filled), *_by_both_clocks("issue", issuing(filled))):
            variant.name = f"{variant.name} {size}"
            variants.append(variant)
    return variants


def floor_of(tokens: Sequence[str]) -> App:
    return floor(bare, {text: (CLIENT_ID, SCOPE, int(time.time()) + LIFETIME) for text in tokens})


def _accepted(name: str, app: App, tokens: Sequence[str], *, multiprocess: bool = True) -> Variant:
    changes = {"wsgi.multiprocess": multiprocess}
    return Variant(name, app, repeat([with_token(text, **changes) for text in tokens[:HOT]]))


def _checks(filled: Filled) -> Iterator[Variant]:
    """What never leaves the process."""
    app = OAuthMiddleware(bare, store=filled.store, **RULES)
    yield _accepted("accepted, no rules", OAuthMiddleware(bare, store=filled.store), filled.tokens)
    yield _accepted("accepted", app, filled.tokens)
    token, expired = filled.tokens[0], made_up(int(time.time()) - 10)
    yield Variant("new path", app, _new_paths(token))
    yield Variant("missing", app, repeat([request()] * HOT), "401")
    yield Variant("malformed", app, repeat([with_token("not a token")] * HOT), "401")
    yield Variant("expired", app, repeat([with_token(expired)] * HOT), "401")
    yield Variant("scope", app, repeat([with_token(token, REQUEST_METHOD="PUT")] * HOT), "403")


def _new_paths(token: str) -> Iterator[Batch]:
    number = 0
    while True:
        yield [with_token(token, PATH_INFO=f"/reports/{number + each}") for each in range(HOT)]
        number += HOT


def _store_read(filled: Filled) -> Iterator[Variant]:
    unknown = [made_up(int(time.time()) + LIFETIME // 2 + each % 600) for each in range(4096)]
    app = OAuthMiddleware(bare, store=filled.store, cache_size=UNCACHED, **RULES)
    yield Variant("unknown", app, batches_of([with_token(text) for text in unknown]), "401")
    execute = sqlite3.connect(path_of(filled.url), isolation_level=None).execute
    read = after(lambda environ: execute(READ, (environ["benchmark.key"],)).fetchone())
    for name, texts in (("read", filled.tokens), ("read nothing", unknown)):
        yield Variant(name, read, batches_of([request(**{"benchmark.key": key_of(text)}) for text in texts]))
    yield Variant("first", app, batches_of([with_token(text) for text in filled.tokens]))
    store, page = filled.store, filled.store.read_log("", 0)
    look = after(lambda environ: (store.verify(), store.read_log(page.store_id, page.position)))  # once a second
    yield Variant("look", look, repeat([request()] * ISSUES))


def batches_of(environs: Sequence[Environ], length: int = COLD) -> Iterator[Batch]:
    return cycle(slices(environs, length))


def slices(environs: Sequence[Environ], length: int) -> list[Batch]:
    return [environs[start : start + length] for start in range(0, len(environs) - length + 1, length)]


def _by_both_clocks(name: str, app: App) -> Iterator[Variant]:
    for each, clock in CLOCKS.items():
        yield Variant(f"{name}, {each}", app, repeat([token_request()] * ISSUES), clock=clock)


def issuing(filled: Filled) -> App:
    return OAuthMiddleware(bare, store=filled.store, **RULES)


def by_hand(folder: str, size: int) -> App:
    endpoint = TokenEndpoint(os.path.join(folder, f"by_hand_{time.monotonic_ns()}.db"), CLIENT_ID, SECRET, SCOPE)
    endpoint.fill(size)
    return endpoint


def _threads(filled: Filled, size: int) -> Iterator[Variant]:
    """The same checks by several threads of one process, which take turns in the interpreter."""
    tokens = filled.tokens[:HOT]
    batches = repeat([with_token(text) for text in tokens])
    for name, app in (
        ("bare, four threads", bare),
        ("floor, four threads", floor_of(tokens)),
        (f"accepted, four threads {size}", OAuthMiddleware(bare, store=filled.store, **RULES)),
    ):
        yield Variant(name, app, batches, clock=process_time_ns, threads=THREADS)


def _working_sets(filled: Filled, size: int) -> Iterator[Variant]:
    """Tokens of several clients in turns, up to as many as a worker is sure to keep."""
    texts = [made_up(int(time.time()) + LIFETIME) for _ in range(CACHE_SIZE)]
    clients = [admin.add_client(filled.store, "one of many", scope=SCOPE).client.client_id for _ in range(CLIENTS)]
    for text, client_id in zip(texts, cycle(clients)):
        filled.store.add_token(key_of(text), TokenRecord(client_id, SCOPE, int(time.time()), 0))
    for name, count in (("half of `cache_size`", CACHE_SIZE // 2), ("`cache_size`", CACHE_SIZE)):
        environs = [with_token(text) for text in texts[:count]]
        app = OAuthMiddleware(bare, store=filled.store, cache_size=CACHE_SIZE, **RULES)
        one_by_one(app, environs)
        yield Variant(f"floor, {name}", floor_of(texts[:count]), batches_of(environs, HOT))
        yield Variant(f"accepted, {name} {size}", app, batches_of(environs, HOT))
