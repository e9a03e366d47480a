"""What a deployment answers, for the checks. No redirect is followed."""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple, TypeVar
from urllib.parse import SplitResult, urlencode, urlsplit

from ...errors import AdminError
from ...texts import shown
from ..failures import DeploymentUnavailable
from ..fetching import Answer, Http, is_local
from ..scraping import members_of

Form = Mapping[str, str] | Sequence[tuple[str, str]]

UNNAMED = {"grant_type": "client_credentials"}  # a token request without client authentication
TWICE = [*UNNAMED.items(), *UNNAMED.items()]  # a malformed one (RFC 6749 §3.2)
MOST_BYTES = 1_000_000  # that are read of an answer
MOST_SEARCHED = 100_000  # characters
PAUSE_SECONDS = 0.2
T = TypeVar("T")
# What our endpoints answer requests without a client. Another app may have errors of its own.
_ENDPOINT_ERRORS = {"invalid_client", "invalid_request", "too_many_requests", "temporarily_unavailable"}
_ERROR = re.compile(r"[a-z_]{1,40}")
# One header may have several challenges (RFC 9110 §11.6.1).
_BEARER = re.compile(r"(?:^|,\s*)(bearer(?:\s.*)?)$", re.IGNORECASE | re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]{0,30})(?:\s|$)")
_LOGIN = re.compile(
    r"(?<![a-z])(?:log[-_]?in|sign[-_]?in|sso|saml2?|accounts?|authorize|oauth2/start|adfs|cas)(?![a-z])", re.IGNORECASE
)
_PASSWORD = re.compile(r"<input[^<>]{1,500}?type\s*=\s*[\"']?password", re.IGNORECASE)
_ASGI = re.compile(r"(daphne|hypercorn|uvicorn|granian)", re.IGNORECASE)


class Timed(NamedTuple):
    """An answer, and the Unix seconds between which it was made."""

    answer: Answer
    sent: float
    received: float


class Deployment:
    """A deployment whose paths are below ``base``. Each of the first answers is fetched once, as is their failure.

    :param base: its URL, with the mount, without a slash at the end.
    :param path: needs a token.
    :param named: the caller chose ``path``.
    """

    def __init__(self, base: str, path: str, http: Http, token_path: str, revocation_path: str, named: bool) -> None:
        self.base, self.path, self.named = base, path, named
        self.token_path, self.revocation_path = token_path, revocation_path
        self.http = http
        self.origin = origin_of(base)
        self._kept: dict[str, object] = {}

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

    def once(self, name: str, ask: Callable[[], T]) -> T:
        """What ``ask`` returned or raised when it was called first."""
        if name not in self._kept:
            try:
                self._kept[name] = ask()
            except (DeploymentUnavailable, AdminError) as failed:
                self._kept[name] = failed
        kept: T | Exception = self._kept[name]  # type: ignore[assignment]
        if isinstance(kept, Exception):
            raise kept
        return kept

    @property
    def timed(self) -> Timed:
        """A request without a token."""
        return self.once("timed", self._timed)

    def _timed(self) -> Timed:
        sent = time.time()
        return Timed(self.get(), sent, time.time())

    @property
    def bare(self) -> Answer:
        return self.timed.answer

    @property
    def made_up(self) -> Answer:
        """A request with a token that was made up."""
        return self.once("made up", lambda: self.get(credential=_made_up()))

    @property
    def unnamed(self) -> Answer:
        """A token request without client authentication."""
        return self.once("unnamed", lambda: self.post(self.token_path, UNNAMED))

    @property
    def twice(self) -> Answer:
        """A token request that is malformed."""
        return self.once("twice", lambda: self.post(self.token_path, TWICE))

    @cached_property
    def chunked(self) -> Answer | str:
        """The first token request, with a chunked body; a reason where there is no answer."""
        try:
            return self.http.ask(self.base + self.token_path, "", _streamed(encoded(UNNAMED)))
        except DeploymentUnavailable as failed:
            return str(failed)

    @cached_property
    def stores_refusals(self) -> bool:
        """Whether the refusal of a made-up token, at a path that is new, is the answer to a request without one."""
        path = f"{self.path.rstrip('/')}/oauth-mw-doctor-{secrets.token_hex(8)}"
        first = self.get(path, _made_up())
        return says_invalid_token(first) and says_invalid_token(self.get(path))

    @property
    def has_token_path(self) -> bool:
        return is_endpoint(self.unnamed)

    @property
    def guards(self) -> bool:
        """Whether the guard answers on the path."""
        return bool(bearer_challenge(self.bare))

    @property
    def first_answers(self) -> dict[str, Answer]:
        """Those that came, by the request."""
        requests = {
            f"GET {self.path}": "bare",
            f"GET {self.path} with a made-up token": "made_up",
            f"POST {self.token_path}": "unnamed",
        }
        answers: dict[str, Answer] = {}
        for request, name in requests.items():
            with suppress(DeploymentUnavailable, AdminError):
                answers[request] = getattr(self, name)
        return answers


def _streamed(body: bytes) -> Iterator[bytes]:
    """A body whose end comes later than its beginning: a proxy that has all of it passes it on with its length."""
    yield body[:1]
    time.sleep(PAUSE_SECONDS)
    yield body[1:]


def _made_up() -> str:
    return f"Bearer {made_up_token(time.time())}"


def made_up_token(now: float) -> str:
    """What has the form of an opaque token and is none. Its expiry is to come, so that the store is read."""
    return base64.urlsafe_b64encode((int(now) + 600).to_bytes(4) + b"made-up-by-oauth-mw-doctor".ljust(32)).decode()


def origin_of(url: object) -> str:
    return "/".join(str(url).split("/")[:3])


def encoded(form: Form) -> bytes:
    return urlencode(form).encode()


def bearer_challenge(answer: Answer) -> str:
    """The challenge of the guard (RFC 6750 §3). A redirect of a proxy, in its place, may still have it."""
    if not 400 <= answer.status < 500:
        return ""
    values: list[str] = answer.headers.get_all("WWW-Authenticate", [])
    for value in values:
        unquoted = _QUOTED.sub(lambda quoted: "_" * len(quoted[0]), value)
        if found := _BEARER.search(unquoted):
            return value[found.start(1) :]
    return ""


def says_invalid_token(answer: Answer) -> bool:
    return 'error="invalid_token"' in bearer_challenge(answer)


def other_scheme(answer: Answer) -> str:
    """The scheme that something before the app asks for, such as Basic; empty if nothing does."""
    if answer.status not in (401, 407) or bearer_challenge(answer) or is_endpoint(answer):
        return ""
    name = "WWW-Authenticate" if answer.status == 401 else "Proxy-Authenticate"
    found = _SCHEME.match(header(answer, name))
    return found[1] if found else ""


def header(answer: Answer, name: str) -> str:
    """All values of a header, as one."""
    values: list[str] = answer.headers.get_all(name, [])
    return ", ".join(map(str, values))


def error_of(answer: Answer) -> str:
    """The error code in a body (RFC 6749 §5.2)."""
    error = members_of(answer.text).get("error")
    return error if isinstance(error, str) and _ERROR.fullmatch(error) else ""


def is_endpoint(answer: Answer) -> bool:
    """Whether a token endpoint refused a request without a client."""
    if answer.status not in (400, 401, 429, 503) or bearer_challenge(answer):
        return False
    return error_of(answer) in _ENDPOINT_ERRORS


def location(answer: Answer) -> str:
    """Where an answer redirects to, without its query, which may be confidential; empty if it does not."""
    if answer.status not in (301, 302, 303, 307, 308):
        return ""
    return shown(str(answer.headers.get("Location", "")).partition("?")[0].partition("#")[0]) or "nowhere"


def is_login(answer: Answer) -> bool:
    """Whether an answer redirects to a login page, or is one."""
    if place := location(answer):
        asked, parts = urlsplit(answer.url), split(place)
        if parts.hostname in (None, asked.hostname) and parts.path.rstrip("/") == asked.path.rstrip("/"):
            return False  # /accounts may lead to /accounts/, and to https
        return bool(_LOGIN.search(f"{parts.hostname or ''}{parts.path}"))
    if answer.status not in (200, 401, 403) or bearer_challenge(answer):
        return False
    return bool(_PASSWORD.search(answer.text[:MOST_SEARCHED]))


def split(url: str) -> SplitResult:
    """The parts of a URL of an answer; no parts of what is no URL."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


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
    if scheme := other_scheme(answer):
        return f"{answer.status}, a challenge for {scheme}"
    if is_login(answer):
        return f"{answer.status}, a page that asks for a password"
    if error := error_of(answer):
        return f"{answer.status} {error}"
    server = shown(str(answer.headers.get("Server", "")))
    return str(answer.status) + (f" from {server}" if server else "")
