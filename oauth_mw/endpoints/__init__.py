"""The endpoints that the middleware answers itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from ..client_auth import ClientAuthentication
from ..errors import NO_STORE_HEADERS, InvalidRequest, MethodNotAllowed
from ..http import read_form
from ..model import Client
from ..webob import Request, Response

Endpoint = Callable[[Request], Response]

_encode = json.JSONEncoder().encode


def json_response(members: Mapping[str, object]) -> Response:
    """A 200 answer in JSON that no cache may store (RFC 6749 §5.1)."""
    body = _encode(members).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *NO_STORE_HEADERS]
    return Response(headerlist=headers, app_iter=[body])


def require_post(request: Request) -> None:
    """Refuse all methods but POST (RFC 6749 §3.2)."""
    if request.environ["REQUEST_METHOD"] != "POST":
        raise MethodNotAllowed("not a POST")


def read_token(request: Request, authenticate: ClientAuthentication) -> tuple[Client, str]:
    """Return the authenticated client and the parameter ``token`` (RFC 7009 §2.1, RFC 7662 §2.1)."""
    require_post(request)
    form = read_form(request)
    client = authenticate(request, form)
    if "token" not in form:
        raise InvalidRequest("no token", client.client_id)
    return client, form["token"]
