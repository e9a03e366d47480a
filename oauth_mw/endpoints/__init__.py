"""The endpoints that the middleware answers itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from ..errors import NO_STORE, MethodNotAllowed, ReadOnly
from ..webob import Request, Response

Endpoint = Callable[[Request], Response]

_encode = json.JSONEncoder().encode


def json_response(members: Mapping[str, object]) -> Response:
    """A 200 answer in JSON that no cache may store (RFC 6749 §5.1)."""
    body = _encode(members).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *NO_STORE]
    return Response(headerlist=headers, app_iter=[body])


def require_post(request: Request) -> None:
    """
    :raises MethodNotAllowed: the method is not POST (RFC 6749 §3.2).
    """
    if request.environ["REQUEST_METHOD"] != "POST":
        raise MethodNotAllowed("not a POST")


def require_get(request: Request) -> None:
    """
    :raises ReadOnly: the method is neither GET nor HEAD.
    """
    if request.environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        raise ReadOnly("neither GET nor HEAD")
