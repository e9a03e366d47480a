"""A server in a thread of the tests, for libraries that fetch by themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[tuple[str, Callable[[Any], None]]]:
    """The URL of a server, and a function that sets its app, which may have to know that URL."""
    with make_server("127.0.0.1", 0, None, handler_class=Quiet) as server:  # type: ignore[arg-type]  # set_app() comes
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", server.set_app
        finally:
            server.shutdown()
            thread.join()
