"""What Apigee's management API answers for developers, apps and API products, as it is read from files of JSON.

A file holds one of them, a page of them, or a list of these. ``null`` and a member that is missing are the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, TypeVar

from ...errors import Faults
from ...model import LAST_SECOND

T = TypeVar("T")

APPROVED, ACTIVE = "approved", "active"
NEVER = -1

_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_EXPECTED = (
    "expected what Apigee's management API answers: an object with app, developer or apiProduct, one app, developer or"
    " API product alone, or a list of these"
)


class Tie(NamedTuple):
    """One API product of a credential."""

    product: str
    status: str


class Credential(NamedTuple):
    """A key and its secret. Times are Unix seconds, and ``None`` for never."""

    key: str
    secret: str
    status: str
    issued_at: int | None
    expires_at: int | None
    scopes: tuple[str, ...]
    ties: tuple[Tie, ...]
    attributes: tuple[str, ...]  # names

    def __repr__(self) -> str:
        return f"Credential(key={self.key!r}, status={self.status!r})"


class App(NamedTuple):
    """An app. ``developer_id`` is empty for one of an AppGroup, or of a company."""

    app_id: str
    name: str
    status: str
    developer_id: str
    attributes: tuple[tuple[str, str], ...]
    credentials: tuple[Credential, ...]


class Developer(NamedTuple):
    developer_id: str
    email: str
    organization: str
    status: str
    attributes: tuple[str, ...]  # names


class Quota(NamedTuple):
    """So many requests in an interval of a unit, as the file has them; each empty if it has none."""

    limit: str
    interval: str
    unit: str


class Operation(NamedTuple):
    """Requests of a proxy; no methods stand for all."""

    resource: str
    methods: tuple[str, ...]


class Source(NamedTuple):
    """The operations of one proxy in an operation group."""

    proxy: str
    operations: tuple[Operation, ...]
    quota: Quota


class Product(NamedTuple):
    """An API product. ``sources`` is ``None`` if it has no operation group: then proxies and resources count.

    ``others`` names the groups of operations that no path describes.
    """

    name: str
    scopes: tuple[str, ...]
    environments: tuple[str, ...]
    proxies: tuple[str, ...]
    resources: tuple[str, ...]
    quota: Quota
    sources: tuple[Source, ...] | None
    others: tuple[str, ...]
    attributes: tuple[str, ...]  # names


class Export(NamedTuple):
    """All that is in the files."""

    apps: Sequence[App]
    developers: Mapping[str, Developer]
    products: Mapping[str, Product]


def read_export(files: Iterable[tuple[str, bytes]], faults: Faults) -> Export:
    """Read files of JSON, each with its name.

    What two pages have is taken once, if it is the same.

    :param faults: receives what is wrong, each with its place. Then the result is not complete.
    """
    apps: dict[str, App] = {}
    developers: dict[str, Developer] = {}
    products: dict[str, Product] = {}

    def add(found: dict[str, T], name: str, value: T, what: str, place: str) -> None:
        if name and found.setdefault(name, value) != value:
            faults.add(place, f"another {what} {name!r} is in these files, and differs: expected it once")

    for file, content in files:
        for kind, found in _records(_load(file, content, faults), _Place(f"{file}: ", faults)):
            if kind == "app":
                app = _app(found)
                add(apps, app.app_id, app, "app", found.place)
            elif kind == "developer":
                developer = _developer(found)
                add(developers, developer.developer_id, developer, "developer", found.place)
            else:
                product = _product(found)
                add(products, product.name, product, "API product", found.place)
    keys: dict[str, str] = {}
    for app in apps.values():
        for each in app.credentials:
            if each.key in keys:
                faults.add(f"app {app.app_id!r}", f"its key {each.key!r} is also that of app {keys[each.key]!r}")
            keys[each.key] = app.app_id
    return Export([*apps.values()], developers, products)


def _load(file: str, content: bytes, faults: Faults) -> object:
    try:
        found = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_refuse_constant)
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        faults.add(file, "cannot be read as JSON: it has half of a character, a lone surrogate")
    except RecursionError:
        faults.add(file, "cannot be read as JSON: too deep")
    except ValueError as error:
        faults.add(file, f"cannot be read as JSON: {error}")
    else:
        return found
    return {}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has two members of one name")
    return found


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


class _Place(NamedTuple):
    """A place in a file, in the notation of jq."""

    place: str
    faults: Faults

    def below(self, name: str | int) -> _Place:
        dot = "" if self.place.endswith(": ") else "."
        return self._replace(place=f"{self.place}{f'[{name}]' if isinstance(name, int) else dot + name}")

    def refuse(self, text: str) -> None:
        self.faults.add(self.place.removesuffix(": "), text)


class _Object(NamedTuple):
    """An object of JSON, with readers of its members. Each adds a fault to a member of a wrong type."""

    members: Mapping[str, Any]
    at: _Place

    @property
    def place(self) -> str:
        return self.at.place.removesuffix(": ")

    def text(self, name: str, *, needed: bool = False) -> str:
        value = self.members.get(name)
        if isinstance(value, str) and (value or not needed):
            return value
        if value is not None or needed:
            self.at.below(name).refuse("expected a text")
        return ""

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.members.get(name)
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        if value is not None:
            self.at.below(name).refuse("expected a list of texts")
        return ()

    def object(self, name: str) -> _Object:
        value = self.members.get(name)
        if value is not None and not isinstance(value, dict):
            self.at.below(name).refuse("expected an object")
        return _Object(value if isinstance(value, dict) else {}, self.at.below(name))

    def objects(self, name: str, expected: str = "a list of objects") -> list[_Object]:
        value = self.members.get(name)
        if isinstance(value, list) and all(isinstance(each, dict) for each in value):
            return [_Object(each, self.at.below(name).below(at)) for at, each in enumerate(value)]
        if value is not None:
            self.at.below(name).refuse(f"expected {expected}")
        return []

    def seconds(self, name: str) -> int | None:
        """Milliseconds as a text or number as Unix seconds; ``None`` for never."""
        value = self.members.get(name)
        if value is None:
            return None
        if type(value) is int:
            value = str(value)
        if isinstance(value, str) and _WHOLE.fullmatch(value) and (found := int(value)) >= NEVER:
            return None if found == NEVER else min(found // 1000, LAST_SECOND)
        self.at.below(name).refuse("expected milliseconds since 1970, as a text, or -1 for never")
        return None

    def shown(self, name: str) -> str:
        """A member that is only shown."""
        value = self.members.get(name)
        return "" if value is None else value if isinstance(value, str) else json.dumps(value)


_PAGES = {"app": "app", "appGroupApps": "app", "developer": "developer", "apiProduct": "product"}
_EXPANDED = {kind: "ask for it with expand=true" for kind in _PAGES.values()}
_EXPANDED["app"] += " and includeCred=true"
_PRODUCT_MEMBERS = {"apiResources", "approvalType", "displayName", "environments", "operationGroup", "proxies"}


def _records(found: object, at: _Place, depth: int = 0) -> Iterator[tuple[str, _Object]]:
    """Each app, developer and product of a file, with its kind."""
    if isinstance(found, list) and depth < 2:
        for number, each in enumerate(found):
            yield from _records(each, at.below(number), depth + 1)
    elif not isinstance(found, dict):
        names = isinstance(found, str) and depth > 0
        at.refuse("is a name alone: ask for it with expand=true" if names else _EXPECTED)
    elif kind := _kind_of(found):
        yield kind, _Object(found, at)
    elif pages := [name for name in _PAGES if name in found]:
        for name in pages:
            kind = _PAGES[name]
            each_found = _Object(found, at).objects(name, f"a list of objects: {_EXPANDED[kind]}")
            short = [each for each in each_found if _kind_of(each.members) != kind]
            if short:  # one answer for all of a page
                short[0].at.refuse(f"is not the whole {kind}: {_EXPANDED[kind]}")
            yield from ((kind, each) for each in each_found if _kind_of(each.members) == kind)
    elif found:  # an empty page is {}
        at.refuse(_EXPECTED)


def _kind_of(members: Mapping[str, Any]) -> str:
    if "credentials" in members or ("appId" in members and "name" in members):
        return "app"
    if "developerId" in members and "email" in members:
        return "developer"
    return "product" if "name" in members and _PRODUCT_MEMBERS & members.keys() else ""


def _app(found: _Object) -> App:
    owned = not (found.text("appGroup") or found.text("companyName"))
    return App(
        found.text("appId", needed=True),
        found.text("name"),
        found.text("status"),
        found.text("developerId") if owned else "",
        tuple((each.text("name"), each.text("value")) for each in found.objects("attributes")),
        tuple(map(_credential, found.objects("credentials"))),
    )


def _credential(found: _Object) -> Credential:
    return Credential(
        found.text("consumerKey", needed=True),
        found.text("consumerSecret"),
        found.text("status"),
        found.seconds("issuedAt"),
        found.seconds("expiresAt"),
        found.texts("scopes"),
        tuple(Tie(each.text("apiproduct", needed=True), each.text("status")) for each in found.objects("apiProducts")),
        _names(found),
    )


def _developer(found: _Object) -> Developer:
    return Developer(
        found.text("developerId", needed=True),
        found.text("email"),
        found.text("organizationName"),
        found.text("status"),
        _names(found),
    )


def _product(found: _Object) -> Product:
    group = found.object("operationGroup")
    return Product(
        found.text("name", needed=True),
        found.texts("scopes"),
        tuple(sorted(found.texts("environments"))),
        found.texts("proxies"),
        found.texts("apiResources"),
        Quota(found.shown("quota"), found.shown("quotaInterval"), found.shown("quotaTimeUnit")),
        _read_if(group.members, lambda: tuple(map(_source, group.objects("operationConfigs")))),
        tuple(name for name in sorted(found.members) if _is_other_group(name, found.members[name])),
        _names(found),
    )


def _read_if(members: Mapping[str, Any], read: Callable[[], T]) -> T | None:
    return read() if members else None


def _is_other_group(name: str, value: object) -> bool:
    return name.lower().endswith("operationgroup") and name != "operationGroup" and bool(value)


def _source(found: _Object) -> Source:
    quota = found.object("quota")
    return Source(
        found.text("apiSource", needed=True),
        tuple(
            Operation(each.text("resource", needed=True), each.texts("methods")) for each in found.objects("operations")
        ),
        Quota(quota.shown("limit"), quota.shown("interval"), quota.shown("timeUnit")),
    )


def _names(found: _Object) -> tuple[str, ...]:
    """The names of the attributes, without Apigee's own."""
    return tuple(name for each in found.objects("attributes") if (name := each.text("name")) and name != "access")
