"""Health checks, for what starts, stops and balances the workers. They show no more than their status.

:func:`live` never touches the store: an outage of the store is no reason to restart a worker. :class:`Readiness` says
whether this worker can serve requests now.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from ..answers import Answer
from ..errors import ReadOnly, StoreUnavailable
from ..model import Clock
from ..processes import PerProcess
from ..server import Refuse
from ..threads import begin
from ..tokens.cache import TokenCache

LOOK_SECONDS = 1.0

OK = Answer("200 OK", (), {"status": "ok"})
UNAVAILABLE = Answer("503 Service Unavailable", (), {"status": "unavailable"})


def live(environ: WSGIEnvironment) -> Answer:
    """Answer that this worker answers."""
    return OK


class Look:
    """One look at the store, which may be under way.

    :ivar began: seconds of the clock of :class:`Readiness`.
    :ivar answered: whether the store answered.
    :param seconds: for which it is waited for.
    """

    def __init__(self, began: float, seconds: float) -> None:
        self.began = began
        self.answered = False
        self.over = threading.Event()
        self._until = time.monotonic() + seconds

    def remaining(self) -> float:
        """The seconds for which it may still be waited for."""
        return max(self._until - time.monotonic(), 0)

    def wait(self) -> bool:
        """Wait until the look is over, or its time is. Return whether the store answered."""
        return self.over.wait(self.remaining()) and self.answered


class _Looks:
    """The looks of one process: ``latest``, and the one ``before`` it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.before = self.latest = Look(float("-inf"), 0)
        self.latest.over.set()


class Readiness:
    """Answer whether requests can be served: the store answers, or cached tokens are accepted while it does not.

    All requests share one look at the store in ``seconds``. A thread of its own looks, so that each request is answered
    in that time even if a look never ends. No other look begins before it has.

    :param look: raises ``StoreUnavailable`` unless the store answers within the seconds that it is given.
    :param in_grace: returns whether cached tokens are accepted during an outage.
    :param monotonic: a clock that never goes back.
    :param single_process: the store cannot serve several worker processes.
    :param seconds: from one look at the store to the next, and for each of them.
    """

    def __init__(
        self,
        look: Callable[[float], None],
        in_grace: Callable[[], bool],
        monotonic: Clock,
        *,
        single_process: bool,
        seconds: float = LOOK_SECONDS,
    ) -> None:
        self._look = look
        self._in_grace = in_grace
        self._monotonic = monotonic
        self._single_process = single_process
        self._seconds = seconds
        self._looks = PerProcess(_Looks).get

    def __call__(self, environ: WSGIEnvironment) -> Answer:
        if self._single_process and environ.get("wsgi.multiprocess"):
            return UNAVAILABLE
        return OK if self._is_answering() or self._in_grace() else UNAVAILABLE

    def _is_answering(self) -> bool:
        looks, now = self._looks(), self._monotonic()
        with looks.lock:
            begins = looks.latest.over.is_set() and now >= looks.latest.began + self._seconds
            if begins:
                looks.before, looks.latest = looks.latest, Look(now, self._seconds)
            before, latest = looks.before, looks.latest
        if begins:
            self._begin(latest)
        elif not latest.over.is_set() and latest.remaining() and latest.began < before.began + 2 * self._seconds:
            return before.answered  # only the request that began the look waits for it
        return latest.wait()

    def _begin(self, look: Look) -> None:
        try:
            begin(self._run, look, name="oauth_mw looks at the store")
        except RuntimeError:  # no thread can be started
            self._run(look)

    def _run(self, look: Look) -> None:
        try:
            self._look(self._seconds)
            look.answered = True
        except StoreUnavailable:
            pass
        finally:
            look.over.set()


def health_checks(
    cache: TokenCache, monotonic: Clock, refuse: Refuse, *, single_process: bool
) -> dict[str, WSGIApplication]:
    """The apps of all health checks, by the names of :func:`oauth_mw.config.own_paths`.

    :param refuse: sends a refusal.
    """
    readiness = Readiness(cache.refresh, cache.in_grace, monotonic, single_process=single_process)
    return {"liveness": _as_app(live, refuse), "readiness": _as_app(readiness, refuse)}


def _as_app(check: Callable[[WSGIEnvironment], Answer], refuse: Refuse) -> WSGIApplication:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return refuse(ReadOnly("neither GET nor HEAD"), environ, start_response)
        return check(environ)(environ, start_response)

    return app
