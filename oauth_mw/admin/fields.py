"""What the fields of a client may be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypedDict, TypeVar

from ..attributes import check_attributes
from ..errors import AdminError
from ..limits import READERS
from ..model import LAST_SECOND, MAX_LIFETIME, MAX_SCOPES, TOKEN_FORMATS, Client
from ..quotas import has_quota
from ..resources import check_resources
from ..scopes import check_scopes, oddity
from ..texts import PRINTABLE, unprintable
from .quotas import check_quotas

T = TypeVar("T")

# The fields that an update can clear, and their values then.
CLEARED: Mapping[str, tuple[str, ...] | None] = {
    "default_scope": None,
    "lifetime": None,
    "token_format": None,
    "audiences": (),
    "default_audience": None,
    "not_after": None,
    "tokens_per_hour": None,
    "tokens_per_day": None,
    "quota_mode": None,
    "allowed_addresses": (),
    "allowed_requests": (),
    "rate_limit": None,
}
# The fields that hold for tokens that were issued before, too. Workers drop what they have cached when one changes.
LIVE = frozenset({"not_after", "allowed_addresses", "allowed_requests", "rate_limit"})


class ClientFields(TypedDict, total=False):
    """Fields of a client that ``add_client`` and ``update_client`` take. ``None`` leaves a field as it is.

    ``scope`` has the scopes that the client may have, separated by spaces (RFC 6749 §3.3), and ``default_scope`` the
    scope of its tokens if a request names none. ``lifetime`` of its tokens is in seconds; their ``token_format`` is
    ``opaque`` or ``jwt``. ``audiences`` are the URIs that its tokens may be for (RFC 8707), or that identify it as a
    resource server; ``default_audience`` is that of its tokens if a request names none. A ``resource_server`` may
    introspect tokens that are for it, and is issued none. ``not_after`` is the Unix second from which the client and
    its tokens are refused. ``tokens_per_hour`` and ``tokens_per_day`` (of UTC) are quotas of tokens; ``quota_mode`` is
    ``enforce``, the default, or ``report``. ``allowed_addresses`` are the networks (CIDR) from which it and its tokens
    are accepted, ``allowed_requests`` what its tokens may be used for, as "GET,POST /weather/*", and ``rate_limit`` how
    many requests it may send with them: "100/minute", or "off".
    """

    scope: str | None
    default_scope: str | None
    lifetime: int | None
    token_format: str | None
    audiences: Iterable[str] | None
    default_audience: Iterable[str] | None
    resource_server: bool | None
    not_after: int | None
    tokens_per_hour: int | None
    tokens_per_day: int | None
    quota_mode: str | None
    allowed_addresses: Iterable[str] | None
    allowed_requests: Iterable[str] | None
    rate_limit: str | None


def read_fields(fields: ClientFields, *, allow_odd_scope: bool, now: int) -> dict[str, Any]:
    """Check and convert the fields that are not ``None``. The result names them as :class:`Client` does.

    :param now: Unix seconds.
    :raises AdminError: a value is not allowed.
    """
    if unknown := fields.keys() - ClientFields.__annotations__.keys():
        raise TypeError(f"a client has no field {', '.join(sorted(unknown))}")
    scopes = partial(_scopes, allow_odd=allow_odd_scope)
    convert: dict[str, Callable[[Any], Any]] = {
        "scope": scopes,
        "default_scope": scopes,
        "audiences": check_resources,
        "default_audience": check_resources,
        "not_after": partial(later, now=now),
        **{name: partial(_limit, read) for name, read in READERS.items()},
    }
    return {
        "scopes" if name == "scope" else name: convert[name](value) if name in convert else value
        for name, value in fields.items()
        if value is not None
    }


def later(not_after: int, now: int) -> int:
    """Return the Unix second; ``AdminError`` is raised if it is not after ``now``."""
    if type(not_after) is not int or not now < not_after <= LAST_SECOND:
        raise AdminError("not_after is in the past, or after the year 2105")
    return not_after


def read_name(text: str) -> str:
    """Return the text; ``AdminError`` is raised if it cannot be a name or label."""
    if len(text) > 200:
        raise AdminError("a name or label has at most 200 printable characters")
    if bad := unprintable(text):
        raise AdminError(f"a name or label is printable text, without {bad}: {PRINTABLE}")
    return text


def _limit(read: Callable[[Any], T], value: Any) -> T:
    try:
        return read(value)
    except ValueError as error:
        raise AdminError(str(error)) from None


def _scopes(text: str, allow_odd: bool) -> tuple[str, ...]:
    try:
        scopes = check_scopes(text.split(), allow_odd=True)
    except ValueError as error:
        raise AdminError(str(error)) from None
    if len(scopes) > MAX_SCOPES:
        raise AdminError(f"a client has at most {MAX_SCOPES} scopes, not {len(scopes)}")
    if not allow_odd and (refusal := oddity(scopes)):
        raise AdminError(f"{refusal} (--allow-odd-scope accepts it)")
    return scopes


def check_client(client: Client) -> Client:
    """Check a client as a whole, and return it.

    :raises AdminError: fields contradict each other, or a value is not allowed.
    """
    check_values(client)
    if client.default_scope is not None and not set(client.default_scope) <= set(client.scopes):
        raise AdminError("the default scope must be part of the scope")
    if client.audiences and not set(client.default_audience or ()) <= set(client.audiences):
        raise AdminError("the default audience must be among the audiences")
    if client.quota_mode is not None and not has_quota(client):
        raise AdminError("a quota mode does nothing without a quota: give tokens_per_hour or tokens_per_day, too")
    return client


def check_values(client: Client) -> None:
    """Check the fields of a client, each by itself.

    :raises AdminError: a value is not allowed.
    """
    if client.lifetime is not None and not (type(client.lifetime) is int and 1 <= client.lifetime <= MAX_LIFETIME):
        raise AdminError(f"a lifetime is from 1 to {MAX_LIFETIME} seconds")
    if client.token_format not in (None, *TOKEN_FORMATS):
        raise AdminError(f"a token format is one of: {', '.join(TOKEN_FORMATS)}")
    check_quotas(client)
    if client.default_audience == ():
        raise AdminError("a default audience has at least one URI")
    check_attributes(client.attributes, client.public_attributes)
