"""What is counted where, and what is served of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import cast
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from ..config import HEALTH, Settings, own_paths
from ..errors import BearerError, InvalidToken, OAuthError, StoreUnavailable
from ..events import Event, Sink, TokenRevoked
from ..model import AccessToken, Check, Client, Clock, Issued
from ..protocols import Store
from ..server import Refuse
from ..tokens.cache import TokenCache
from ..tokens.jws import is_compact
from . import FOLDER, CheckRequest, Issue, KeyTimes, Read
from .checking import CountingCache, CountingGuard
from .counts import Counts, Labels
from .numbers import StoreView, Worker
from .reasons import reason_of
from .serving import Exposition, MetricsApp
from .timing import TimedStore

# The others that the middleware answers itself are documents.
_ENDPOINTS = {
    "token_path": "token",
    "revocation_path": "revocation",
    "introspection_path": "introspection",
    **dict.fromkeys(HEALTH, "health"),
}


class Metering:
    """Counts what passes, for one middleware. See :class:`~oauth_mw.metrics.Meter`."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.counts = Counts()
        self.cache = partial(CountingCache, counts=self.counts)
        self.guard = partial(CountingGuard, counts=self.counts, copy_soon=lambda: self._copy_soon())
        self._names_clients = settings.metrics_client_ids
        self.last: tuple[Check, ...] = (self._count_accepted,) if self._names_clients else ()
        self._endpoints = {path: _ENDPOINTS.get(name, "documents") for name, path in own_paths(settings)}
        self.sinks: tuple[Sink, ...] = (self._note,)
        self._copy_soon: Callable[[], None] = lambda: None

    def _note(self, event: Event, environ: WSGIEnvironment) -> None:
        if isinstance(event, TokenRevoked):
            self.counts.revoked += 1

    def store(self, store: Store) -> Store:
        return cast(Store, TimedStore(store, self.counts))

    def read(self, read: Read) -> Read:
        counts = self.counts

        def counted(text: str) -> AccessToken:
            counts.reads += 1
            self._copy_soon()
            token = read(text)
            counts.fresh += 1
            return token

        return counted

    def _count_accepted(self, environ: WSGIEnvironment, token: AccessToken) -> None:
        counts, label = self.counts, token.client_id
        if label not in counts.accepted_of:
            label = counts.label_of(label)
        counts.accepted_of[label] += 1

    def issue(self, issue: Issue) -> Issue:
        def counted(client: Client, scopes: Sequence[str], lifetime: int, audience: Sequence[str]) -> Issued:
            issued = issue(client, scopes, lifetime, audience)
            self.counts.issued["jwt" if is_compact(issued.text) else "opaque", *self._client(client.client_id)] += 1
            self._copy_soon()
            return issued

        return counted

    def refuse(self, refuse: Refuse) -> Refuse:
        def counted(error: OAuthError, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            endpoint = self._endpoints.get(environ.get("PATH_INFO") or "/", "guard")
            self.counts.refusals[endpoint, reason_of(error), *self._client(error.client_id)] += 1
            self._copy_soon()
            return refuse(error, environ, start_response)

        return counted

    def refuse_check(self, refuse: Refuse) -> Refuse:
        def counted(error: OAuthError, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            self._count_refused(error)
            return refuse(error, environ, start_response)

        return counted

    def _count_refused(self, error: OAuthError) -> None:
        if isinstance(error, StoreUnavailable):
            self.counts.unavailable += 1
            return
        self.counts.refused += 1
        if isinstance(error, BearerError) and error.token_id and not isinstance(error, InvalidToken):
            self.counts.late += 1

    def _client(self, client_id: str) -> Labels:
        """The last label, if there is one: the client's id, which is known to exist."""
        return (self.counts.label_of(client_id),) if self._names_clients else ()

    def apps(
        self, check: CheckRequest, refuse_check: Refuse, refuse: Refuse, cache: TokenCache, key_times: KeyTimes | None
    ) -> Mapping[str, WSGIApplication]:
        path = self._settings.metrics_path
        assert path is not None
        worker = Worker(self.counts, cache, self._settings)
        exposition = Exposition(worker, StoreView(cache, key_times, self._clock), os.environ.get(FOLDER))
        if exposition.copier:
            self._copy_soon = exposition.copier.copy_soon
        decide, adds_up = self._settings.path_rules.decide, exposition.copier is not None
        return {path: MetricsApp(exposition.text, check, decide, refuse_check, refuse, adds_up=adds_up)}
