"""Requests of the command line to a running deployment."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from ..errors import AdminError, ConfigError
from ..texts import shown
from ..threads import begin
from ..urls import is_loopback
from .failures import DeploymentUnavailable

if TYPE_CHECKING:
    from email.message import Message
    from http.client import HTTPResponse
    from ssl import SSLContext
    from urllib.request import OpenerDirector, Request

MOST_BYTES = 8_000_000  # our own metrics take some 30 kB, and with the ids of clients up to 2 MB
# The old text format, which all versions of prometheus-client write and read.
_ACCEPTED = "text/plain;version=0.0.4, application/json;q=0.5"
_HEADER = re.compile(r"[A-Za-z0-9-]+")


class Answer(NamedTuple):
    """The answer to a request of ``url``."""

    status: int
    headers: Message
    text: str
    url: str


class Http:
    """Sends requests. No redirect is followed, since the credential would go with it.

    :param header: carries tokens and the credentials of clients.
    :param timeout: seconds for each request, until its answer is complete.
    :param ca_file: certificates of authorities, in the place of the system's.
    :param at_most: bytes of an answer that are read. The rest of a longer one is left; without a number it is refused.
    :raises ConfigError: no such header, or no certificates in the file.
    """

    def __init__(self, header: str, timeout: float, ca_file: str | None = None, at_most: int | None = None) -> None:
        if not _HEADER.fullmatch(header):
            raise ConfigError("--header", "expected the name of a header, such as X-Token")
        self.header, self._timeout, self._at_most = header, timeout, at_most
        context = _context(ca_file) if ca_file else None
        self._to_others, self._to_this_machine = _opener(context), _opener(context, proxies={})

    def send(self, url: str, credential: str, form: Mapping[str, str] | None = None) -> tuple[int, str]:
        """The status and the body of the answer to a GET, or to a POST with a form, as :meth:`ask` gets it."""
        answer = self.ask(url, credential, None if form is None else urlencode(form).encode())
        return answer.status, answer.text

    def ask(self, url: str, credential: str = "", body: bytes | Iterable[bytes] | None = None) -> Answer:
        """The answer to a GET, or to a POST with this form.

        :param credential: the value of the header; empty for none.
        :param body: an encoded form; sent chunked if it is an iterable of its parts (RFC 9112 §7.1).
        :raises DeploymentUnavailable: no answer, not in time, or a URL that cannot be called.
        """
        from http.client import HTTPException
        from urllib.error import URLError
        from urllib.request import Request

        headers = {"Accept": _ACCEPTED} | ({self.header: credential} if credential else {})
        request = Request(url, body, headers)
        # A proxy of the environment does not reach this machine, and must not see a token that is sent to it.
        opener = self._to_this_machine if is_local(url) else self._to_others
        try:
            return _within(self._timeout, partial(self._answered, opener, request))
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            if isinstance(reason, TimeoutError):
                raise DeploymentUnavailable(f"{shown(url)} does not answer within {self._timeout:g} s") from None
            raise DeploymentUnavailable(f"{shown(url)} cannot be reached: {_said(reason)}") from None
        except UnicodeError:
            raise DeploymentUnavailable(f"{shown(url)} has characters that no URL has") from None

    def _answered(self, opener: OpenerDirector, request: Request) -> Answer:
        with opener.open(request, timeout=self._timeout) as answer:
            return Answer(answer.status, answer.headers, self._body(request.full_url, answer), request.full_url)

    def _body(self, url: str, answer: HTTPResponse) -> str:
        ends, parts, length = time.monotonic() + self._timeout, [], 0
        while part := answer.read1(65536):
            parts.append(part)
            length += len(part)
            if self._at_most is not None and length >= self._at_most:
                return b"".join(parts).decode(errors="replace")
            if length > MOST_BYTES:
                raise AdminError(f"{url} answers with more than {MOST_BYTES // 1_000_000} MB")
            if time.monotonic() > ends:
                raise TimeoutError
        if answer.length:
            raise ConnectionError("it ended its answer too early")
        return b"".join(parts).decode(errors="replace")


def _within(seconds: float, ask: Callable[[], Answer]) -> Answer:
    """Ask in a thread, which is left behind when the time is over.

    The timeout of a socket bounds each read of it: a server that sends a byte now and then could go on for days. It
    does not bound the look-up of a host.

    :raises TimeoutError: the time is over.
    """
    answered: Future[Answer] = Future()

    def run() -> None:
        try:
            answered.set_result(ask())
        except Exception as error:
            answered.set_exception(error)

    begin(run, name="oauth_mw fetches")
    return answered.result(seconds)


def is_local(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")


def _context(ca_file: str) -> SSLContext:
    from ssl import SSLError, create_default_context

    try:
        return create_default_context(cafile=ca_file)
    except (OSError, SSLError):
        raise ConfigError("--ca-file", f"{ca_file!r} has no certificates that can be read") from None


def _opener(context: SSLContext | None, **proxies: Any) -> OpenerDirector:
    from urllib.request import HTTPErrorProcessor, HTTPSHandler, ProxyHandler, build_opener

    class EveryStatus(HTTPErrorProcessor):
        """Passes answers of every status: urllib would raise an error for some, and follow redirects."""

        def http_response(self, request: Any, response: Any) -> Any:
            return response

        https_response = http_response

    return build_opener(HTTPSHandler(context=context), ProxyHandler(**proxies), EveryStatus)


def _said(reason: object) -> str:
    from ssl import SSLCertVerificationError

    if isinstance(reason, SSLCertVerificationError):
        return f"its certificate is not accepted ({reason.verify_message})"
    if isinstance(reason, OSError):
        return shown(reason.strerror or str(reason)) or type(reason).__name__  # a proxy's own words may be in it
    return type(reason).__name__  # its text may be a part of the answer
