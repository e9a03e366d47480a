"""The audit trail of the requests of one middleware."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any
from wsgiref.types import WSGIEnvironment

from .audit import AuditEvent, Waiting, is_logged, logged, system_user
from .background import Background
from .credentials import is_printable
from .errors import EXPIRED, InvalidClient
from .events import (
    MAX_LOGGED,
    Clients,
    Event,
    ForeignRevocation,
    KeyMade,
    QuotaExceeded,
    Refused,
    SinkFailed,
    TokenIssued,
    TokenRevoked,
    escaped,
)
from .functions import failure_of, load_function
from .model import AccessToken, Clock
from .rules import Rule, Rules, with_empty_names

OnEvent = Callable[[AuditEvent], object]

OPTION = "on_event"
EXPECTED = "expected a function of one event"
MAX_REQUEST_ID = 128

_NAMES: Mapping[type[Event], str] = {
    TokenIssued: "token_issued",
    TokenRevoked: "token_revoked",
    ForeignRevocation: "foreign_revocation",
    Refused: "request_refused",
    QuotaExceeded: "quota_exceeded",
    KeyMade: "key_added",
}


def load_on_event(given: str | OnEvent | None) -> OnEvent | None:
    """Return the function that the option names.

    :raises ConfigError: it cannot be imported, or cannot be called with one argument.
    """
    return None if given is None else load_function(OPTION, given, EXPECTED, 1)


class Auditor:
    """A sink that passes the events of the audit trail on: to the logger, and to the function ``on_event``.

    Each of the two has a thread, so neither can fail, hold or slow a request. What must be read from the store is added
    in that thread.

    :param on_event: the function that the option names, or ``None``.
    :param report: called with the failure if ``on_event`` raises an exception.
    :param address_of: returns the address of the client of a request.
    :param rule_of: returns the rule that decides about a method and path, or ``""``.
    :param request_id_key: the environ key that has the id of a request.
    :param token_paths: the paths at which tokens are issued.
    :ivar is_wanted: returns false while nothing takes events.
    """

    def __init__(
        self,
        *,
        on_event: OnEvent | None,
        report: Callable[[SinkFailed], None],
        address_of: Callable[[WSGIEnvironment], str],
        rule_of: Callable[[str, str], str],
        clients: Clients,
        clock: Clock,
        request_id_key: str | None,
        token_paths: Collection[str],
    ) -> None:
        self._called = Background(_calling(on_event, report), "events for on_event") if on_event else None
        self.is_wanted: Callable[[], bool] = (lambda: True) if on_event else is_logged
        self._address_of = address_of
        self._rule_of = rule_of
        self._clients = clients
        self._clock = clock
        self._request_id_key = request_id_key
        self._token_paths = token_paths

    def __call__(self, event: Event, environ: WSGIEnvironment) -> None:
        name = _NAMES.get(type(event))
        if name and self.is_wanted():
            fields = event._asdict()
            if isinstance(event, QuotaExceeded):
                reason = f"{event.issued} tokens in the {event.window}, more than {event.limit}"
                fields = {"client_id": event.client_id, "client_name": event.client_name, "reason": reason}
            elif isinstance(event, KeyMade):
                fields |= {"by": system_user(), "reason": "no key was there, or the next one was due"}
            elif isinstance(event, Refused):
                del fields["proved"]
                name = self._name_of(event)
                if name == "request_refused":
                    fields["rule"] = self._rule_of(event.method, event.path)
            self._pass_on(name, environ, fields)

    def accepted(self, environ: WSGIEnvironment, token: AccessToken) -> None:
        """Emit an event for an accepted request: the last check of the guard, which refuses nothing."""
        if self.is_wanted():
            rule = self._rule_of(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""))
            fields = {"client_id": token.client_id, "token_id": token.token_id, "scope": token.scope, "rule": rule}
            self._pass_on("request_accepted", environ, fields)

    def _name_of(self, refused: Refused) -> str:
        if refused.error == InvalidClient.error or not refused.proved:
            return "client_refused"
        return "token_refused" if refused.path in self._token_paths else "request_refused"

    def _pass_on(self, name: str, environ: WSGIEnvironment, fields: dict[str, Any]) -> None:
        # A character more than is shown, by which the others are known to be cut off.
        fields["method"] = environ.get("REQUEST_METHOD", "")[: MAX_LOGGED + 1]
        fields["path"] = environ.get("PATH_INFO", "")[: MAX_LOGGED + 1]
        fields["address"] = self._address_of(environ) if environ else ""
        fields["request_id"] = self._request_id(environ)
        waiting = Waiting(AuditEvent(self._clock(), name, **fields), self._completed)
        if is_logged():
            logged.put(waiting)
        if self._called:
            self._called.put(waiting)

    def _request_id(self, environ: WSGIEnvironment) -> str:
        """The id; empty if it is too long or not printable ASCII: no search would find a part of it."""
        value = environ.get(self._request_id_key) if self._request_id_key else None
        return value if isinstance(value, str) and len(value) <= MAX_REQUEST_ID and is_printable(value) else ""

    def _completed(self, event: AuditEvent) -> AuditEvent:
        client_id = event.client_id
        if event.reason == EXPIRED and not client_id:
            client_id = self._clients.owner_of(event.token_id)
        return event._replace(
            client_id=client_id,
            client_name=event.client_name or self._clients.name_of(client_id),
            method=escaped(event.method),
            path=escaped(event.path),
        )


def _calling(on_event: OnEvent, report: Callable[[SinkFailed], None]) -> Callable[[Waiting], None]:
    def call(waiting: Waiting) -> None:
        event = waiting.completed()
        try:
            on_event(event)
        except BaseException as failure:
            report(SinkFailed(OPTION, failure_of(failure)))

    return call


class Notation:
    """Finds the rule that decides about a method and path, as it is written in ``required_scopes``.

    Where rules name the path but not the method, it is all rules for the path. Where none names it, it is empty.

    :param rules: the rules, compiled.
    :param written: the same, as they are written.
    """

    def __init__(self, rules: Rules, written: Sequence[Rule]) -> None:
        self._rules = rules
        self._by_row: dict[tuple[str, str], str] = {}
        self._by_path: defaultdict[str, list[str]] = defaultdict(list)
        blanks = [(rule, blank.text) for rule, blank in with_empty_names(written)]
        for rule, path in [*((rule, rule.pattern.text) for rule in written), *blanks]:
            text = str(rule)
            self._by_row[text.partition(" ")[0], path] = text
            self._by_path[path].append(text)
        self._remembered = lru_cache(maxsize=1024)(self._find)

    def __call__(self, method: str, path: str) -> str:
        is_short = len(method) + len(path) <= MAX_LOGGED  # clients can invent paths
        return self._remembered(method, path) if is_short else self._find(method, path)

    def _find(self, method: str, path: str) -> str:
        if self._rules.decide(method, path) is self._rules.ambiguous:
            return ""
        found: list[str] = []
        for row in self._rules.deciding(method, path):
            one = self._by_row.get((row.methods, row.path))
            found += [one] if one else self._by_path.get(row.path, [])
        return "; ".join(dict.fromkeys(found))
