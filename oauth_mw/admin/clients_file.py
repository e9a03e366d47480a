"""A file of clients, as it is read: each value is checked by itself, and all faults are reported together."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, NamedTuple

from ..attributes import check_attributes, unite
from ..credentials import (
    DIGEST_BYTES,
    MAX_REVOKED,
    MAX_SECRET,
    MAX_SECRETS,
    SALT_BYTES,
    check_client_id,
    check_secret,
    hash_secret,
)
from ..errors import AdminError, Faults
from ..model import LAST_SECOND, Client, ClientSecret
from .client_tables import BARE, HASH
from .declared import DeclaredClient, DeclaredSecret
from .fields import check_client, check_values, read_fields, read_name

SECRET_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HASH = re.compile(rf"{HASH}\$([0-9a-f]{{{2 * SALT_BYTES}}})\$([0-9a-f]{{{2 * DIGEST_BYTES}}})")
# What messages name as options of commands, as it is written in a file.
_IN_FILE = {"--allow-odd-scope": "allow_odd_scope = true", "--allow-weak-secret": "weak = true"}


class Kind(NamedTuple):
    """What the value of a key may be: a sentence's end, and a test."""

    expected: str
    fits: Callable[[Any], bool]


TEXT = Kind('a text in quotes, "…"', lambda value: type(value) is str)
FLAG = Kind("true or false", lambda value: type(value) is bool)
NUMBER = Kind("a whole number", lambda value: type(value) is int)
TEXTS = Kind('a list of texts, ["…", "…"]', lambda value: type(value) is list and all(type(x) is str for x in value))
MOMENT = Kind("a time, such as 2027-12-31 or 2027-12-31T12:00:00Z", lambda value: _seconds(value) is not None)
TABLE = Kind("a table", lambda value: type(value) is dict)
TEXTS_BY_NAME = Kind(
    "a table of texts, as `client export` writes it",
    lambda value: type(value) is dict and all(type(x) is str for x in value.values()),
)
TABLES = Kind("a list of tables", lambda value: type(value) is list and all(type(x) is dict for x in value))

_FIELDS = {
    "scope": TEXT,
    "default_scope": TEXT,
    "lifetime": NUMBER,
    "token_format": TEXT,
    "audiences": TEXTS,
    "default_audience": TEXTS,
    "resource_server": FLAG,
    "allowed_addresses": TEXTS,
    "allowed_requests": TEXTS,
    "rate_limit": TEXT,
    "tokens_per_hour": NUMBER,
    "tokens_per_day": NUMBER,
    "quota_mode": TEXT,
}
_CLIENT: Mapping[str, Kind] = {
    "name": TEXT,
    "enabled": FLAG,
    "allow_odd_scope": FLAG,
    **_FIELDS,
    "not_after": MOMENT,
    "created_at": MOMENT,
    "revoked_secrets": TEXTS,
    "imported": TEXTS_BY_NAME,
    "attributes": TABLE,
    "public_attributes": TABLE,
    "secrets": TABLES,
}
_SOURCES = ("hash", "variable", "file")
_SECRET: Mapping[str, Kind] = {
    "id": TEXT,
    "label": TEXT,
    **dict.fromkeys(_SOURCES, TEXT),
    "created_at": MOMENT,
    "not_after": MOMENT,
    "weak": FLAG,
}
# What may contradict other fields, and these: their names in the file, and in a client.
_WITHIN = {
    "default_scope": {"scope": "scopes"},
    "default_audience": {"audiences": "audiences"},
    "quota_mode": {name: name for name in ("tokens_per_hour", "tokens_per_day")},
}


def read_clients(
    document: Mapping[str, Any], *, folder: str, environ: Mapping[str, str], now: int, faults: Faults
) -> list[DeclaredClient]:
    """Read declared clients.

    :param document: the file, as ``tomllib`` returns it.
    :param folder: the files of secrets are relative to it.
    :param environ: the variables of the environment.
    :param now: when clients and secrets are created for which the file does not say so, in Unix seconds.
    :param faults: receives what is wrong, each with its place. Then the result is not complete.
    """
    reader = _Reader(folder, environ, now, faults)
    found = reader.table("", dict(document), {"clients": TABLE})
    if "clients" not in document:
        faults.add("clients", 'is missing: expected a table for each client, [clients."ID"]')
    return [reader.client(client_id, table) for client_id, table in found.get("clients", {}).items()]


class _Reader:
    def __init__(self, folder: str, environ: Mapping[str, str], now: int, faults: Faults) -> None:
        self._folder = folder
        self._environ = environ
        self._now = now
        self._faults = faults

    def table(self, place: str, table: object, kinds: Mapping[str, Kind]) -> dict[str, Any]:
        """The values of a table that are of the right kinds."""
        if not isinstance(table, dict):
            self._faults.add(place, f"expected {TABLE.expected}")
            return {}
        found = {}
        for key, value in table.items():
            at = f"{place}.{spelled(key)}" if place else spelled(key)
            if key not in kinds:
                near = get_close_matches(key, kinds, 1, 0.5)
                meant = f"did you mean {near[0]}?" if near else f"expected one of: {', '.join(kinds)}"
                self._faults.add(at, f"is not known; {meant}")
            elif not kinds[key].fits(value):
                self._faults.add(at, f"expected {kinds[key].expected}")
            else:
                found[key] = _seconds(value) if kinds[key] is MOMENT else value
        return found

    def client(self, client_id: str, table: object) -> DeclaredClient:
        place = place_of(client_id)
        with self._collected(place):
            check_client_id(client_id)
        values = self.table(place, table, _CLIENT)
        if isinstance(table, dict) and "name" not in table:
            self._faults.add(f"{place}.name", "is missing: name what the client is for")
        with self._collected(f"{place}.name"):
            read_name(values.get("name", ""))
        attributes, public = self._attributes(place, values)
        client = Client(
            client_id,
            values.get("name", ""),
            attributes=MappingProxyType({**attributes, **public}),
            public_attributes=frozenset(public),
            not_after=self._moment(f"{place}.not_after", values.get("not_after")),
            created_at=self._moment(f"{place}.created_at", values.get("created_at", self._now)) or 0,
            imported=MappingProxyType(values.get("imported", {})),
            revoked_secrets=self._ids(f"{place}.revoked_secrets", values.get("revoked_secrets", [])),
            **self._fields(place, values),
        )
        secrets = self._secrets(place, client, values["secrets"]) if "secrets" in values else None
        return DeclaredClient(client, values.get("enabled"), secrets)

    def _fields(self, place: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that :func:`read_fields` reads, each checked by itself, and then those that limit another."""
        fields: dict[str, Any] = {}
        for key in _FIELDS.keys() & values.keys():
            with self._collected(f"{place}.{key}"):
                # The types of the values are checked above.
                given: Any = {key: values[key]}
                read = read_fields(given, allow_odd_scope=values.get("allow_odd_scope", False), now=self._now)
                check_values(Client("", **read))
                fields |= read
        for name, others in _WITHIN.items():
            if name in fields and all(field in fields or key not in values for key, field in others.items()):
                with self._collected(f"{place}.{name}"):
                    both = {each: fields[each] for each in (name, *others.values()) if each in fields}
                    check_client(Client("", **both))
        return fields

    def _attributes(self, place: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        kinds = values.get("attributes", {}), values.get("public_attributes", {})
        each: dict[str, dict[str, Any]] = {}
        for kind, found in zip(("attributes", "public_attributes"), kinds, strict=True):
            each |= {f"{place}.{kind}.{spelled(name)}": {name: value} for name, value in found.items()}
        for at, attribute in each.items():
            with self._collected(at):
                check_attributes(attribute, attribute if at.startswith(f"{place}.public_") else ())
        if self._faults.none_for(*each):
            with self._collected(f"{place}.attributes"):
                check_attributes(unite(*kinds), kinds[1])
        return kinds

    def _secrets(self, place: str, client: Client, tables: list[dict[str, Any]]) -> list[DeclaredSecret]:
        if len(tables) > MAX_SECRETS:
            self._faults.add(f"{place}.secrets", f"expected at most {MAX_SECRETS}, not {len(tables)}")
        found = [self._secret(f"{place}.secrets[{at}]", client, table) for at, table in enumerate(tables, 1)]
        ids = [table.get("id") for table in tables]
        for at, secret_id in enumerate(ids):
            if secret_id is not None and secret_id in ids[:at]:
                self._faults.add(f"{place}.secrets[{at + 1}].id", f"{secret_id!r} is that of another secret here")
            if secret_id in client.revoked_secrets:
                self._faults.add(f"{place}.secrets[{at + 1}].id", f"{secret_id!r} is among revoked_secrets, too")
        for at, each in enumerate(found):
            if each and any(other and each.equals(other) for other in found[:at]):
                self._faults.add(f"{place}.secrets[{at + 1}]", "is another one here with another id: expected it once")
        return [each for each in found if each]

    def _secret(self, place: str, client: Client, table: dict[str, Any]) -> DeclaredSecret | None:
        values = self.table(place, table, _SECRET)
        if "id" not in table:
            self._faults.add(f"{place}.id", 'is missing: name the secret, such as "2027"')
        self._ids(f"{place}.id", [values[each] for each in ("id",) if each in values])
        with self._collected(f"{place}.label"):
            read_name(values.get("label", ""))
        record = ClientSecret(
            values.get("id", ""),
            b"",
            b"",
            values.get("label", ""),
            self._moment(f"{place}.created_at", values.get("created_at", self._now)) or 0,
            self._moment(f"{place}.not_after", values.get("not_after")),
            values.get("weak", False),
        )
        sources = [each for each in _SOURCES if each in table]
        if len(sources) != 1:
            self._faults.add(place, f"expected one of {', '.join(_SOURCES)}, not {' and '.join(sources) or 'none'}")
        elif (source := sources[0]) in values:
            with self._collected(f"{place}.{source}"):
                return self._read(source, values[source], record, client.client_id)
        return None

    def _read(self, source: str, value: str, record: ClientSecret, client_id: str) -> DeclaredSecret:
        keeps_end = record.not_after is None
        if source == "hash":
            if not (found := _HASH.fullmatch(value)):
                raise AdminError(f"expected {HASH}$SALT$DIGEST, as `client export` writes it")
            salt, digest = map(bytes.fromhex, found.groups())
            return DeclaredSecret(record._replace(salt=salt, digest=digest), None, keeps_end)
        text = self._variable(value) if source == "variable" else self._file(value)
        weak = check_secret(text, client_id, allow_weak=record.weak)
        made = hash_secret(text)
        return DeclaredSecret(record._replace(salt=made.salt, digest=made.digest, weak=weak), text, keeps_end)

    def _variable(self, name: str) -> str:
        if not (text := self._environ.get(name)):
            # The name is not shown: it may be a secret that was written in its place.
            raise AdminError("is not set: expected the name of a variable of the environment that has the secret")
        return text

    def _file(self, name: str) -> str:
        try:
            with open(os.path.join(self._folder, name), "rb") as file:
                # Any bytes are Latin-1; those that no secret has are refused as such.
                text = file.read(MAX_SECRET + 3).decode("latin-1")
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            # The name is not shown, either.
            where = f" (relative to {self._folder!r})" if self._folder else ""
            raise AdminError(f"cannot be read ({said}): expected the name of a file{where} with the secret") from None
        return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")

    def _ids(self, place: str, ids: list[str]) -> tuple[str, ...]:
        for each in ids:
            if not SECRET_ID.fullmatch(each):
                self._faults.add(place, f"expected 1 to 64 letters, digits, . _ and -, not {each!r}")
        if len(ids) > MAX_REVOKED:
            self._faults.add(place, f"expected at most {MAX_REVOKED}, not {len(ids)}")
        return tuple(dict.fromkeys(ids))

    def _moment(self, place: str, seconds: int | None) -> int | None:
        if seconds is not None and not 0 <= seconds <= LAST_SECOND:
            self._faults.add(place, "expected a time from 1970 to 2105")
        return seconds

    @contextmanager
    def _collected(self, place: str) -> Iterator[None]:
        try:
            yield
        except AdminError as error:
            text = str(error)
            for option, written in _IN_FILE.items():
                text = text.replace(option, written)
            self._faults.add(place, text)


def place_of(client_id: str) -> str:
    """How faults name the table of a client."""
    return f"clients.{spelled(client_id)}"


def spelled(name: str) -> str:
    """A key as text that is safe in a line."""
    return name if BARE.fullmatch(name) else repr(name)


def _seconds(value: object) -> int | None:
    """A time of TOML as Unix seconds, in UTC unless it has an offset."""
    if type(value) is int:
        return value
    if type(value) is date:
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        return None
    return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
