"""The error tree. Each error renders its own answer; the facade and the command line only catch them.

OAuthError                    answered to a client
├── EndpointError             JSON body, RFC 6749 §5.2
│   ├── InvalidRequest, InvalidClient, UnauthorizedClient, UnsupportedGrantType, InvalidScope
│   ├── InvalidTarget, TargetsDiffer, PayloadTooLarge, SlashAtEnd
│   └── MethodNotAllowed, ReadOnly, TooManyRequests
├── BearerError               WWW-Authenticate challenge, RFC 6750 §3
│   └── MissingToken, InvalidToken, InsufficientScope, NoRule, AmbiguousPath, MovedRoot, RateLimited
└── StoreUnavailable, NotSent 503 with Retry-After, from an endpoint and from the guard
TokenRefused                  why a token is not accepted: InvalidToken at the guard, inactive in introspection
Unfit                         a value that an option may not have; becomes a ConfigError
ConfigError                   stops the start
└── StoreFault
    └── StoreMissing, StoreOutdated, StoreBroken
AdminError                    refused by the registration API and the command line
└── NotFound
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from .answers import Answer, Header

DEFAULT_REALM = "api"
AUTHORIZATION = "Authorization"
EXPIRED = "expired token"  # a reason


class OAuthError(Exception):
    """A refusal. Its answer is constant; the rest is private and goes to the log.

    :ivar reason: why the request is refused.
    :ivar client_id: the client that is authenticated; in a 401, the client that the credential names, if it exists.
    :ivar token_id: names the token, if the request has one in the form of a token.
    :ivar needed: the scope that the request needs, in the notation of a rule.
    :ivar may_read_client: false if the time that the answer takes must not show whether the client exists.
    """

    status: ClassVar[str]
    error: ClassVar[str]
    description: str
    token_id = ""
    needed = ""
    may_read_client = True

    def __init__(self, reason: str, client_id: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.client_id = client_id

    def __str__(self) -> str:
        return self.reason

    def headers(self) -> list[Header]:
        return []

    def response(self) -> Answer:
        members = {"error": self.error, "error_description": self.description}
        return Answer(self.status, self.headers(), members)


class EndpointError(OAuthError):
    """A refusal of the token, revocation or introspection endpoint (RFC 6749 §5.2)."""

    status = "400 Bad Request"


class InvalidRequest(EndpointError):
    """Its reason is answered, too: a constant text that says what is wrong and what was expected."""

    error = "invalid_request"

    def __init__(self, reason: str, client_id: str = "") -> None:
        super().__init__(reason, client_id)
        self.description = reason


class SlashAtEnd(EndpointError):
    status = "404 Not Found"
    error = "invalid_request"
    description = "No endpoint is at this path: leave out the slash at its end"


class InvalidClient(EndpointError):
    """Its challenge names Basic, the only HTTP scheme of these endpoints (RFC 9110 §15.5.2)."""

    status = "401 Unauthorized"
    error = "invalid_client"
    description = "Client authentication failed"

    tried: Sequence[tuple[str, bool]] = ()  # client ids whose secrets were compared, and whether each has any

    def __init__(self, reason: str, client_id: str = "", realm: str = DEFAULT_REALM, *, proved: bool = False) -> None:
        """:param proved: the caller has the secret, which is not accepted."""
        super().__init__(reason, client_id)
        self.realm = realm
        self.may_read_client = proved

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


class TargetsDiffer(InvalidTarget):
    description = "The parameters resource and audience must be equal if both are sent"


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


class TooManyRequests(EndpointError):
    """Too many requests within a time (RFC 6585 §4)."""

    status = "429 Too Many Requests"
    error = "too_many_requests"
    description = "Too many requests, please retry later"

    def __init__(self, reason: str, retry_after: int, client_id: str = "", *, proved: bool = True) -> None:
        """
        :param retry_after: whole seconds after which the same request may succeed (RFC 9110 §10.2.3).
        :param proved: the caller may learn by the time of the answer that it has a secret of the client.
        """
        super().__init__(reason, client_id)
        self.retry_after = retry_after
        self.may_read_client = proved

    def headers(self) -> list[Header]:
        return [("Retry-After", str(self.retry_after))]


class BearerError(OAuthError):
    """A refusal of the guard, with its prepared answer (see :meth:`prepare`)."""

    # Without super(): a refused request should cost little.
    def __init__(self, reason: str, answer: Answer, client_id: str = "", token_id: str = "", needed: str = "") -> None:
        self.reason = reason
        self.client_id = client_id
        self.token_id = token_id
        self.needed = needed
        self.answer = answer

    def response(self) -> Answer:
        return self.answer

    @classmethod
    def prepare(cls, challenge: str, scope: str = "", header: str = AUTHORIZATION) -> Answer:
        """Render this refusal once, for all requests.

        :param challenge: this server's challenge without an error, to which this one is added.
        :param scope: the scope that the resource needs (RFC 6750 §3).
        :param header: the request header that the answer depends on.
        """
        parts = [challenge, f'error="{cls.error}"', f'error_description="{cls.description}"']
        if scope:
            parts.append(f'scope="{scope}"')
        members = {"error": cls.error, "error_description": cls.description}
        return Answer(cls.status, [("WWW-Authenticate", ", ".join(parts)), ("Vary", header)], members)


class MissingToken(BearerError):
    """No credentials, or credentials of another scheme: a challenge without an error code (RFC 6750 §3.1)."""

    status = "401 Unauthorized"
    error = "missing_token"  # the value of oauth_mw.error for the app; never sent
    description = "A bearer access token is needed"

    @classmethod
    def prepare(cls, challenge: str, scope: str = "", header: str = AUTHORIZATION) -> Answer:
        if scope:
            challenge = f'{challenge}, scope="{scope}"'
        headers = [("WWW-Authenticate", challenge), ("Vary", header)]
        return Answer(cls.status, headers, {"message": cls.description})


class InvalidToken(BearerError):
    status = "401 Unauthorized"
    error = "invalid_token"
    description = "The access token is malformed, unknown, expired or revoked"


class InsufficientScope(BearerError):
    status = "403 Forbidden"
    error = "insufficient_scope"
    description = "The access token does not have the scope that this request needs"


class NoRule(InsufficientScope):
    """Rules name the path, and none of them the method: no token is enough."""

    description = "No rule allows this method on this path, whatever the scope of the access token"


class AmbiguousPath(BearerError):
    """A path that the app could read as a different one than the rules do."""

    status = "400 Bad Request"
    error = "invalid_request"
    description = (
        "The path is ambiguous: an empty, dot or @@ segment, a character that is not allowed here,"
        " bytes that are not UTF-8, or another spelling of a path"
    )

    @classmethod
    def prepare(cls, challenge: str, scope: str = "", header: str = AUTHORIZATION) -> Answer:
        return Answer(cls.status, [], {"error": cls.error, "error_description": cls.description})


class MovedRoot(AmbiguousPath):
    """A header that makes the app resolve the path from a different root than the rules do."""

    description = "The header X-Vhm-Root is not accepted here"


class RateLimited(BearerError):
    """Too many requests within a time (RFC 6585 §4). The token is valid, so there is no challenge."""

    status = TooManyRequests.status
    error = TooManyRequests.error
    description = TooManyRequests.description

    def __init__(
        self, reason: str, retry_after: int, client_id: str = "", token_id: str = "", headers: Iterable[Header] = ()
    ) -> None:
        """
        :param retry_after: whole seconds after which the same request may succeed (RFC 9110 §10.2.3).
        :param headers: further headers of the answer.
        """
        members = {"error": self.error, "error_description": self.description}
        answer = Answer(self.status, [("Retry-After", str(retry_after)), *headers], members)
        super().__init__(reason, answer, client_id, token_id)


class StoreUnavailable(OAuthError):
    """The store did not answer, or not in time. Never answered with 401, nor as if revoked (RFC 7009 §2.2.1)."""

    status = "503 Service Unavailable"
    error = "temporarily_unavailable"
    description = "The authorization service is unavailable for the moment, please retry"

    def headers(self) -> list[Header]:
        return [("Retry-After", "1")]


class NotSent(StoreUnavailable):
    """The store was not reached in time, so what was to be changed is not changed."""


class ConfigError(ValueError):
    """A configuration that cannot work.

    ``faults`` holds a pair for each fault: the name of an option, and what is wrong with it. ``option`` is the name in
    the first pair. The text has one line per fault.
    """

    def __init__(self, option: str, message: str, *others: tuple[str, str]) -> None:
        self.option = option
        self.faults = ((option, message), *others)
        super().__init__("\n".join(f"{name}: {text}" for name, text in self.faults))

    def describe(self, describe: Callable[[str, str], str]) -> None:
        """Replace the text of each fault by what ``describe`` returns for the option and the text."""
        (option, message), *others = [(name, describe(name, text)) for name, text in self.faults]
        ConfigError.__init__(self, option, message, *others)


class Unfit(ValueError):
    """A value that an option may not have.

    :ivar expected: the text without the value, which may be confidential.
    """

    def __init__(self, expected: str, got: str = "") -> None:
        super().__init__(expected + got)
        self.expected = expected


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


class TokenRefused(Exception):
    """A text is no access token that is accepted here and now. All of this is for the log, and part of no answer.

    :param reason: the same text for all tokens that are refused for it.
    :param token_id: names the token, if the text has the form of one.
    :param client_id: the client to which it was issued, if that is known.
    """

    def __init__(self, reason: str, token_id: str = "", client_id: str = "") -> None:
        self.reason = reason
        self.token_id = token_id
        self.client_id = client_id

    def __str__(self) -> str:
        return self.reason


class AdminError(ValueError):
    """An administrative operation was refused; the text says what was expected."""


def not_text() -> AdminError:
    """The error for a text with a lone surrogate, which UTF-8 cannot encode."""
    return AdminError("the text has a lone surrogate, half of a character: it cannot be stored")


class NotFound(AdminError):
    """There is no such client, secret, token or key."""
