"""What an import remembers of a client: a mark of each value as it was where the client comes from.

So another import changes only what has changed there, and keeps what was changed here since: of scopes, requests and
attributes each by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from ..errors import AdminError
from ..limits import MAX_LISTED, NOTHING
from ..model import MAX_SCOPES, Client
from .fields import check_client

ENABLED = "enabled"
_FIELDS = ("name", "not_after")
_SCOPES, _REQUESTS = "scopes", "allowed_requests"
_LISTS = {_SCOPES: MAX_SCOPES, _REQUESTS: MAX_LISTED}
_NONE = {_SCOPES: (), _REQUESTS: (NOTHING,)}
_ATTRIBUTE = "attributes."


def marked(client: Client, enabled: bool) -> Client:
    """A client as it is found elsewhere, with the marks of its values.

    :param enabled: whether it is enabled there.
    """
    values: dict[str, Any] = {name: getattr(client, name) for name in _FIELDS}
    values |= {_ATTRIBUTE + name: value for name, value in client.attributes.items()}
    marks = {name: _mark(value) for name, value in {**values, ENABLED: enabled}.items()}
    marks |= {name: " ".join(map(_mark, getattr(client, name))) for name in _LISTS}
    return replace(client, imported=MappingProxyType(marks))


def has_changed(name: str, found: Client, stored: Client) -> bool:
    """True if a value is another one there than at the import before, or there was none."""
    return stored.imported.get(name) != found.imported.get(name)


def merged(found: Client, stored: Client) -> Client:
    """The stored client with the values that have changed where it comes from.

    :param found: the client as it is there, from :func:`marked`.
    :raises AdminError: they contradict what was changed here.
    """
    fields: dict[str, Any] = {name: getattr(found, name) for name in _FIELDS if has_changed(name, found, stored)}
    fields |= {name: _list(name, found, stored) for name in _LISTS if has_changed(name, found, stored)}
    if stored.default_scope is not None and _SCOPES in fields:
        fields["default_scope"] = tuple(each for each in stored.default_scope if each in fields[_SCOPES])
    attributes = _attributes(found, stored)
    return check_client(
        replace(
            stored,
            **fields,
            attributes=MappingProxyType(attributes),
            public_attributes=stored.public_attributes & attributes.keys(),
            imported=found.imported,
        )
    )


def _list(name: str, found: Client, stored: Client) -> tuple[str, ...]:
    """The stored values without those that are gone there, and with those that are new there."""
    there: tuple[str, ...] = getattr(found, name)
    here: tuple[str, ...] = getattr(stored, name)
    if name not in stored.imported:
        return there
    if name == _REQUESTS and not here:  # all were allowed here
        return here
    before, now = set(stored.imported[name].split()), set(map(_mark, there))
    kept = [each for each in here if _mark(each) in now or _mark(each) not in before]
    both = dict.fromkeys([*kept, *(each for each in there if _mark(each) not in before)])
    if len(both) > _LISTS[name]:
        raise AdminError(f"with those that were added here it has {len(both)} {name}, more than {_LISTS[name]}")
    return there if both.keys() == {*there} else tuple(both) or _NONE[name]


def _attributes(found: Client, stored: Client) -> Mapping[str, Any]:
    gone = {name.removeprefix(_ATTRIBUTE) for name in stored.imported.keys() - found.imported.keys()}
    kept = {name: value for name, value in stored.attributes.items() if name not in gone}
    new = {name: value for name, value in found.attributes.items() if has_changed(_ATTRIBUTE + name, found, stored)}
    return {**kept, **new}


def _mark(value: object) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()[:12]
