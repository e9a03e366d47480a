"""For ``delay_auth_decision``: adds our challenge to a 401 of the app."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .environ import ERROR
from .errors import InvalidToken


class ChallengingApp:
    """Wraps the app and adds ``WWW-Authenticate`` to a 401 without one (RFC 9110 §15.5.2).

    :param challenge: the beginning of every challenge of this server.
    """

    def __init__(self, app: WSGIApplication, challenge: str) -> None:
        self._app = app
        self._missing = challenge
        self._invalid = f'{challenge}, error="{InvalidToken.error}"'

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        challenge = self._invalid if environ.get(ERROR) == InvalidToken.error else self._missing

        def challenging(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            if status.startswith("401") and all(name.lower() != "www-authenticate" for name, _ in headers):
                headers = [*headers, ("WWW-Authenticate", challenge)]
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        return self._app(environ, challenging)
