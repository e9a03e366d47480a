"""Answers: WSGI responses in JSON that no cache may store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import copy
from wsgiref.types import StartResponse, WSGIEnvironment

Header = tuple[str, str]

NO_STORE_HEADERS: tuple[Header, ...] = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))

# An empty body in one piece: hypercorn sends the status line with the first piece, and answers 500 if there is none.
EMPTY_BODY = (b"",)

_encode = json.JSONEncoder().encode


def _object(members: Mapping[str, object]) -> str:
    """Encode a JSON object. Of each mapping or number, the encoder of json makes an encoder of its own first."""
    found = [f"{_encode(name)}: {each if type(each) is int else _encode(each)}" for name, each in members.items()]
    return "{" + ", ".join(found) + "}"


class Answer:
    """A WSGI response in JSON that no cache may store (RFC 6749 §5.1). A constant one is shared by all requests."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: str, headers: Iterable[Header], members: Mapping[str, object]) -> None:
        self.status = status
        self.body = _object(members).encode()
        self.headers = (
            *headers,
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(self.body))),
            *NO_STORE_HEADERS,
        )

    def with_body(self, content_type: str, body: bytes) -> Answer:
        """Return the same answer with another body."""
        other = copy(self)
        replaced = {"Content-Type": content_type, "Content-Length": str(len(body))}
        other.headers = tuple((name, replaced.get(name, value)) for name, value in self.headers)
        other.body = body
        return other

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(self.status, list(self.headers))
        return EMPTY_BODY if environ.get("REQUEST_METHOD") == "HEAD" else [self.body]
