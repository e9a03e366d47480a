"""``on_issue`` and ``on_lifetime``: functions of the user that decide about a token before it is issued."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

from .answers import Header
from .attributes import check_attributes
from .deadlines import uncounted
from .errors import AdminError, EndpointError, Faults, StoreUnavailable, UnauthorizedClient
from .events import TokenHookFailed
from .functions import failure_of, load_function
from .model import EMPTY, MAX_LIFETIME, Client, Value

ON_ISSUE = "on_issue"
ON_LIFETIME = "on_lifetime"
EXPECTED = {
    ON_ISSUE: "expected a function of (client, scope, form), which returns a mapping of attributes",
    ON_LIFETIME: "expected a function of (client, scope, form), which returns seconds",
}
MAX_REASON = 500  # characters

# Form parameters that are credentials, of this grant and of others.
CREDENTIALS = frozenset(
    "client_secret client_assertion client_assertion_type assertion token password refresh_token code code_verifier"
    " device_code subject_token actor_token auth_req_id".split()
)

OnIssue = Callable[[Client, str, Mapping[str, str]], Mapping[str, Value]]
OnLifetime = Callable[[Client, str, Mapping[str, str]], int]

T = TypeVar("T")


class RefuseToken(Exception):
    """Raise this in ``on_issue`` or ``on_lifetime`` to issue no token.

    The client is answered 400 with ``unauthorized_client`` (RFC 6749 §5.2) and a constant text.

    :param reason: why, for the log alone.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)


class TokenDenied(UnauthorizedClient):
    """A function of the user refused the token."""

    description = "This client may not be issued this token"


class HookUnavailable(EndpointError):
    """A function of the user failed. Its answer is that of a store that does not answer: the fault may be gone soon."""

    status = StoreUnavailable.status
    error = StoreUnavailable.error
    description = StoreUnavailable.description

    def headers(self) -> list[Header]:
        return [("Retry-After", "1")]


class _Wrong(Exception):
    """What the function returned is not what it must return."""


@dataclass(eq=False, repr=False)
class Hooks:
    """Calls the functions of the user, and decides with what attributes and for how long a token is issued.

    :param public: names of the attributes of ``on_issue`` that are public.
    :param report: called with an event when a function fails.
    """

    on_issue: OnIssue | None
    on_lifetime: OnLifetime | None
    public: Collection[str]
    report: Callable[[TokenHookFailed], None]

    def __call__(
        self, client: Client, scopes: Sequence[str], form: Mapping[str, str], lifetime: int
    ) -> tuple[Client, int]:
        """Return the client with the attributes that its token gets, and the lifetime in seconds.

        :param form: all parameters of the request; the values of repeated ones are joined by NUL.
        :raises TokenDenied: a function refuses the token.
        :raises HookUnavailable: a function failed.
        """
        # The functions must not change a record that this worker keeps, and need no hashes of secrets.
        seen = replace(client, attributes=MappingProxyType({**client.attributes}), secrets=(), other=EMPTY)
        given = {name: text.replace("\0", " ") for name, text in form.items() if name not in CREDENTIALS}
        request = seen, " ".join(scopes), MappingProxyType(given)
        if self.on_lifetime is not None:
            on_lifetime = self.on_lifetime
            lifetime = self._called(ON_LIFETIME, lambda: _seconds(on_lifetime(*request)))
        if self.on_issue is not None:
            on_issue = self.on_issue
            found = self._called(ON_ISSUE, lambda: _attributes(on_issue(*request)))
            public = client.public_attributes.union(name for name in found if name in self.public)
            attributes = MappingProxyType({**client.attributes, **found})
            client = replace(client, attributes=attributes, public_attributes=public)
        return client, lifetime

    def _called(self, option: str, call: Callable[[], T]) -> T:
        try:
            with uncounted():
                return call()
        except RefuseToken as refusal:
            raise TokenDenied(f"{option}: {_reason_of(refusal)}") from None
        except _Wrong as wrong:
            reason = str(wrong)
        except BaseException as failure:
            reason = failure_of(failure)
        self.report(TokenHookFailed(option, reason))
        raise HookUnavailable(f"{option} failed: {reason}")


def load_hooks(
    on_issue: str | OnIssue | None,
    on_lifetime: str | OnLifetime | None,
    public: Collection[str],
    report: Callable[[TokenHookFailed], None],
) -> Hooks | None:
    """Return what calls the functions that the options name; ``None`` if they name none.

    :raises ConfigError: one cannot be imported, or cannot be called with three arguments.
    """
    if on_issue is None and on_lifetime is None:
        return None
    return Hooks(_loaded(ON_ISSUE, on_issue), _loaded(ON_LIFETIME, on_lifetime), public, report)


def check_hooks(on_issue: str | OnIssue | None, on_lifetime: str | OnLifetime | None, faults: Faults) -> None:
    """Add a fault for each function that cannot be imported, or cannot be called with three arguments."""
    for option, given in ((ON_ISSUE, on_issue), (ON_LIFETIME, on_lifetime)):
        with faults:
            _loaded(option, given)


def _loaded(option: str, given: str | Callable[..., T] | None) -> Callable[..., T] | None:
    return None if given is None else load_function(option, given, EXPECTED[option], 3)


def _reason_of(refusal: RefuseToken) -> str:
    """The reason; of one that is not text, its type: to make a text of it could fail."""
    given: object = refusal.args[0] if refusal.args else ""
    return given[:MAX_REASON] if isinstance(given, str) else f"a reason of the type {type(given).__name__}"


def _seconds(found: object) -> int:
    if type(found) is not int:
        raise _Wrong(f"it returned {type(found).__name__}, not a whole number of seconds")
    if not 1 <= found <= MAX_LIFETIME:
        raise _Wrong(f"the seconds that it returned are not between 1 and {MAX_LIFETIME}")
    return found


def _attributes(found: object) -> dict[str, Value]:
    if not isinstance(found, Mapping):
        raise _Wrong(f"it returned {type(found).__name__}, not a mapping of attributes")
    given = dict(found)
    if not all(isinstance(name, str) for name in given):
        raise _Wrong("a name in the mapping that it returned is not a string")
    attributes = {str.__str__(name): value for name, value in given.items()}  # subclasses may compare as they like
    try:
        # As if all were public: a function that names one "scope" means to change the scope, which it cannot.
        check_attributes(attributes, attributes)
    except AdminError as error:
        raise _Wrong(f"of the mapping that it returned: {str(error)[:MAX_REASON]}") from None
    plain: dict[str, Value] = json.loads(json.dumps(attributes))  # subclasses of str and numbers cannot be stored
    return plain
