"""A warning soon after the start: a client has a weak secret, and what may be a proxy is not trusted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .addresses import Addresses
from .errors import StoreUnavailable
from .events import Sink, WeakSecretFound
from .model import Client
from .threads import begin, can_run

PAUSE_SECONDS = 0.05  # between two pages of clients: requests go on
RETRY_SECONDS = 10.0  # after which the next request begins another look, if the store did not answer


class WeakSecrets:
    """Warns once in each worker if wrong secrets of others may stop clients with weak ones.

    All clients behind a proxy that is not trusted have one address. The start knows no address, and does not wait for
    the store, so a thread looks for weak secrets once the first request to an endpoint comes from such an address.
    Where no thread can run, the first client that uses a weak secret is warned of.

    :param clients: returns a page of the clients that follow an id.
    """

    def __init__(self, clients: Callable[[str], Sequence[Client]], addresses: Addresses, emit: Sink) -> None:
        self._clients = clients
        self._addresses = addresses
        self._emit = emit
        self._has_looked = False
        self._warned: dict[str, object] = {}

    def watching(self, endpoint: WSGIApplication) -> WSGIApplication:
        """Return an endpoint at which clients authenticate, with its requests looked at until a thread has begun."""

        def watched(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if not self._has_looked and "REMOTE_ADDR" in environ:  # which servers set, and few clients of tests
                self._look(environ)
            return endpoint(environ, start_response)

        return watched

    def used(self, client_id: str, environ: WSGIEnvironment) -> None:
        """Warn of a client that has used a weak secret, if what may be a proxy has sent it."""
        if not self._warned and may_be_a_proxy(address := self._addresses(environ)):
            self._warn(client_id, address, environ)

    def _look(self, environ: WSGIEnvironment) -> None:
        address = self._addresses(environ)
        if may_be_a_proxy(address):
            self._has_looked = True
            if can_run():
                with suppress(RuntimeError):  # no more threads
                    begin(self._find, address, name="oauth_mw looks for weak secrets")

    def _find(self, address: str) -> None:
        try:
            after = ""
            while page := self._clients(after):
                if weak := next((each for each in page if any(secret.weak for secret in each.secrets)), None):
                    self._warn(weak.client_id, address, {})
                    return
                after = page[-1].client_id
                time.sleep(PAUSE_SECONDS)
        except StoreUnavailable:
            time.sleep(RETRY_SECONDS)
            self._has_looked = False

    def _warn(self, client_id: str, address: str, environ: WSGIEnvironment) -> None:
        mine = object()
        # Exactly one of several threads finds its own object.
        if self._warned.setdefault("", mine) is mine:
            self._emit(WeakSecretFound(client_id, address), environ)


@lru_cache(maxsize=1024)
def may_be_a_proxy(address: str) -> bool:
    return not address or not ip_address(address).is_global
