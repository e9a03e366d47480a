"""The rules for the fields of a client, except its id and secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypedDict

from ..attributes import check_attributes
from ..errors import AdminError
from ..model import MAX_LIFETIME, MAX_SCOPES, TOKEN_FORMATS, Client
from ..resources import check_resources
from ..scopes import check_scopes, oddity
from ..texts import PRINTABLE, unprintable

# The fields that an update can clear, and their values then.
CLEARED: Mapping[str, tuple[str, ...] | None] = {
    "default_scope": None,
    "lifetime": None,
    "token_format": None,
    "audiences": (),
    "default_audience": None,
}


class ClientFields(TypedDict, total=False):
    """Fields of a client that ``add_client`` and ``update_client`` take. ``None`` leaves a field as it is.

    ``scope`` has the scopes that the client may have, separated by spaces (RFC 6749 §3.3), and ``default_scope`` the
    scope of its tokens if a request names none. ``lifetime`` of its tokens is in seconds; their ``token_format`` is
    ``opaque`` or ``jwt``. ``audiences`` are the URIs that its tokens may be for (RFC 8707), or that identify it as a
    resource server; ``default_audience`` is that of its tokens if a request names none. A ``resource_server`` may
    introspect tokens that are for it, and is issued none.
    """

    scope: str | None
    default_scope: str | None
    lifetime: int | None
    token_format: str | None
    audiences: Iterable[str] | None
    default_audience: Iterable[str] | None
    resource_server: bool | None


def read_fields(fields: ClientFields, *, allow_odd_scope: bool) -> dict[str, Any]:
    """Check and convert the fields that are not ``None``. The result names them as :class:`Client` does.

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
    }
    return {
        "scopes" if name == "scope" else name: convert[name](value) if name in convert else value
        for name, value in fields.items()
        if value is not None
    }


def read_name(text: str) -> str:
    """Return the text; ``AdminError`` is raised if it cannot be a name or label."""
    if len(text) > 200:
        raise AdminError("a name or label has at most 200 printable characters")
    if bad := unprintable(text):
        raise AdminError(f"a name or label is printable text, without {bad}: {PRINTABLE}")
    return text


def _scopes(text: str, allow_odd: bool) -> tuple[str, ...]:
    try:
        scopes = check_scopes(text.split(), allow_odd=True)
    except ValueError as error:
        raise AdminError(str(error)) from None
    if len(scopes) > MAX_SCOPES:
        raise AdminError(f"a client has at most {MAX_SCOPES} scopes, not {len(scopes)}")
    if not allow_odd and (refusal := oddity(scopes)):
        raise AdminError(f"{refusal} (--allow-odd-scope takes it as it is)")
    return scopes


def check_client(client: Client) -> Client:
    """Check a client as a whole, and return it.

    :raises AdminError: fields contradict each other, or a value is not allowed.
    """
    if client.default_scope is not None and not set(client.default_scope) <= set(client.scopes):
        raise AdminError("the default scope must be part of the scope")
    if client.lifetime is not None and not (type(client.lifetime) is int and 1 <= client.lifetime <= MAX_LIFETIME):
        raise AdminError(f"a lifetime has from 1 to {MAX_LIFETIME} seconds")
    if client.token_format not in (None, *TOKEN_FORMATS):
        raise AdminError(f"a token format is one of: {', '.join(TOKEN_FORMATS)}")
    if client.default_audience == ():
        raise AdminError("a default audience names at least one")
    if client.audiences and not set(client.default_audience or ()) <= set(client.audiences):
        raise AdminError("the default audience must be among the audiences")
    check_attributes(client.attributes)
    return client
