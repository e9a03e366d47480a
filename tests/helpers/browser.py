"""What a browser does with requests of a page to another origin (https://fetch.spec.whatwg.org/), without cookies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

Headers = list[tuple[str, str]]
Send = Callable[[str, str, Mapping[str, str], bytes], tuple[int, Headers, bytes]]

SAFE_METHODS = {"GET", "HEAD", "POST"}
SAFE_HEADERS = {"accept", "accept-language", "content-language"}
SAFE_TYPES = {"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"}
READABLE = {"cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"}


class Blocked(Exception):
    """The page sees a network error; the console says why."""


class Shown(NamedTuple):
    """What the page sees of an answer."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Page:
    """A page of an origin.

    :param send: sends a request as it is.
    :ivar preflights: the headers of the answers to all preflights.
    """

    origin: str
    send: Send
    preflights: list[dict[str, str]] = field(default_factory=list)

    def fetch(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Shown:
        """Return what the page sees, or raise ``Blocked``."""
        headers = headers or {}
        unsafe = sorted(name.lower() for name, value in headers.items() if not _is_safe(name.lower(), value))
        if unsafe or method not in SAFE_METHODS:
            self._preflight(path, method, unsafe)
        status, received, body = self.send(method, path, {**headers, "Origin": self.origin}, body)
        values = self._check(received)
        exposed = READABLE | set(_listed(values, "access-control-expose-headers"))
        return Shown(status, {name: value for name, value in values.items() if name in exposed}, body)

    def _preflight(self, path: str, method: str, unsafe: list[str]) -> None:
        asking = {"Origin": self.origin, "Access-Control-Request-Method": method}
        if unsafe:
            asking["Access-Control-Request-Headers"] = ",".join(unsafe)
        status, received, _ = self.send("OPTIONS", path, asking, b"")
        values = self._check(received)
        if not 200 <= status <= 299:
            raise Blocked(f"the preflight was answered {status}")
        methods = [each.strip() for each in values.get("access-control-allow-methods", "").split(",")]
        if method not in {*methods, *SAFE_METHODS} and "*" not in methods:
            raise Blocked(f"{method} is not allowed")
        allowed = set(_listed(values, "access-control-allow-headers"))
        refused = [name for name in unsafe if name not in allowed and ("*" not in allowed or name == "authorization")]
        if refused:
            raise Blocked(f"the headers {refused} are not allowed")
        self.preflights.append(values)

    def _check(self, received: Headers) -> dict[str, str]:
        """Join the headers, or raise ``Blocked`` if the page may not read the answer."""
        values: dict[str, str] = {}
        for name, value in received:
            name = name.lower()
            values[name] = f"{values[name]}, {value}" if name in values else value
        allowed = values.get("access-control-allow-origin")
        if allowed not in ("*", self.origin):
            raise Blocked(f"Access-Control-Allow-Origin is {allowed}, and the page is of {self.origin}")
        return values


def _is_safe(name: str, value: str) -> bool:
    return name in SAFE_HEADERS or (name == "content-type" and value.partition(";")[0].strip().lower() in SAFE_TYPES)


def _listed(values: Mapping[str, str], name: str) -> list[str]:
    return [each.strip().lower() for each in values.get(name, "").split(",")]


def to_app(app: Any) -> Send:
    """Send to a ``TestApp`` of WebTest."""

    def send(method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Headers, bytes]:
        answer = app.request(path, method=method, headers=dict(headers), body=body, status="*")
        return answer.status_int, answer.headerlist, answer.body

    return send


def to_url(url: str) -> Send:
    """Send to a server."""

    def send(method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Headers, bytes]:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
        try:
            connection.request(method, path, body or None, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    return send
