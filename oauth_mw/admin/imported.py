"""What an import remembers of a client: a mark of each value as it was where the client comes from.

So another import changes only what has changed there, and keeps what was changed here since: of scopes, requests and
attributes each by itself. Requests are remembered as they are, to compare what they cover.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from ..errors import AdminError
from ..limits import MAX_LISTED, NOTHING, AllowedRequest, parse_request
from ..model import MAX_SCOPES, Client
from .fields import check_client

ENABLED = "enabled"
_FIELDS = ("name", "not_after")
_SCOPES, _REQUESTS = "scopes", "allowed_requests"
_LISTS = {_SCOPES: MAX_SCOPES, _REQUESTS: MAX_LISTED}
_ATTRIBUTE = "attributes."
_CLOSED, _SECRETS = "closed", "secrets"
PROBLEM, MISSING = "problem", "missing"


def marked(client: Client, closed: Iterable[str], secrets: Iterable[str]) -> Client:
    """A client as it is found elsewhere, with the marks of its values.

    :param closed: why it is not enabled; :data:`PROBLEM` for all that cannot be expressed, and :data:`MISSING` if not
        all of it was found.
    :param secrets: the ids of its secrets.
    """
    values: dict[str, Any] = {name: getattr(client, name) for name in _FIELDS}
    values |= {_ATTRIBUTE + name: value for name, value in client.attributes.items()}
    marks = {name: _mark(value) for name, value in values.items()}
    marks |= {_SCOPES: " ".join(map(_mark, client.scopes)), _REQUESTS: "\n".join(client.allowed_requests)}
    marks |= {_CLOSED: " ".join(map(_mark, closed)), _SECRETS: " ".join(secrets)}
    return replace(client, imported=MappingProxyType(marks))


def _has_changed(name: str, found: Client, stored: Client) -> bool:
    """True if a value is another one there than at the import before, or there was none."""
    return stored.imported.get(name) != found.imported.get(name)


def is_partial(found: Client) -> bool:
    """True if not all of it was found."""
    return _mark(MISSING) in found.imported[_CLOSED].split()


def enabling(found: Client, stored: Client) -> bool | None:
    """False if something closes it there that did not before, true if nothing does any more, or else ``None``.

    What was not found closes no stored client.
    """
    before, now = ({*each.imported.get(_CLOSED, "").split()} for each in (stored, found))
    if now - before - {_mark(MISSING)}:
        return False
    return True if not now and (before or not stored.imported) else None


def was_removed(secret_id: str, stored: Client) -> bool:
    """True if a secret was imported before, and is none of the client now."""
    had = stored.imported.get(_SECRETS, "").split()
    return secret_id in had and all(each.secret_id != secret_id for each in stored.secrets)


def only_closed(found: Client, stored: Client) -> Client:
    """The stored client, which remembers of another import only why it is closed there."""
    return replace(stored, imported=MappingProxyType({**stored.imported, _CLOSED: found.imported[_CLOSED]}))


def merged(found: Client, stored: Client) -> Client:
    """The stored client with the values that have changed where it comes from.

    :param found: the client as it is there, from :func:`marked`.
    :raises AdminError: they contradict what was changed here.
    """
    fields: dict[str, Any] = {name: getattr(found, name) for name in _FIELDS if _has_changed(name, found, stored)}
    fields |= {name: _list(name, found, stored) for name in _LISTS if _has_changed(name, found, stored)}
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
    if name == _REQUESTS:
        both = _requests(stored.imported[name].split("\n"), here, there)
    else:
        before, now = set(stored.imported[name].split()), set(map(_mark, there))
        kept = [each for each in here if _mark(each) in now or _mark(each) not in before]
        both = dict.fromkeys([*kept, *(each for each in there if _mark(each) not in before)])
    if len(both) > _LISTS[name]:
        raise AdminError(f"with those that were added here it has {len(both)} {name}, more than {_LISTS[name]}")
    return there if both.keys() == {*there} else tuple(both)


def _requests(before: Sequence[str], here: Sequence[str], there: Sequence[str]) -> dict[str, None]:
    if not here:  # all were allowed here
        return {}
    earlier, now = _parsed(before), _parsed(there)
    mine = {each: _left(each, earlier, now) for each in here if each not in before}
    kept = [left for each in here if (left := each if each in there else mine.get(each))]
    # A path whose methods have changed there stays away if it was removed or narrowed here.
    refused = {_path(each) for each in before if each not in here}
    new = [each for each in there if each not in before and _path(each) not in refused]
    return dict.fromkeys(each for each in (*kept, *new) if each != NOTHING) or {NOTHING: None}


def _parsed(texts: Iterable[str]) -> list[AllowedRequest]:
    """Requests without those that are none: what is remembered may come from a file that was edited."""
    found = []
    for text in texts:
        with suppress(ValueError):
            found.append(parse_request(text))
    return found


def _left(text: str, before: Sequence[AllowedRequest], now: Sequence[AllowedRequest]) -> str:
    """A request that was added here, without the methods for which all of it was allowed there, and is no more."""
    methods, _, path = text.partition(" ")
    parts = _parsed(f"{method} {path}" for method in methods.split(","))
    left = [part.text.partition(" ")[0] for part in parts if _covered(part, now) or not _covered(part, before)]
    return f"{','.join(left)} {path}" if left else ""


def _covered(part: AllowedRequest, by: Sequence[AllowedRequest]) -> bool:
    """True if one of the others covers a request, or two of them do: ``/x`` and ``/x/{}/*`` together are ``/x/*``."""
    if any(each.covers(part) for each in by):
        return True
    folder = part.text.removesuffix("/*")
    halves = _parsed([folder if folder.count("/") else f"{folder}/", f"{folder}/{{}}/*"])
    return part.pattern.tail and all(any(each.covers(half) for each in by) for half in halves)


def _path(request: str) -> str:
    return request.partition(" ")[2]


def _attributes(found: Client, stored: Client) -> Mapping[str, Any]:
    gone = stored.imported.keys() - found.imported.keys()
    kept = {name: value for name, value in stored.attributes.items() if _ATTRIBUTE + name not in gone}
    new = {name: value for name, value in found.attributes.items() if _has_changed(_ATTRIBUTE + name, found, stored)}
    return {**kept, **new}


def _mark(value: object) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()[:12]
