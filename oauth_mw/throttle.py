"""Too many wrong client credentials are answered 429, so that guessing is slow and shows (RFC 6749 §2.3.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from wsgiref.types import WSGIEnvironment

from .addresses import Addresses, group_of
from .errors import InvalidClient, TooManyRequests
from .events import GuessingSlowed, Sink
from .model import Clock
from .processes import PerProcess
from .rates import Rate

if TYPE_CHECKING:
    from .slots import Guesses

SHOW_SECONDS = 60.0
MAX_SHOWN = 10  # addresses within SHOW_SECONDS


@dataclass(eq=False, repr=False)
class Throttle:
    """Counts wrong credentials, and refuses those that are too many.

    The credentials are checked before. Right ones are accepted whatever others send, except for a secret that is
    registered as weak: while its client or the address has reached a limit, it is refused from that address, as wrong
    ones are. Otherwise, guessing it would go on.

    The counters are those of one process. They and the library that they need exist from the first failure on.

    :param per_client: how many wrong credentials for a client id from an address are answered 401.
    :param per_address: the same for an address, whatever the client ids.
    :param used: called with a client that has used a weak secret, and the environ.
    """

    addresses: Addresses
    per_client: Rate
    per_address: Rate
    clock: Clock
    emit: Sink
    used: Callable[[str, WSGIEnvironment], None] = lambda client_id, environ: None

    def __post_init__(self) -> None:
        self._guesses = PerProcess(self._no_guesses)
        self._shown_until: dict[str, float] = {}

    def count(self, refusal: InvalidClient, environ: WSGIEnvironment) -> None:
        """Count the wrong credentials of a request.

        :param refusal: what the request is answered if they are not too many.
        :raises TooManyRequests: they are.
        """
        address = self.addresses(environ)
        group = group_of(address)
        wait = self._guesses.get().count(group, refusal.tried)
        if wait:
            if self._is_due(group):
                self.emit(GuessingSlowed(address, refusal.client_id), environ)
            raise TooManyRequests(
                f"too many wrong credentials: {refusal.reason}", wait, refusal.client_id, proved=refusal.may_read_client
            ) from None

    def check_weak(self, client_id: str, environ: WSGIEnvironment) -> None:
        """Refuse a client with a right and weak secret, if there were too many wrong ones.

        :raises TooManyRequests: there were.
        """
        address = self.addresses(environ)
        self.used(client_id, environ)
        guesses = self._guesses.find()
        wait = guesses.wait_of(group_of(address), client_id) if guesses else 0
        if wait:
            reason = "too many wrong credentials before the right ones, which are weak"
            # The time must not show that they are right.
            raise TooManyRequests(reason, wait, client_id, proved=False)

    def _no_guesses(self) -> Guesses:
        from .slots import Guesses

        return Guesses(self.per_client, self.per_address, self.clock)

    def _is_due(self, group: str) -> bool:
        """Whether an event is due: once a minute for the same addresses, and ten in all.

        It does not depend on the client id. Otherwise the time would show which ids exist, as invented ones are all the
        same in an event.
        """
        now = self.clock()
        until = {each: end for each, end in self._shown_until.copy().items() if 0 < end - now <= SHOW_SECONDS}
        if group in until or len(until) >= MAX_SHOWN:
            return False
        self._shown_until = {**until, group: now + SHOW_SECONDS}
        return True
