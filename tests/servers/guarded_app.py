"""The app that the servers of these tests load: it shows the client and the process that answers."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIServer, make_server

from oauth_mw import OAuthMiddleware


def whoami(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the caller's identity; ``/body`` also reads the request body."""
    members: dict[str, object] = {
        "marker": "MARKER",
        "client_id": environ.get("oauth_mw.client_id"),
        "scope": environ.get("oauth_mw.scope"),
        "path": environ["PATH_INFO"],
    }
    if environ["PATH_INFO"] == "/body":
        members["body"] = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    body = json.dumps(members).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]


def with_process_id(inner: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Name the worker in every answer, refusals included, which the app never sees."""

    def outer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start_response(status, [*headers, ("X-Process", str(os.getpid()))], *error)

        return inner(environ, start)

    return outer


# Everything that is logged must show up in the server's output, where the tests look for tokens and secrets.
logging.basicConfig(level=logging.DEBUG)
guarded = OAuthMiddleware(whoami, **json.loads(os.environ["GUARDED_APP_OPTIONS"]))
app = application = with_process_id(guarded)


class PatientServer(WSGIServer):
    request_queue_size = 64


if __name__ == "__main__":
    make_server("127.0.0.1", int(os.environ["GUARDED_APP_PORT"]), app, PatientServer).serve_forever()
