"""Requests that WebTest would refuse to send, and what must hold of every answer."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from wsgiref.util import setup_testing_defaults

from webtest import TestApp

# RFC 9110 §5.6.2, §5.6.4, §11.2
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*"'
_SCHEME = re.compile(rf"({_TOKEN})(?: +|\Z|(?=[ \t]*,))")
_PARAMETER = re.compile(rf"({_TOKEN})[ \t]*=[ \t]*({_TOKEN}|{_QUOTED})")
_COMMA = re.compile(r"[ \t]*,[ \t]*")


class Challenge(NamedTuple):
    scheme: str
    parameters: dict[str, str]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes
    environ: dict[str, Any]


def parse_challenges(value: str) -> list[Challenge]:
    """Read a WWW-Authenticate value by RFC 9110 §11.6.1; a parameter named twice is an error (§11.2)."""
    found: list[Challenge] = []
    at = 0
    while at < len(value):
        parameter = _PARAMETER.match(value, at)
        if parameter and found:
            name, text = parameter[1].lower(), parameter[2]
            assert name not in found[-1].parameters, f"{name} twice in {value!r}"
            found[-1].parameters[name] = re.sub(r"\\(.)", r"\1", text[1:-1]) if text[0] == '"' else text
            at = parameter.end()
        else:
            scheme = _SCHEME.match(value, at)
            assert scheme, f"no challenge at {at} of {value!r}"
            found.append(Challenge(scheme[1], {}))
            at = scheme.end()
            if at < len(value) and value[at] != ",":
                continue
        comma = _COMMA.match(value, at)
        assert comma or at == len(value), f"no comma at {at} of {value!r}"
        at = comma.end() if comma else at
    return found


def challenge_of(answer: Any) -> Challenge:
    """The one challenge of an answer of WebTest or of :func:`call`."""
    (challenge,) = parse_challenges(answer.headers["WWW-Authenticate"])
    return challenge


def check_answer(method: str, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
    """Check what must hold of every answer, whatever the request was."""
    assert re.fullmatch(r"[2-5][0-9][0-9] [\x20-\x7e]+", status), status  # H-21
    names = [name.lower() for name, _ in headers]
    assert not {"set-cookie", "location", "connection", "transfer-encoding"} & set(names)  # T-23, H-21
    assert status[0] != "3" or status.startswith("304 ")  # T-23
    for name, value in headers:
        assert re.fullmatch(_TOKEN, name) and not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value)  # H-15, H-21
    fields = dict(zip(names, (value for _, value in headers), strict=True))
    if status.startswith("401"):  # A-14, B-01, B-04b
        assert all(each.parameters for each in parse_challenges(fields["www-authenticate"]))
    if method == "HEAD":  # H-16; what the app answers is its own
        assert body == b"" or status[0] == "2"
    elif "content-length" in fields:  # T-22
        assert int(fields["content-length"]) == len(body)


class BodyRead(BaseException):
    """Not an Exception: what a server's input may raise is caught."""


class Untouched(io.BytesIO):
    """An input that must not be read."""

    def read(self, size: int | None = -1) -> bytes:
        raise BodyRead

    readline = readlines = __iter__ = __next__ = read  # type: ignore[assignment]


class CheckedApp(TestApp):
    """WebTest's client, which lints, with :func:`check_answer` on every answer."""

    __test__ = False

    def do_request(self, req: Any, status: Any = None, expect_errors: Any = None) -> Any:
        answer = super().do_request(req, status, expect_errors)
        check_answer(req.method, answer.status, answer.headerlist, answer.body)
        return answer


def make_environ(method: str = "GET", path: str = "/", body: bytes = b"", **keys: Any) -> dict[str, Any]:
    """An environ as a server makes it. ``keys`` come last; one that is ``None`` is left out."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "wsgi.input": io.BytesIO(body),
    }
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    setup_testing_defaults(environ)
    environ |= {"QUERY_STRING": "", "wsgi.errors": io.StringIO()} | keys
    return {key: value for key, value in environ.items() if value is not None}


def call(app: Any, environ: dict[str, Any]) -> Answer:
    """Send ``environ`` as it is, without a lint that would refuse it; the answer is checked."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started[:] = [status, headers]
        return started.append

    method = environ.get("REQUEST_METHOD", "")
    iterable = app(environ, start_response)
    try:
        body = b"".join(iterable)
    finally:
        if hasattr(iterable, "close"):
            iterable.close()
    status, headers = started
    check_answer(method, status, headers, body)
    return Answer(int(status[:3]), dict(headers), body, environ)


def post_form(app: Any, body: bytes, path: str = "/oauth/token", **keys: Any) -> Answer:
    """POST a form of raw bytes."""
    return call(app, make_environ("POST", path, body, **{"CONTENT_TYPE": "application/x-www-form-urlencoded", **keys}))


PREFLIGHT = {"HTTP_ORIGIN": "https://a.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}


def wire(text: str) -> str:
    """As a server shows it in the environ (PEP 3333)."""
    return text.encode().decode("latin-1")


def showing(view: Callable[[dict[str, Any]], object]) -> Any:
    """An app that answers in JSON what ``view`` finds in its environ."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(view(environ)).encode()]

    return app


def answering(status: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b"the app's own") -> Any:
    """An app with a constant answer."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(status, [("Content-Type", "text/plain"), *headers])
        return [body]

    return app


def echo_factory(global_conf: Any, **local_conf: Any) -> Any:
    """``paste.app_factory`` of :func:`helpers.support.echo`."""
    from helpers.support import echo

    return echo
