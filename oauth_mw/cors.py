"""CORS (https://fetch.spec.whatwg.org/#http-cors-protocol) for all that the middleware answers itself.

Responses of the app belong to the app.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .answers import EMPTY_BODY, Header
from .errors import OAuthError
from .http import REQUESTED_METHOD, is_preflight
from .rules import PUBLIC, Access, Rule
from .server import Refuse, environ_key

ANY = "*"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# What a page of another origin reads of our answers, beyond the headers that it always may read.
EXPOSED = ("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After, RateLimit, RateLimit-Policy")
ALLOWED_ORIGIN = "Access-Control-Allow-Origin"

_METHOD = re.compile(r"[!#$%&'+.^_`|~0-9A-Za-z-]{1,64}")  # RFC 9110 §5.6.2, but for the wildcard

# The check of a request by the guard, after a decision by the rules.
CheckRequest = Callable[[WSGIEnvironment, Access], None]


@dataclass(eq=False, repr=False)
class Cors:
    """Lets pages of other origins read our answers, and answers the preflights that browsers send before requests.

    A page that is not allowed gets the same answer without the headers that let it read it. No answer allows cookies.

    :param origins: as browsers send them, or ``*`` alone.
    :param header: the request header with the credentials, which ``*`` in ``headers`` does not cover.
    :param headers: further request headers that pages may send.
    :param max_age: seconds for which a browser may use the answer to a preflight.
    """

    origins: Sequence[str]
    header: str
    headers: Sequence[str]
    max_age: int

    def __post_init__(self) -> None:
        self._origins = frozenset(self.origins)
        self._any = ANY in self._origins
        self._allowed = [
            ("Access-Control-Allow-Headers", ", ".join([self.header, *self.headers])),
            ("Access-Control-Max-Age", str(self.max_age)),
        ]

    def of_refusals(self, refuse: Refuse) -> Refuse:
        def refuse_readably(error: OAuthError, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            return refuse(error, environ, self._readable(environ, start))

        return refuse_readably

    def of_endpoint(self, endpoint: WSGIApplication, methods: str) -> WSGIApplication:
        """Return an endpoint of ours with CORS.

        :param methods: those that it answers, joined by commas.
        """

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if is_preflight(environ):
                return self._allow(methods, environ, start_response)
            return endpoint(environ, self._readable(environ, start_response))

        return app

    def passing_preflights(self, check: CheckRequest) -> CheckRequest:
        """Return the guard's check for preflights without their credentials, so that none is refused for these.

        Browsers send none with a preflight. A proxy or a test client may add some to all requests.
        """
        key = environ_key(self.header)

        def check_without(environ: WSGIEnvironment, access: Access) -> None:
            if access is not PUBLIC and is_preflight(environ):
                environ.pop(key, None)
            check(environ, access)

        return check_without

    def before(
        self, wrapped: WSGIApplication, decide: Callable[[str, str], Access], rules: Iterable[Rule]
    ) -> WSGIApplication:
        """Return the app with all preflights answered before it, except those of public paths.

        :param decide: says what a method and path need by the ``rules``.
        """
        named = dict.fromkeys([*METHODS, *sorted({each for rule in rules for each in rule.methods or ()})])

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if is_preflight(environ):
                path, requested = environ.get("PATH_INFO", ""), environ[REQUESTED_METHOD]
                if decide("OPTIONS", path) is not PUBLIC:
                    # A rule for all methods allows more of them than are named anywhere.
                    methods = {**named, requested: None} if _METHOD.fullmatch(requested) else named
                    allowed = [each for each in methods if decide(each, path).kind == "token"]
                    return self._allow(", ".join(allowed), environ, start_response)
            return wrapped(environ, start_response)

        return app

    def _allow(self, methods: str, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a preflight."""
        headers = [("Content-Type", "text/plain; charset=UTF-8"), ("Content-Length", "0")]
        if self._is_allowed(environ):
            headers += [("Access-Control-Allow-Methods", methods), *self._allowed]
        start_response("200 OK", self._shared(headers, environ))
        return EMPTY_BODY

    def _readable(self, environ: WSGIEnvironment, start_response: StartResponse) -> StartResponse:
        def start(status: str, headers: list[Header], exc_info: Any = None, /) -> Callable[[bytes], object]:
            return start_response(status, self._shared(headers, environ), exc_info)

        return start

    def _shared(self, headers: list[Header], environ: WSGIEnvironment) -> list[Header]:
        """Add the headers that every answer has. Documents have their own: all pages may read them."""
        if any(name == ALLOWED_ORIGIN for name, _ in headers):
            return headers
        if self._is_allowed(environ):
            headers = [*headers, (ALLOWED_ORIGIN, ANY if self._any else environ["HTTP_ORIGIN"]), EXPOSED]
        return headers if self._any else _with_vary(headers)

    def _is_allowed(self, environ: WSGIEnvironment) -> bool:
        return self._any or environ.get("HTTP_ORIGIN") in self._origins


def _with_vary(headers: Iterable[Header]) -> list[Header]:
    """Add Origin to ``Vary``, so that no cache gives one origin the answer to another (RFC 9110 §12.5.5)."""
    vary = [value for name, value in headers if name == "Vary"]
    return [*(each for each in headers if each[0] != "Vary"), ("Vary", ", ".join([*vary, "Origin"]))]
