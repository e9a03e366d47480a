"""The endpoints that the middleware answers itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from wsgiref.types import WSGIApplication

from ..answers import Answer
from ..client_auth import Authenticate
from ..errors import InvalidRequest, MethodNotAllowed
from ..http import is_in_query, read_form
from ..model import Client
from ..webob import Request

# Answers a request by a WSGI app, such as a response of WebOb.
Endpoint = Callable[[Request], WSGIApplication]


def json_response(members: Mapping[str, object]) -> Answer:
    return Answer("200 OK", (), members)


def require_post(request: Request) -> None:
    """Refuse all methods but POST (RFC 6749 §3.2)."""
    if request.environ["REQUEST_METHOD"] != "POST":
        raise MethodNotAllowed("not a POST")


def missing(name: str, place: str = "", expected: str = "body") -> InvalidRequest:
    """The error for a parameter that is missing, or that is in a ``place`` that is not read."""
    if place:
        return InvalidRequest(f"The parameter {name} is not read from the {place} here: send it in the {expected}")
    return InvalidRequest(f"The parameter {name} is missing")


def read_token(request: Request, authenticate: Authenticate) -> tuple[Client, str]:
    """Return the authenticated client and the parameter ``token`` (RFC 7009 §2.1, RFC 7662 §2.1)."""
    require_post(request)
    form = read_form(request)
    client = authenticate(request, form)
    if "token" not in form:
        refusal = missing("token", "query" if is_in_query(request, "token") else "")
        refusal.client_id = client.client_id
        raise refusal
    return client, form["token"]
