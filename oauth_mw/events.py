"""Typed events, and the sinks that receive them. No event holds a token or a secret."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol
from urllib.parse import quote
from wsgiref.types import WSGIEnvironment

from .errors import EXPIRED, OAuthError
from .model import Clock

REPEAT_SECONDS = 60.0
MAX_REASONS = 10  # within REPEAT_SECONDS: bounds the log if each failure has another text

DENIED = "oauth_mw.denied"  # in the environ of a refused request, for access logs

MAX_LOGGED = 512  # characters of a method or a path
# Neither the space nor "%": these delimit and escape.
_UNESCAPED = "/!$&'()*+,:;=@"
_PLAIN = re.compile(rf"[{re.escape(_UNESCAPED)}A-Za-z0-9_.~-]{{0,{MAX_LOGGED}}}", re.ASCII)  # for speed alone

log = logging.getLogger("oauth_mw")


@contextmanager
def unlogged() -> Iterator[None]:
    """Log no refusals of requests that no client made."""
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


class TokenIssued(NamedTuple):
    client_id: str
    token_id: str
    scope: str
    expires_at: int
    audience: tuple[str, ...] = ()
    client_name: str = ""


class TokenRevoked(NamedTuple):
    client_id: str
    token_id: str
    client_name: str = ""


class ForeignRevocation(NamedTuple):
    """``client_id`` tried to revoke a token of ``owner``. The answer was 200; nothing was revoked (RFC 7009 §2.1)."""

    client_id: str
    token_id: str
    owner: str
    client_name: str = ""


class Refused(NamedTuple):
    """A request was refused. Beyond ``status`` and ``error``, nothing is part of the answer.

    ``method`` and ``path`` (``PATH_INFO``) are as they arrived, of any length and with any character. See
    :class:`~oauth_mw.errors.OAuthError` for ``reason``, ``needed``, ``client_id`` and ``token_id``. ``proved`` is false
    if the caller named a client at an endpoint and has no secret of it.
    """

    method: str
    path: str
    status: int
    error: str
    reason: str
    needed: str = ""
    client_id: str = ""
    client_name: str = ""
    token_id: str = ""
    proved: bool = True


class GuessingSlowed(NamedTuple):
    """Too many wrong client credentials from an address, whose further ones are answered 429 for a time.

    ``client_id`` is the client that the last of them names, if it exists.
    """

    address: str
    client_id: str


class WeakSecretFound(NamedTuple):
    """A client has a weak secret, and requests come from an address that may be that of a proxy; none is trusted."""

    client_id: str
    address: str


class QuotaExceeded(NamedTuple):
    """A client was issued more tokens than its quota in the present ``window`` (``hour`` or ``day``, of UTC).

    Its quota is only reported: the first token beyond ``limit`` in each window causes one event of each worker.
    ``issued`` is how many it was issued by then.
    """

    client_id: str
    window: str
    limit: int
    issued: int
    client_name: str = ""


class KeyMade(NamedTuple):
    """This worker made a signing key: the first one, or the next one that was due."""

    key_id: str


class StoreFailed(NamedTuple):
    """The store is unavailable; ``reason`` says what failed."""

    reason: str


class StoreBack(NamedTuple):
    """The store answers again, ``seconds`` after the first failure."""

    seconds: int


class HookFailed(NamedTuple):
    """A function that an option names raised an exception or returned what it may not; ``reason`` says what."""

    option: str
    reason: str


class TokenHookFailed(NamedTuple):
    """The same, of a function that decides about tokens: none was issued."""

    option: str
    reason: str


class SinkFailed(NamedTuple):
    """The function that an option names for events raised an exception; ``reason`` says which."""

    option: str
    reason: str


Event = (
    TokenIssued
    | TokenRevoked
    | ForeignRevocation
    | Refused
    | GuessingSlowed
    | WeakSecretFound
    | KeyMade
    | StoreFailed
    | StoreBack
    | HookFailed
    | TokenHookFailed
    | SinkFailed
    | QuotaExceeded
)
# Called with an event and the environ of its request, empty if there is none. No sink keeps the environ.
Sink = Callable[[Event, WSGIEnvironment], None]

# Constant texts, by which Sentry and others group what is logged. At WARNING is what an operator should act on.
_LINES = {
    TokenIssued: (
        logging.INFO,
        "issued a token to %(client_id)s; scope: %(scope)s; audience: %(audience)s; expires: %(expires_at)s;"
        " token: %(token_id)s",
    ),
    TokenRevoked: (logging.INFO, "%(client_id)s revoked a token; token: %(token_id)s"),
    ForeignRevocation: (
        logging.WARNING,
        "%(client_id)s tried to revoke a token of %(owner)s, which stays valid; token: %(token_id)s",
    ),
    Refused: (
        logging.INFO,
        "refused %(method)s %(path)s %(status)s %(error)s: %(reason)s; needed: %(needed)s; client: %(client_id)s;"
        " token: %(token_id)s",
    ),
    GuessingSlowed: (
        logging.WARNING,
        "too many wrong client credentials from %(address)s, answered 429 for a time; client: %(client_id)s",
    ),
    WeakSecretFound: (
        logging.WARNING,
        "%(client_id)s has a weak secret, and requests come from %(address)s: if a proxy has that address, set"
        " trusted_proxies, or wrong secrets of others there stop this client",
    ),
    QuotaExceeded: (
        logging.WARNING,
        "%(client_id)s was issued more than its quota of %(limit)s tokens per %(window)s: %(issued)s so far",
    ),
    KeyMade: (logging.INFO, "made the signing key %(key_id)s"),
    StoreFailed: (logging.WARNING, "the store is unavailable: %(reason)s"),
    StoreBack: (logging.WARNING, "the store answers again, %(seconds)s s after the first failure"),
    HookFailed: (logging.WARNING, "%(option)s failed, and our own body was sent: %(reason)s"),
    TokenHookFailed: (logging.WARNING, "%(option)s failed, and no token was issued: %(reason)s"),
    SinkFailed: (logging.WARNING, "%(option)s failed, and did not take an event: %(reason)s"),
}


def logs_requests() -> bool:
    return log.isEnabledFor(logging.INFO)


def log_sink(event: Event, environ: WSGIEnvironment) -> None:
    """Write the event to the logger ``oauth_mw``: a sentence, and each field as ``oauth_mw_…`` of the record."""
    level, text = _LINES[type(event)]
    if not log.isEnabledFor(level):
        return
    if isinstance(event, Refused):
        event = event._replace(method=escaped(event.method), path=escaped(event.path))
    fields = {name: _on_one_line(value) if isinstance(value, str) else value for name, value in event._asdict().items()}
    fields.pop("proved", None)  # says how an event is called elsewhere
    extra = {f"oauth_mw_{name}": value for name, value in fields.items()}
    shown = {name: " ".join(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    if fields.get("client_name"):
        shown["client_id"] += f" ({shown['client_name']})"
    log.log(level, text, {name: "-" if value == "" else value for name, value in shown.items()}, extra=extra)


def escaped(text: str) -> str:
    """Percent-encode a method or a path, and cut off what is beyond ``MAX_LOGGED``."""
    if _PLAIN.fullmatch(text):
        return text
    shown = quote(text[:MAX_LOGGED].encode("latin-1", "backslashreplace"), _UNESCAPED)
    return shown if len(shown) <= MAX_LOGGED and len(text) <= MAX_LOGGED else shown[: MAX_LOGGED - 3] + "..."


def _on_one_line(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]


def combine(sinks: Sequence[Sink]) -> Sink:
    """Return a sink that calls all ``sinks`` in order. An exception in one is logged and fails no request."""

    def emit(event: Event, environ: WSGIEnvironment) -> None:
        for sink in sinks:
            try:
                sink(event, environ)
            except Exception:
                log.exception("an event sink failed")

    return emit


def refused(error: OAuthError, environ: WSGIEnvironment) -> Refused:
    """Return the event of a request that is refused with ``error``, without the client's name."""
    return Refused(
        environ["REQUEST_METHOD"],
        environ.get("PATH_INFO", ""),
        int(error.status[:3]),
        error.error,
        error.reason,
        error.needed,
        error.client_id,
        token_id=error.token_id,
        proved=error.may_read_client,
    )


class Clients(Protocol):
    def owner_of(self, token_id: str) -> str: ...

    def name_of(self, client_id: str) -> str: ...


class Refusals:
    """Emit an event for each refused request, and for each failure of a function of the user, at most once a minute.

    The environ gets ``oauth_mw.denied``: the client id, if the client is authenticated, and the error code.

    :param wanted: false while no sink uses events of requests. They are not made then, so that a request costs little.
    :param clients: finds the client of an expired token, and the name of a client by its id, for the log. Other sinks
        do that off the request's path.
    """

    def __init__(self, emit: Sink, monotonic: Clock, wanted: Callable[[], bool], clients: Clients) -> None:
        self._emit = emit
        self._monotonic = monotonic
        self.wanted = wanted
        self._clients = clients
        self._quiet_until: dict[str, float] = {}

    def note(self, error: OAuthError, environ: WSGIEnvironment) -> None:
        """Emit the event of a refused request, and set the environ key."""
        # RFC 9110 §15.5.2; a 429 to wrong credentials has the id that they name.
        is_authenticated = error.client_id and error.may_read_client and not error.status.startswith("401")
        environ[DENIED] = f"{_on_one_line(error.client_id)} {error.error}" if is_authenticated else error.error
        if self.wanted():
            self._emit(self._event(error, environ), environ)

    def _event(self, error: OAuthError, environ: WSGIEnvironment) -> Refused:
        event = refused(error, environ)
        if not logs_requests():
            return event
        if error.reason == EXPIRED and not error.client_id:  # only the row of an opaque token says whose it is
            event = event._replace(client_id=self._clients.owner_of(error.token_id))
        return event._replace(client_name=self._clients.name_of(event.client_id)) if error.may_read_client else event

    def report(self, failure: HookFailed | TokenHookFailed | SinkFailed) -> None:
        """Emit a failure, at most once a minute for the same reason."""
        if self._is_due(failure.reason):
            self._emit(failure, {})

    def _is_due(self, reason: str) -> bool:
        now = self._monotonic()
        quiet = {each: until for each, until in self._quiet_until.copy().items() if now < until}
        due = reason not in quiet and len(quiet) < MAX_REASONS
        if due:
            self._quiet_until = {**quiet, reason: now + REPEAT_SECONDS}
        return due
