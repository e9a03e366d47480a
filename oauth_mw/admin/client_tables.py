"""Clients as the tables of a TOML file, and how two of them differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..model import LAST_SECOND, Client, ClientSecret
from ..scopes import oddity

HASH = "sha256"  # a hash is written as sha256$SALT$DIGEST, both hexadecimal
BARE = re.compile(r"[A-Za-z0-9_-]+")

_NOT_COMPARED = ("allow_odd_scope", "created_at")

Table = dict[str, Any]


class Difference(NamedTuple):
    """One field that a change of a client changes, named as in the file, and its values; ``None`` if it has none."""

    field: str
    before: object
    after: object


def table_of(client: Client) -> Table:
    """A client as a table, without its id. Fields that have their defaults are left out."""
    public = client.public_attributes
    values: Table = {
        "name": client.name,
        "enabled": client.enabled,
        "scope": " ".join(client.scopes) or None,
        "allow_odd_scope": True if oddity(client.scopes) else None,
        "default_scope": None if client.default_scope is None else " ".join(client.default_scope),
        "lifetime": client.lifetime,
        "token_format": client.token_format,
        "audiences": list(client.audiences) or None,
        "default_audience": None if client.default_audience is None else list(client.default_audience),
        "resource_server": client.resource_server or None,
        "allowed_addresses": list(client.allowed_addresses) or None,
        "allowed_requests": list(client.allowed_requests) or None,
        "rate_limit": client.rate_limit,
        "not_after": _moment(client.not_after),
        "tokens_per_hour": client.tokens_per_hour,
        "tokens_per_day": client.tokens_per_day,
        "quota_mode": client.quota_mode,
        "created_at": _moment(client.created_at),
        "revoked_secrets": list(client.revoked_secrets) or None,
        "imported": dict(client.imported) or None,
        "attributes": {name: each for name, each in client.attributes.items() if name not in public} or None,
        "public_attributes": {name: each for name, each in client.attributes.items() if name in public} or None,
        "secrets": [_secret_table(each) for each in client.secrets],
    }
    return {name: each for name, each in values.items() if each is not None}


def _secret_table(secret: ClientSecret) -> Table:
    values: Table = {
        "id": secret.secret_id,
        "label": secret.label or None,
        "hash": f"{HASH}${secret.salt.hex()}${secret.digest.hex()}",
        "created_at": _moment(secret.created_at),
        "not_after": _moment(secret.not_after),
        "weak": secret.weak or None,
    }
    return {name: each for name, each in values.items() if each is not None}


def _moment(seconds: int | None) -> datetime | int | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None and 0 <= seconds <= LAST_SECOND else seconds


def differences(before: Client | None, after: Client) -> list[Difference]:
    """How a client is changed, or what it has if it is added. No hash of a secret is part of it."""
    old, new = _flat(before), _flat(after)
    found = []
    for path in dict.fromkeys([*new, *old]):
        name = ".".join(path)
        if _is_same(old.get(path), new.get(path)):
            continue
        if path[-1] != "hash" or len(path) < 3:
            found.append(Difference(name, _plain(old.get(path)), _plain(new.get(path))))
        elif path in old and path in new:
            found.append(Difference(name, "one", "another"))
    return found


def _flat(client: Client | None) -> dict[tuple[str, ...], Any]:
    """The values of a client by their paths."""
    found: dict[tuple[str, ...], Any] = {}
    for name, value in (table_of(client) if client else {}).items():
        if name == "secrets":
            for secret in value:
                secret_id = secret.pop("id")
                found[name, secret_id] = "present"
                found |= {(name, secret_id, key): each for key, each in secret.items()}
        elif isinstance(value, dict):
            found |= {(name, key): each for key, each in value.items()}
        else:
            found[(name,)] = value
    # A path of two is an attribute or a secret, which may have any name.
    compared = (path for path in found if len(path) == 2 or path[-1] not in _NOT_COMPARED)
    return {path: found[path] for path in compared if path[0] != "imported"}


def _is_same(value: object, other: object) -> bool:
    """True if the values are equal, and not one 1 and the other true."""
    return type(value) is type(other) and value == other


def _plain(value: Any) -> object:
    return int(value.timestamp()) if isinstance(value, datetime) else value


def toml(clients: Iterable[tuple[str, Table]]) -> Iterator[str]:
    """The tables of clients, by their ids, as pieces of TOML."""
    for client_id, table in clients:
        place = f"clients.{_key(client_id)}"
        yield f"\n[{place}]\n{_pairs({name: each for name, each in table.items() if not _tables(each)})}"
        for name, value in table.items():
            head = f"[{place}.{name}]" if isinstance(value, dict) else f"[[{place}.{name}]]"
            for each in _tables(value):
                yield f"\n{head}\n{_pairs(each)}"


def _tables(value: object) -> list[Table]:
    """The tables that stand below others."""
    if isinstance(value, dict):
        return [value]
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _pairs(values: Mapping[str, Any]) -> str:
    return "".join(f"{_key(name)} = {_value(each)}\n" for name, each in values.items())


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)  # true, false, and numbers as TOML has them, too


def _text(text: str) -> str:
    """A basic string. Its escapes are those of JSON, and others for what could change how a terminal shows the file."""
    written = json.dumps(text, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in written)
