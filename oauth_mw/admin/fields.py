"""The rules for the fields of a client, except its id and secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

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


def read_fields(
    name: str | None,
    scope: str | None,
    default_scope: str | None,
    lifetime: int | None,
    token_format: str | None,
    audiences: Iterable[str] | None,
    default_audience: Iterable[str] | None,
    resource_server: bool | None,
    *,
    allow_odd_scope: bool,
) -> dict[str, Any]:
    """Check and convert the fields that are not ``None``. The result names them as :class:`Client` does.

    :raises AdminError: a value is not allowed.
    """
    fields = {
        "name": None if name is None else read_name(name),
        "scopes": None if scope is None else _scopes(scope, allow_odd_scope),
        "default_scope": None if default_scope is None else _scopes(default_scope, allow_odd_scope),
        "lifetime": lifetime,
        "token_format": token_format,
        "audiences": None if audiences is None else check_resources(audiences),
        "default_audience": None if default_audience is None else check_resources(default_audience),
        "resource_server": resource_server,
    }
    return {field: value for field, value in fields.items() if value is not None}


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
