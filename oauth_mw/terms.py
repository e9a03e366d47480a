"""What holds for the tokens of one client alone: from where, for what and how often they are accepted, and until when.

A worker reads the record of a client with the first token of it, and keeps what follows from it until the revocation
log reports a change. The checks go into the token, so that tokens of other clients pay nothing for them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from threading import Lock
from typing import NamedTuple
from wsgiref.types import WSGIEnvironment

from .addresses import Addresses, parse_address
from .deadlines import RequestDeadline, deadline_in
from .errors import InsufficientScope, StoreUnavailable, TokenRefused, UnauthorizedClient
from .limits import allows, names, parse_limit, parse_networks, parse_request
from .model import AccessToken, Check, Client, with_terms
from .processes import PerProcess
from .protocols import ClientReader
from .rate_limits import RateLimits
from .rates import Rate
from .server import Server

NO_ADDRESS = "the address of the client is unknown"


class AddressRefused(InsufficientScope):
    """The client has a list of addresses, and this one is not on it."""

    description = "The client may not send requests from this address"


class RequestRefused(InsufficientScope):
    """The client has a list of requests, and this one is not on it."""

    description = "The client may not send this request, whatever the scope of the access token"


class UnauthorizedAddress(UnauthorizedClient):
    description = "This client may not authenticate from this address"


class Terms(NamedTuple):
    """The terms of one client. ``not_after`` is a Unix second, from which its tokens are expired."""

    checks: tuple[Check, ...] = ()
    not_after: int | None = None


NONE = Terms()


@dataclass(eq=False, repr=False)
class ClientTerms:
    """Makes the terms of a client from its record.

    :param default: the rate limit of clients without one of their own.
    :param doubtful: true for a request that the app may take for another one than its path says.
    :param last: run after the checks of each client.
    """

    server: Server
    addresses: Addresses
    rate_limits: RateLimits
    _: KW_ONLY
    default: Rate | None = None
    doubtful: Callable[[WSGIEnvironment], bool] = lambda environ: False
    last: tuple[Check, ...] = ()

    def __call__(self, client: Client | None) -> Terms:
        """Return the terms of a client; ``None`` if it is unknown.

        :raises StoreUnavailable: its record holds what this version cannot read.
        """
        if client is None:
            return self._terms((), self.default, None)
        checks: list[Check] = []
        rate = self.default
        try:
            if client.allowed_addresses:
                checks.append(self._check_address(client.allowed_addresses))
            if client.allowed_requests:
                checks.append(self._check_request(client.allowed_requests))
            if client.rate_limit is not None:
                rate = parse_limit(client.rate_limit)
        except ValueError:
            raise StoreUnavailable(f"the limits of client {client.client_id!r} are garbled") from None
        return self._terms(checks, rate, client.not_after)

    def _terms(self, checks: Sequence[Check], rate: Rate | None, not_after: int | None) -> Terms:
        of_rate = () if rate is None else (self.rate_limits.check(rate),)
        terms = Terms((*checks, *of_rate, *self.last), not_after)
        return NONE if terms == NONE else terms

    def _check_address(self, texts: Sequence[str]) -> Check:
        networks, addresses = parse_networks(texts), self.addresses
        answer = AddressRefused.prepare(self.server.challenge, header=self.server.header)

        def check_address(environ: WSGIEnvironment, token: AccessToken) -> None:
            address = addresses(environ)
            if not names(networks, parse_address(address)):
                reason = _refused_address(address)
                raise AddressRefused(reason, answer, token.client_id, token.token_id)

        return check_address

    def _check_request(self, texts: Sequence[str]) -> Check:
        allowed, doubtful = tuple(map(parse_request, texts)), self.doubtful
        answer = RequestRefused.prepare(self.server.challenge, header=self.server.header)

        def check_request(environ: WSGIEnvironment, token: AccessToken) -> None:
            method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
            if not allows(allowed, method, path) or doubtful(environ):
                reason = "the client may not send this request"
                raise RequestRefused(reason, answer, token.client_id, token.token_id)

        return check_request


def _refused_address(address: str) -> str:
    """The reason for the log, where an operator sees whether it is the address of a proxy."""
    return f"the client may not send from {address}" if address else NO_ADDRESS


class LimitedTokens:
    """Reads tokens, with the terms of their clients.

    What is read of a client is kept, unless an event of the log arrived meanwhile, which may have been about it.

    :param read: returns the live token for a text.
    :param terms: makes the terms of a client.
    :param size: of how many clients the terms are kept, more or less.
    :param timeout: seconds that a request may wait for the store.
    """

    def __init__(
        self,
        read: Callable[[str], AccessToken],
        clients: ClientReader,
        terms: Callable[[Client | None], Terms],
        *,
        size: int,
        timeout: float,
    ) -> None:
        self._read = read
        self._clients = clients
        self._terms = terms
        self._size = size
        self._timeout = timeout
        self._known: dict[str, Terms] = {}
        self._changes = 0  # counts all events
        self._lock = PerProcess(Lock).get

    def read(self, text: str) -> AccessToken:
        """Return the live token for a text.

        :raises TokenRefused: there is none.
        :raises StoreUnavailable: the token, or the terms of its client, cannot be read.
        """
        began = time.monotonic()
        token = self._read(text)
        terms = self._known.get(token.client_id)
        if terms is None:
            terms = self._find(token.client_id, began)
        return token if terms is NONE else with_terms(token, *terms)

    def __len__(self) -> int:
        """The number of clients whose terms are kept."""
        return len(self._known)

    def forget(self, client_id: str = "") -> None:
        """Forget the terms of a client, or of all: the log reports a change."""
        with self._lock():
            if client_id:
                self._known.pop(client_id, None)
            else:
                self._known.clear()
            self._changes += 1

    def _find(self, client_id: str, began: float) -> Terms:
        changes = self._changes
        # The token's own read has used a part of the time.
        left = min(began + self._timeout, deadline_in(self._timeout)) - time.monotonic()
        with RequestDeadline(left):
            terms = self._terms(self._clients.find_client(client_id))
        with self._lock():
            if self._changes == changes:
                if len(self._known) >= self._size:
                    self._known.clear()
                self._known[client_id] = terms
        return terms


ReadAs = Callable[[str, Client], AccessToken]  # the live token for a text, for a client that is authenticated


def capped(read: Callable[[str], AccessToken], clients: ClientReader, clock: Callable[[], float]) -> ReadAs:
    """Return ``read`` with the end of the token's client as the store has it now, for introspection.

    The end of the caller's own tokens is known from its authentication, which has just compared its record.
    The other terms are about requests, which only the server sees that is sent the token.
    """

    def read_capped(text: str, caller: Client) -> AccessToken:
        token = read(text)
        client = caller if caller.client_id == token.client_id else clients.find_client(token.client_id)
        if client is None or client.not_after is None:
            return token
        if client.not_after <= clock():
            raise TokenRefused("the client has expired", token.token_id, token.client_id)
        return with_terms(token, (), client.not_after)

    return read_capped


def check_listed(addresses: Addresses, client: Client, environ: WSGIEnvironment) -> None:
    """Refuse an authenticated client from an address that its list does not name.

    :raises UnauthorizedAddress: it may not be used from here.
    :raises StoreUnavailable: the list cannot be read.
    """
    address = addresses(environ)
    try:
        networks = parse_networks(client.allowed_addresses)
    except ValueError:
        raise StoreUnavailable(f"the limits of client {client.client_id!r} are garbled") from None
    if not names(networks, parse_address(address)):
        raise UnauthorizedAddress(_refused_address(address), client.client_id)
