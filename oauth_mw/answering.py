"""Endpoints as WSGI apps, which answer the own paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .answers import EMPTY_BODY
from .deadlines import RequestDeadline
from .endpoints import Endpoint
from .errors import OAuthError
from .guard import several_processes
from .server import Refuse
from .webob import Request


def as_app(
    refuse: Refuse,
    after: Callable[[Iterable[bytes]], Iterable[bytes]],
    single_process: bool,
    timeout: float,
    endpoint: Endpoint,
    answered: Callable[[], None] = lambda: None,
) -> WSGIApplication:
    """Return an endpoint as a WSGI app.

    :param refuse: answers the requests that the endpoint refuses.
    :param after: returns the body of an answer, or one whose ``close`` does something more.
    :param single_process: the store cannot serve several worker processes.
    :param timeout: seconds that a request may wait for the store, with all of its store calls.
    :param answered: called when the endpoint has an answer.
    """

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            if single_process and environ.get("wsgi.multiprocess"):
                raise several_processes()
            with RequestDeadline(timeout):
                response = endpoint(Request(environ))
        except OAuthError as error:
            return after(refuse(error, environ, start_response))
        answered()
        body = response(environ, start_response)
        return after(EMPTY_BODY if environ["REQUEST_METHOD"] == "HEAD" else body)

    return app
