"""A deployment on a real server, with faults that a test puts in its way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any

from cheroot.wsgi import Server
from webtest import TestApp

from helpers.support import SECRET, bearer, echo, middleware
from oauth_mw import OAuthMiddleware, admin, open_store

App = Callable[..., Any]
Change = Callable[[App], App]
LOGIN_FORM = b'<form method="post"><input name="u"><input type="password" name="p"></form>'


class House:
    """What is served at ``url``.

    :ivar credentials: the schemes of credentials that were received, but for tokens.
    :ivar issued: the tokens that it has issued.
    """

    def __init__(self) -> None:
        self.url = ""
        self.heal()

    def heal(self) -> None:
        self.credentials: set[str] = set()
        self.issued: list[str] = []
        self._workers: list[App] = []
        self._options: dict[str, Any] = {}
        self.protect()

    def protect(self, **options: Any) -> None:
        """Serve one worker with these options."""
        self._workers, self._options = [], options
        self.add_worker()

    def add_worker(self, client: str = "tester") -> None:
        """Serve another worker, in turn, with a store of its own that has this client."""
        store = open_store("memory://")
        admin.add_client(store, client, client_id=client, secret=SECRET)
        options = dict(self._options)
        clock = options.pop("clock", None)
        self._workers.append(
            middleware(echo, clock, store=store, **options) if clock else OAuthMiddleware(echo, store=store, **options)
        )
        turns = cycle(self._workers)
        self.app: App = lambda environ, start: next(turns)(environ, start)

    def change(self, change: Change) -> None:
        """Put something before the app."""
        self.app = change(self.app)

    def accepts(self, token: str) -> bool:
        """Whether a worker accepts a token."""
        return any(
            TestApp(each).get("/reports", headers=bearer(token), status="*").status_int == 200 for each in self._workers
        )

    def forwarded(self, environ: dict[str, Any], start_response: Any) -> Any:
        """The app as a proxy calls it, which is sent whole URLs (RFC 9112 §3.2.2)."""
        return self({**environ, "PATH_INFO": "/" + environ["PATH_INFO"].split("/", 3)[3]}, start_response)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        scheme = environ.get("HTTP_AUTHORIZATION", "Bearer").split()[0]
        if scheme != "Bearer":
            self.credentials.add(scheme)
        for part in (answer := self.app(environ, start_response)):
            if b'"access_token": "' in part:
                self.issued.append(part.split(b'"access_token": "')[1].split(b'"')[0].decode())
        return answer


def without(name: str) -> Change:
    """The key is dropped from the environ."""

    def changed(inner: App) -> App:
        return lambda environ, start: inner({k: v for k, v in environ.items() if k != name}, start)

    return changed


def answering(status: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", *, only: str = "") -> Change:
    """Something answers in the place of the app, perhaps for paths that begin so."""

    def changed(inner: App) -> App:
        def app(environ: dict[str, Any], start: Any) -> Any:
            if not environ["PATH_INFO"].startswith(only):
                return inner(environ, start)
            start(status, [("Content-Length", str(len(body))), *headers])
            return [body]

        return app

    return changed


@contextmanager
def served() -> Iterator[House]:
    """Served by cheroot, which passes chunked bodies to apps."""
    house = House()
    server = Server(("127.0.0.1", 0), house, numthreads=2, shutdown_timeout=1)
    server.prepare()
    house.url = f"http://127.0.0.1:{server.bind_addr[1]}"
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield house
    finally:
        server.stop()
        thread.join()
