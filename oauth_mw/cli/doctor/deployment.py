"""What a deployment answers, for the checks. No redirect is followed."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from ...texts import unprintable
from ..failures import DeploymentUnavailable
from ..fetching import Answer, Http, is_local
from ..scraping import members_of

Form = Mapping[str, str] | Sequence[tuple[str, str]]

UNNAMED = {"grant_type": "client_credentials"}  # a token request without client authentication
TWICE = [*UNNAMED.items(), *UNNAMED.items()]  # a malformed one (RFC 6749 §3.2)
MOST_SHOWN = 200
PAUSE_SECONDS = 0.2
_ERROR = re.compile(r"[a-z_]{1,40}")
_LOGIN = re.compile(
    r"(?<![a-z])(?:log[-_]?in|sign[-_]?in|sso|saml2?|accounts?|authorize|oauth2/start|adfs|cas)(?![a-z])", re.IGNORECASE
)
_PASSWORD = re.compile(r"<input[^>]{1,500}?type\s*=\s*[\"']?password", re.IGNORECASE)
_ASGI = re.compile(r"(daphne|hypercorn|uvicorn|granian)", re.IGNORECASE)


class Timed(NamedTuple):
    """An answer, and the Unix seconds between which it was made."""

    answer: Answer
    sent: float
    received: float


class Deployment:
    """A deployment whose paths are below ``base``. Each of the first answers is fetched once.

    :param base: its URL, with the mount, without a slash at the end.
    :param path: needs a token.
    :param named: the caller chose ``path``.
    :ivar metadata: the document about the authorization server, once it was fetched.
    """

    def __init__(self, base: str, path: str, http: Http, token_path: str, revocation_path: str, named: bool) -> None:
        self.base, self.path, self.named = base, path, named
        self.token_path, self.revocation_path = token_path, revocation_path
        self.http = http
        self.metadata: Answer | None = None
        self.origin = "/".join(base.split("/")[:3])

    @property
    def is_local(self) -> bool:
        return is_local(self.base)

    @property
    def is_plain(self) -> bool:
        """Whether it is called over plain http from another machine."""
        return self.base.startswith("http:") and not self.is_local

    def get(self, path: str = "", credential: str = "") -> Answer:
        return self.http.ask(self.base + (path or self.path), credential)

    def post(self, path: str, form: Form, credential: str = "") -> Answer:
        return self.http.ask(self.base + path, credential, encoded(form))

    @cached_property
    def timed(self) -> Timed:
        """A request without a token."""
        sent = time.time()
        return Timed(self.get(), sent, time.time())

    @property
    def bare(self) -> Answer:
        return self.timed.answer

    @cached_property
    def made_up(self) -> Answer:
        """A request with a token that was made up."""
        return self.get(credential=f"Bearer {made_up_token(time.time())}")

    @cached_property
    def unnamed(self) -> Answer:
        """A token request without client authentication."""
        return self.post(self.token_path, UNNAMED)

    @cached_property
    def twice(self) -> Answer:
        """A token request that is malformed."""
        return self.post(self.token_path, TWICE)

    @cached_property
    def chunked(self) -> Answer | str:
        """The first token request, with a chunked body; a reason where there is no answer."""
        try:
            return self.http.ask(self.base + self.token_path, "", _streamed(encoded(UNNAMED)))
        except DeploymentUnavailable as failed:
            return str(failed)

    @property
    def has_token_path(self) -> bool:
        return is_endpoint(self.unnamed)

    @property
    def guards(self) -> bool:
        """Whether the guard answers on the path."""
        return bool(bearer_challenge(self.bare))

    @cached_property
    def first_answers(self) -> dict[str, Answer]:
        """By the request."""
        return {
            f"GET {self.path}": self.bare,
            f"GET {self.path} with a made-up token": self.made_up,
            f"POST {self.token_path}": self.unnamed,
        }


def _streamed(body: bytes) -> Iterator[bytes]:
    """A body whose end comes later than its beginning: a proxy that has all of it passes it on with its length."""
    yield body[:1]
    time.sleep(PAUSE_SECONDS)
    yield body[1:]


def made_up_token(now: float) -> str:
    """What has the form of an opaque token and is none. Its expiry is to come, so that the store is read."""
    return base64.urlsafe_b64encode((int(now) + 600).to_bytes(4) + b"made-up-by-oauth-mw-doctor".ljust(32)).decode()


def encoded(form: Form) -> bytes:
    return urlencode(form).encode()


def shown(text: str) -> str:
    """A text of an answer in one line that is safe on a terminal."""
    safe = "".join("?" if unprintable(character) else character for character in text[: MOST_SHOWN + 1])
    return safe if len(safe) <= MOST_SHOWN else safe[:MOST_SHOWN] + "…"


def bearer_challenge(answer: Answer) -> str:
    """The challenge of the guard (RFC 6750 §3)."""
    challenges: Iterable[str] = answer.headers.get_all("WWW-Authenticate", [])
    return next((each for each in challenges if each.lower().startswith("bearer")), "")


def error_of(answer: Answer) -> str:
    """The error code in a body (RFC 6749 §5.2)."""
    error = members_of(answer.text).get("error")
    return error if isinstance(error, str) and _ERROR.fullmatch(error) else ""


def is_endpoint(answer: Answer) -> bool:
    """Whether a token endpoint refused a request without a client."""
    if answer.status in (401, 429, 503):
        return bool(error_of(answer)) and not bearer_challenge(answer)
    return answer.status == 400 and bool(error_of(answer))


def location(answer: Answer) -> str:
    """Where an answer redirects to, without its query, which may be confidential; empty if it does not."""
    if answer.status not in (301, 302, 303, 307, 308):
        return ""
    return shown(str(answer.headers.get("Location", "")).partition("?")[0].partition("#")[0]) or "nowhere"


def is_login(answer: Answer) -> bool:
    """Whether an answer redirects to a login page, or is one."""
    if place := location(answer):
        parts = urlsplit(place)
        return bool(_LOGIN.search(f"{parts.hostname or ''}{parts.path}"))
    return answer.status in (200, 401, 403) and bool(_PASSWORD.search(answer.text))


def asgi_server(answer: Answer) -> str:
    """The name of the ASGI server that answers, if it says so."""
    found = _ASGI.search(str(answer.headers.get("Server", "")))
    return found[1].lower() if found else ""


def described(answer: Answer) -> str:
    """An answer in a few words."""
    if place := location(answer):
        return f"{answer.status}, to {place}"
    if challenge := bearer_challenge(answer):
        found = re.search(r'error="([a-z_]{1,40})"', challenge)
        return f"{answer.status}, " + (f"{found[1]}" if found else "a challenge without an error")
    if is_login(answer):
        return f"{answer.status}, a page that asks for a password"
    if error := error_of(answer):
        return f"{answer.status} {error}"
    server = shown(str(answer.headers.get("Server", "")))
    return str(answer.status) + (f" from {server}" if server else "")
