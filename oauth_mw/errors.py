"""The error tree. Each error renders its own answer; the facade and the command line only catch them.

OAuthError                    answered to a client
├── EndpointError             JSON body, RFC 6749 §5.2
│   ├── InvalidRequest, InvalidClient, UnauthorizedClient, UnsupportedGrantType, InvalidScope
│   ├── InvalidTarget, PayloadTooLarge
│   └── MethodNotAllowed, ReadOnly
├── BearerError               WWW-Authenticate challenge, RFC 6750 §3
│   └── MissingToken, InvalidToken, InsufficientScope, AmbiguousPath, MovedRoot
└── StoreUnavailable          503 with Retry-After, from an endpoint and from the guard
ConfigError                   stops the start
└── StoreFault
    └── StoreMissing, StoreOutdated, StoreBroken
AdminError                    refused by the registration API and the command line
└── NotFound
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import ClassVar
from wsgiref.types import StartResponse, WSGIEnvironment

Header = tuple[str, str]

NO_STORE_HEADERS: tuple[Header, ...] = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
DEFAULT_REALM = "api"

# An empty body in one piece: hypercorn sends the status line with the first piece, and answers 500 if there is none.
EMPTY_BODY = (b"",)


class Answer:
    """A constant WSGI response, made once and shared by all requests."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: str, headers: Iterable[Header], members: dict[str, str]) -> None:
        self.status = status
        self.body = json.dumps(members).encode()
        self.headers = (
            *headers,
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(self.body))),
            *NO_STORE_HEADERS,
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(self.status, list(self.headers))
        return EMPTY_BODY if environ.get("REQUEST_METHOD") == "HEAD" else [self.body]


class OAuthError(Exception):
    """A refusal. Its answer is constant; ``reason`` is private and goes to the log."""

    status: ClassVar[str]
    error: ClassVar[str]
    description: ClassVar[str]

    def __init__(self, reason: str, client_id: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.client_id = client_id

    def headers(self) -> list[Header]:
        return []

    def response(self) -> Answer:
        members = {"error": self.error, "error_description": self.description}
        return Answer(self.status, self.headers(), members)


class EndpointError(OAuthError):
    """A refusal of the token, revocation or introspection endpoint (RFC 6749 §5.2)."""

    status = "400 Bad Request"


class InvalidRequest(EndpointError):
    error = "invalid_request"
    description = "The request is malformed, lacks a parameter, or repeats one"


class InvalidClient(EndpointError):
    """Its challenge names Basic, the only HTTP scheme of these endpoints (RFC 9110 §15.5.2)."""

    status = "401 Unauthorized"
    error = "invalid_client"
    description = "Client authentication failed"

    def __init__(self, reason: str, client_id: str = "", realm: str = DEFAULT_REALM) -> None:
        super().__init__(reason, client_id)
        self.realm = realm

    def headers(self) -> list[Header]:
        return [("WWW-Authenticate", f'Basic realm="{self.realm}", charset="UTF-8"')]


class UnauthorizedClient(EndpointError):
    error = "unauthorized_client"
    description = "This client may not use this grant type"


class UnsupportedGrantType(EndpointError):
    error = "unsupported_grant_type"
    description = "Only the client_credentials grant type is supported"


class InvalidScope(EndpointError):
    error = "invalid_scope"
    description = "The requested scope is unknown, malformed, or not allowed for this client"


class InvalidTarget(EndpointError):
    error = "invalid_target"  # RFC 8707 §2
    description = "The requested resource is unknown, malformed, or not allowed for this client"


class MethodNotAllowed(EndpointError):
    status = "405 Method Not Allowed"
    error = "invalid_request"
    description = "Only POST is allowed here"
    allowed: ClassVar[str] = "POST"

    def headers(self) -> list[Header]:
        return [("Allow", self.allowed)]


class ReadOnly(MethodNotAllowed):
    description = "Only GET and HEAD are allowed here"
    allowed = "GET, HEAD"


class PayloadTooLarge(EndpointError):
    status = "413 Content Too Large"
    error = "invalid_request"
    description = "The request body is too large"


class BearerError(OAuthError):
    """A refusal of the guard, with its prepared answer (see :meth:`prepare`)."""

    def __init__(self, reason: str, answer: Answer, client_id: str = "") -> None:
        super().__init__(reason, client_id)
        self._answer = answer

    def response(self) -> Answer:
        return self._answer

    @classmethod
    def prepare(cls, challenge: str, scope: str = "") -> Answer:
        """Render this refusal once, for all requests.

        :param challenge: the beginning of every challenge of this server.
        :param scope: the scope that the resource needs (RFC 6750 §3).
        """
        parts = [challenge, f'error="{cls.error}"', f'error_description="{cls.description}"']
        if scope:
            parts.append(f'scope="{scope}"')
        members = {"error": cls.error, "error_description": cls.description}
        return Answer(cls.status, [("WWW-Authenticate", ", ".join(parts)), ("Vary", "Authorization")], members)


class MissingToken(BearerError):
    """No credentials, or credentials of another scheme: a challenge without an error code (RFC 6750 §3.1)."""

    status = "401 Unauthorized"
    error = "missing_token"  # the value of oauth_mw.error for the app; never sent
    description = "A bearer access token is needed"

    @classmethod
    def prepare(cls, challenge: str, scope: str = "") -> Answer:
        if scope:
            challenge = f'{challenge}, scope="{scope}"'
        headers = [("WWW-Authenticate", challenge), ("Vary", "Authorization")]
        return Answer(cls.status, headers, {"message": cls.description})


class InvalidToken(BearerError):
    status = "401 Unauthorized"
    error = "invalid_token"
    description = "The access token is malformed, unknown, expired or revoked"


class InsufficientScope(BearerError):
    status = "403 Forbidden"
    error = "insufficient_scope"
    description = "The access token does not have the scope that this request needs"


class AmbiguousPath(BearerError):
    """A path that the app could read as a different one than the rules do."""

    status = "400 Bad Request"
    error = "invalid_request"
    description = (
        "The path is ambiguous: an empty, dot or @@ segment, a character that is not allowed here,"
        " bytes that are not UTF-8, or another spelling of a path"
    )

    @classmethod
    def prepare(cls, challenge: str, scope: str = "") -> Answer:
        return Answer(cls.status, [], {"error": cls.error, "error_description": cls.description})


class MovedRoot(AmbiguousPath):
    """A header that makes the app resolve the path from a different root than the rules do."""

    description = "The header X-Vhm-Root is not accepted here"


class StoreUnavailable(OAuthError):
    """The store did not answer, or not in time. Never answered with 401, nor as if revoked (RFC 7009 §2.2.1)."""

    status = "503 Service Unavailable"
    error = "temporarily_unavailable"
    description = "The authorization service is unavailable for the moment, please retry"

    def headers(self) -> list[Header]:
        return [("Retry-After", "1")]


class ConfigError(ValueError):
    """A configuration that cannot work.

    ``faults`` holds a pair for each fault: the name of an option, and what is wrong with it. ``option`` is the name in
    the first pair. The text has one line per fault.
    """

    def __init__(self, option: str, message: str, *others: tuple[str, str]) -> None:
        self.option = option
        self.faults = ((option, message), *others)
        super().__init__("\n".join(f"{name}: {text}" for name, text in self.faults))


class StoreFault(ConfigError):
    """What is wrong with the store at the URL."""

    def __init__(self, message: str) -> None:
        super().__init__("store", message)


class StoreMissing(StoreFault):
    """There is no store at this URL yet."""


class StoreOutdated(StoreFault):
    """An older version of this code made the store: it must be upgraded, by `oauth-mw store upgrade`."""


class StoreBroken(StoreFault):
    """The store's folder or file cannot be used. If a store was there before, this counts as an outage."""


class Faults:
    """Collect the faults of a configuration, to report them together.

    ``with faults:`` collects a :class:`ConfigError` that is raised inside; execution continues after the block.
    """

    def __init__(self) -> None:
        self._errors: list[ConfigError] = []

    def __bool__(self) -> bool:
        return bool(self._errors)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if isinstance(error, ConfigError):
            self._errors.append(error)
            return True
        return False

    def add(self, option: str, message: str) -> None:
        self._errors.append(ConfigError(option, message))

    def none_for(self, *options: str) -> bool:
        """True if none of these options has a fault so far."""
        return not any(name in options for error in self._errors for name, _ in error.faults)

    def raise_all(self) -> None:
        """Raise one ``ConfigError`` with all faults, if there are any."""
        if len(self._errors) > 1:
            first, *others = [fault for error in self._errors for fault in error.faults]
            raise ConfigError(*first, *others) from None
        if self._errors:
            raise self._errors[0]


class AdminError(ValueError):
    """An administrative operation was refused; the text says what was expected."""


def not_text() -> AdminError:
    """The error for a text with a lone surrogate, which UTF-8 cannot encode."""
    return AdminError("the text has half a character (a lone surrogate): it cannot be stored")


class NotFound(AdminError):
    """There is no such client, secret, token or key."""
