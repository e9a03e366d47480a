"""A worker as its clients see it, for tests that break its engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from faults import READS, WRITES

from helpers.scraping import Samples, scraped
from helpers.support import SECRET, HandClock, basic, bearer
from helpers.wsgi_client import CheckedApp
from oauth_mw import AdminError, StoreUnavailable, admin
from oauth_mw.protocols import Store
from oauth_mw.tokens.cache import POLL_SECONDS

DONE, UNAVAILABLE, REFUSED = "done", "unavailable", "refused"
STRANGE = ("check ended", "check unknown", "introspect unknown", "revoke unknown")
# One a second, as Retry-After says. While polls of the log hang, a request does not wait for the poll of another, so
# the end of an outage may become visible only after RETRY_SECONDS and two timeouts, of at most two seconds.
ATTEMPTS = 6
LIFETIME = 1234


class Service:
    """Each operation returns DONE, UNAVAILABLE (the one form of 503), REFUSED (401), or any other answer as text.

    ``slowest`` is how many seconds the longest one took.
    """

    def __init__(self, app: Any, store: Store, ticks: HandClock) -> None:
        self.store = store
        self.slowest = 0.0
        self.issued: list[str] = []
        self._app = app
        self._ticks = ticks
        self._verbs: dict[str, Callable[[], str]] = {
            "introspect": lambda: self.introspect(self.cached),
            "first check": lambda: self.check(self.unseen),
            "cached check": lambda: self.check(self.cached),
            "issue": self.issue,
            "revoke": lambda: self.revoke(self.doomed),
            "change": lambda: self.change("changed " * 20),
            "check ended": lambda: self.check(self.ended),
            "check unknown": lambda: self.check(self.unknown),
            "introspect unknown": lambda: self.introspect(self.unknown),
            "revoke unknown": lambda: self.revoke(self.unknown),
        }

    def prepare(self) -> None:
        """Add a client and tokens: one cached, one that is new to the worker, one to be revoked, and a revoked one."""
        assert self._insist(self._register) == DONE
        assert [self._insist(self.issue) for _ in range(4)] == [DONE] * 4
        self.knows(self.issued)
        assert self._insist(lambda: self.revoke(self.ended)) == self._insist(lambda: self.check(self.cached)) == DONE

    def knows(self, issued: list[str]) -> None:
        """Use these tokens."""
        self.cached, self.unseen, self.doomed, self.ended = issued
        self.unknown = self.unseen[:-1] + ("A" if self.unseen[-1] != "A" else "B")

    def close(self) -> None:
        """Drop the app first: while it exists, its thread opens connections to follow the log."""
        self._app = None
        self.store.close()

    def later(self, seconds: float = POLL_SECONDS) -> None:
        self._ticks.move(seconds)

    def ask(self, operation: str) -> str:
        """Do one of the table's operations."""
        started = time.monotonic()
        try:
            return self._verbs[operation]()
        finally:
            self.slowest = max(self.slowest, time.monotonic() - started)

    def ask_all(self, operations: Iterable[str] = (), *, at_once: bool = False) -> dict[str, str]:
        """Do some operations, or all; one after the other, or ``at_once`` if each has to wait."""
        self.later()
        operations = list(operations or READS | WRITES)
        with ThreadPoolExecutor(len(operations) if at_once else 1) as pool:
            return dict(zip(operations, pool.map(self.ask, operations), strict=True))

    def patiently(self, operation: str) -> str:
        """The result once the service has recovered: perhaps not at once, but without a restart."""
        return self._insist(lambda: self.ask(operation))

    def _insist(self, do: Callable[[], str]) -> str:
        for _ in range(ATTEMPTS):
            if (said := do()) != UNAVAILABLE:
                break
            self.later()
        return said

    def _register(self) -> str:
        try:
            admin.add_client(self.store, "tester", scope="read", client_id="tester", secret=SECRET, lifetime=LIFETIME)
        except StoreUnavailable:
            return UNAVAILABLE
        except AdminError:
            pass  # the call before did it, and answered too late
        return DONE

    def issue(self) -> str:
        answer = self._post("/oauth/token", grant_type="client_credentials")
        said = judged(answer)
        if said == DONE:
            self.issued.append(answer.json["access_token"])
        return said

    def revoke(self, token: str) -> str:
        return judged(self._post("/oauth/revoke", token=token))

    def introspect(self, token: str) -> str:
        answer = self._post("/oauth/introspect", token=token)
        return "inactive" if answer.status_int == 200 and not answer.json["active"] else judged(answer)

    def check(self, token: str) -> str:
        answer = CheckedApp(self._app).get("/any", headers=bearer(token), status="*")
        return judged(answer, "MARKER tester read")

    def document(self, path: str) -> str:
        """Read a document that other services read to find the keys."""
        started = time.monotonic()
        answer = CheckedApp(self._app).get(path, status="*")
        self.slowest = max(self.slowest, time.monotonic() - started)
        return judged(answer)

    def scrape(self) -> Samples:
        """Read the metrics, which need no token here."""
        self.later()
        started = time.monotonic()
        found = scraped(CheckedApp(self._app))
        self.slowest = max(self.slowest, time.monotonic() - started)
        return found

    def health(self, name: str) -> tuple[int, str]:
        """The status and body of a health check, ``live`` or ``ready``."""
        started = time.monotonic()
        answer = CheckedApp(self._app).get(f"/health/{name}", status="*")
        self.slowest = max(self.slowest, time.monotonic() - started)
        return answer.status_int, answer.text

    def change(self, name: str) -> str:
        """Over the Python API."""
        try:
            admin.update_client(self.store, "tester", name=name)
        except StoreUnavailable:
            return UNAVAILABLE
        return DONE

    def _post(self, path: str, **form: str) -> Any:
        return CheckedApp(self._app).post(path, form, headers=basic("tester", SECRET), status="*")


def judged(answer: Any, marker: str = "") -> str:
    if answer.status_int == 200 and marker in answer.text:
        return DONE
    if answer.status_int == 401 and answer.json:
        return REFUSED
    fields = [answer.headers.get(name) for name in ("Retry-After", "Cache-Control", "Pragma", "Content-Type")]
    if answer.status_int == 503 and fields == ["1", "no-store", "no-cache", "application/json"]:
        if answer.json.keys() == {"error", "error_description"} and answer.json["error"] == "temporarily_unavailable":
            return UNAVAILABLE
    return f"{answer.status} {answer.headers} {answer.text}"
