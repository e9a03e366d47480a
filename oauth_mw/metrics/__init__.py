"""Metrics for Prometheus: what is counted, and how it is served.

With ``metrics_path`` off, :class:`Unmetered` takes part in the assembly: nothing is wrapped, so nothing costs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Protocol
from wsgiref.types import WSGIApplication, WSGIEnvironment

from ..config import Settings, own_paths
from ..errors import Faults
from ..events import Sink
from ..guard import Guard
from ..model import AccessToken, Check, Client, Clock, Issued
from ..protocols import Store
from ..rules import Access
from ..server import Refuse
from ..tokens.cache import TokenCache

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # of prometheus-client: set where several processes serve one app

Read = Callable[[str], AccessToken]
CheckRequest = Callable[[WSGIEnvironment, Access], None]
Issue = Callable[[Client, Sequence[str], int, Sequence[str]], Issued]
KeyTimes = Callable[[], Mapping[str, int]]


class Meter(Protocol):
    """What the assembly passes its parts through: each is returned as it is, or so that it is counted."""

    @property
    def sinks(self) -> tuple[Sink, ...]: ...

    @property
    def cache(self) -> Callable[..., TokenCache]:
        """Makes the cache."""

    @property
    def guard(self) -> Callable[..., Guard]:
        """Makes the guard."""

    @property
    def last(self) -> tuple[Check, ...]:
        """The last checks of each token: they count and refuse nothing."""

    def store(self, store: Store) -> Store: ...

    def read(self, read: Read) -> Read:
        """
        :param read: reads the tokens that are not cached.
        """

    def issue(self, issue: Issue) -> Issue: ...

    def refuse(self, refuse: Refuse) -> Refuse: ...

    def refuse_check(self, refuse: Refuse) -> Refuse:
        """
        :param refuse: answers the requests that the guard refuses.
        """

    def apps(
        self, check: CheckRequest, refuse_check: Refuse, refuse: Refuse, cache: TokenCache, key_times: KeyTimes | None
    ) -> Mapping[str, WSGIApplication]:
        """Return the apps that serve the metrics, by path. They call ``check`` first.

        :param refuse_check: answers what ``check`` refuses, ``refuse`` the rest.
        :param key_times: returns when each signing key was made, in Unix seconds.
        """


class Unmetered:
    """No metrics: a :class:`Meter` that returns everything as it is."""

    sinks: tuple[Sink, ...] = ()
    last: tuple[Check, ...] = ()
    cache: Callable[..., TokenCache] = TokenCache
    guard: Callable[..., Guard] = Guard

    def store(self, store: Store) -> Store:
        return store

    def read(self, read: Read) -> Read:
        return read

    def issue(self, issue: Issue) -> Issue:
        return issue

    def refuse(self, refuse: Refuse) -> Refuse:
        return refuse

    def refuse_check(self, refuse: Refuse) -> Refuse:
        return refuse

    def apps(
        self, check: CheckRequest, refuse_check: Refuse, refuse: Refuse, cache: TokenCache, key_times: KeyTimes | None
    ) -> Mapping[str, WSGIApplication]:
        return {}


def meter(settings: Settings, clock: Clock) -> Meter:
    """The meter that ``metrics_path`` asks for."""
    if settings.metrics_path is None:
        return Unmetered()
    from .metering import Metering

    return Metering(settings, clock)


def check_metrics(settings: Settings, faults: Faults) -> None:
    """Add a fault if ``metrics_path`` cannot be served, or no rule says what a reader needs."""
    path = settings.metrics_path
    if path is None:
        return
    if find_spec("prometheus_client") is None:
        faults.add("metrics_path", "needs prometheus-client: pip install 'oauth_mw[metrics]'")
    elif fault := _folder_fault():
        faults.add("metrics_path", fault)
    if taken := next((name for name, own in own_paths(settings) if own == path), ""):
        faults.add("metrics_path", f"{path} is taken by {taken}")
    elif faults.none_for("required_scopes", "public_paths", "ambiguous_paths"):
        access = settings.path_rules.decide("GET", path)
        if access.kind not in ("public", "token") or not (access.named or access.kind == "public"):
            faults.add(
                "metrics_path",
                f"{path} lies behind the guard, and nothing says which requests may read it: expected a rule for GET in"
                f" required_scopes, such as 'GET {path} metrics:read', or the path in public_paths",
            )


def _folder_fault() -> str:
    """What is wrong with prometheus-client's multiprocess mode, if it is on."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        return ""
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        return f"{FOLDER} is {folder!r}: expected a folder that exists and can be written"
    from prometheus_client import values

    if values.ValueClass is values.MutexValue:
        return f"{FOLDER} was set after prometheus_client was imported: expected it in the environment of the process"
    return ""
