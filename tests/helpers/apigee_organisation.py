"""A made-up Apigee organisation of 200 apps, as its management API writes it, with what is odd in real ones.

It is the same in every run. Its secrets are made from a seed and are of no other use.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from helpers.apigee_oracle import Apigee, Flow, Verdict, probes

APPS = 200
PAGE = 100
TRIED = 100  # calls with a key, of which some are chosen
ENVIRONMENT = "prod"
PROXIES = {"weather": "/v0/weather", "catalog": "/v1", "orders": "/v1/orders", "files": "/files"}
# Of the VerifyAccessToken policies of the proxies; in the app that takes over they are rules.
FLOWS = [
    Flow("GET", "/v0/weather", ("weather.read", "weather.write")),
    Flow("", "/v0/weather", ("weather.write",)),
    Flow("POST", "/v1/orders", ("orders.write",)),
]
MILLISECONDS = {"issued": "1546300800000", "past": "1577836800000", "future": "4070908800000", "never": "-1"}

# Products, by name. What ``ODD_PRODUCTS`` has cannot be said as a list of methods and paths.


def _operations(proxy: str, *operations: tuple[str, list[str] | None], **fields: Any) -> dict[str, Any]:
    rows = [{"resource": path, **({} if methods is None else {"methods": methods})} for path, methods in operations]
    return {"operationGroup": {"operationConfigs": [{"apiSource": proxy, "operations": rows, **fields}]}}


def _resources(proxies: Sequence[str], *resources: str, **fields: Any) -> dict[str, Any]:
    return {"apiResources": [*resources], "proxies": [*proxies], **fields}


READ, WRITE = ["GET"], ["GET", "POST", "PUT"]
PRODUCTS: dict[str, dict[str, Any]] = {
    "forecast": _operations("weather", ("/forecastrss", READ)) | {"scopes": ["weather.read"]},
    "weather-all": _operations("weather", ("/", WRITE)) | {"scopes": ["weather.read", "weather.write"]},
    "one-level": _operations("orders", ("/*", READ), quota={"limit": "1000000", "interval": "1", "timeUnit": "minute"}),
    "below": _operations("orders", ("/archive/**", READ), ("/archive", ["POST"]), quota={}) | {"scopes": [""]},
    "all-below": _operations("orders", ("/**", None)) | {"scopes": ["orders.write", "orders.read"]},
    "any-method": _operations(
        "orders", ("/open/*", []), quota={"limit": "1000000", "interval": "5", "timeUnit": "month"}
    ),
    "star-inside": _operations("orders", ("/*/lines", READ), ("/*/lines/**", WRITE)),
    "by-resources": _resources(
        ["files"], "/public/**", "/list", quota="1000000", quotaInterval="1", quotaTimeUnit="hour"
    ),
    "whole-proxies": _resources(["files", "orders"]),
    "two-proxies": _resources(["files", "weather"], "/shared/*", scopes=["weather.read"]),
    "beside-a-proxy": _operations("catalog", ("/items/**", READ)),
    "no-proxy": _resources([], "/reports/**"),
    "no-environment": _operations("files", ("/everywhere", READ)) | {"environments": []},
    "test-only": _operations("files", ("/**", WRITE)) | {"environments": ["test"], "scopes": ["probe"]},
    "elsewhere": _operations("legacy", ("/", WRITE)),
    "Gold & silver": _operations("files", ("/gold", READ)) | {"attributes": [{"name": "access", "value": "private"}]},
}
ODD_PRODUCTS: dict[str, dict[str, Any]] = {
    "stars-in-the-middle": _operations("orders", ("/**/lines", READ), ("/plain", READ)),
    "over-a-proxy": _operations("catalog", ("/*", READ)),
    "half-a-star": _operations("files", ("/img*", READ), ("/docs/*.json", READ)),
    "braces": _operations("orders", ("/{id}/notes", READ)),
    "no-slash": _resources(["files"], "list", "gold/**"),
    "graphql": {"graphqlOperationGroup": {"operationConfigs": [{"apiSource": "orders", "operations": []}]}},
    "too-many": _operations("files", *((f"/shelf-{number}", READ) for number in range(120))),
}


def _product(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    common = {"approvalType": "auto", "attributes": [{"name": "access", "value": "public"}], "scopes": []}
    return {"name": name, "displayName": name.title(), **common, "environments": ["prod", "test"], **fields}


class Call(NamedTuple):
    """A call with a token of a key, and what Apigee answers it."""

    key_id: str
    method: str
    path: str
    verdict: Verdict


# Keys and apps


class Maker:
    """Makes keys and apps, which are numbered."""

    def __init__(self) -> None:
        self._random = random.Random("apigee")
        self.apps: list[dict[str, Any]] = []

    def text(self, length: int) -> str:
        return "".join(self._random.choices(string.ascii_letters + string.digits, k=length))

    def key(self, *products: str | tuple[str, str], **fields: Any) -> dict[str, Any]:
        """A key, tied to products, each approved or with a status of its own."""
        pairs = [(each, "approved") if isinstance(each, str) else each for each in products]
        return {
            "consumerKey": self.text(self._random.choice([32, 48])),
            "consumerSecret": self.text(self._random.choice([16, 64])),
            "status": "approved",
            "issuedAt": MILLISECONDS["issued"],
            "expiresAt": MILLISECONDS["never"],
            "scopes": [],
            "attributes": [],
            "apiProducts": [{"apiproduct": name, "status": status} for name, status in pairs],
            **fields,
        }

    def app(self, name: str, *keys: dict[str, Any], **fields: Any) -> list[str]:
        """Add an app, and return the ids of its keys."""
        number = len(self.apps)
        owner = {} if "appGroup" in fields else {"developerId": f"developer-{number % 20}"}
        self.apps.append(
            {
                "appId": f"00000000-0000-4000-8000-{number:012}",
                "name": name,
                "status": "approved",
                "createdAt": MILLISECONDS["issued"],
                "callbackUrl": "",
                "attributes": [{"name": "DisplayName", "value": name.title()}],
                "credentials": [*keys],
                **owner,
                **fields,
            }
        )
        return [each["consumerKey"] for each in keys]

    def some_app(self) -> None:
        """One of the many in which nothing is odd but the mixture."""
        pick = self._random
        keys = [
            self.key(
                *(
                    (name, pick.choice(["approved"] * 6 + ["pending", "revoked"]))
                    for name in pick.sample([*PRODUCTS], k=2)
                ),
                status=pick.choice(["approved"] * 9 + ["revoked"]),
                expiresAt=MILLISECONDS[pick.choice(["never"] * 6 + ["future", "past"])],
            )
            for _ in range(pick.choice([1, 1, 1, 1, 2]))
        ]
        self.app(f"app-{len(self.apps)}", *keys, attributes=[{"name": "team", "value": self.text(8)}])


class Organisation(NamedTuple):
    """The records, and what Apigee answers.

    ``odd``: the ids of keys that no client can stand for, by what is odd about them.
    """

    apps: list[dict[str, Any]]
    products: list[dict[str, Any]]
    developers: list[dict[str, Any]]
    odd: dict[str, str]
    apigee: Apigee

    @property
    def keys(self) -> dict[str, str]:
        """Ids and secrets."""
        return {key["consumerKey"]: key["consumerSecret"] for app in self.apps for key in app["credentials"]}

    def calls(self, at_most: int) -> Iterator[Call]:
        """Some calls around the products of each key, a few of each verdict.

        Besides, one that no proxy takes, and one at a base path below another one.
        """
        around = {each["name"]: probes(each, PROXIES) for each in self.products}
        for key in (key for app in self.apps for key in app["credentials"]):
            key_id, names = key["consumerKey"], [tie["apiproduct"] for tie in key["apiProducts"]]
            tried = list(dict.fromkeys(call for name in names for call in around.get(name, ())))
            random.Random(key_id).shuffle(tried)
            found = [Call(key_id, *call, self.apigee.calls(key_id, *call)) for call in tried[:TRIED]]
            for verdict in (True, False, None):
                yield from [one for one in found if one.verdict is verdict][:at_most]
            for path in ("/internal", PROXIES["orders"]):
                yield Call(key_id, "GET", path, self.apigee.calls(key_id, "GET", path))

    def write(self, folder: Path) -> list[Path]:
        """Write the files that a person would have: a page, a list of pages, an app alone, products and developers."""
        first, rest, last = self.apps[:PAGE], self.apps[PAGE:-1], self.apps[-1]
        half = len(rest) // 2
        documents = {
            "apps.json": {"app": first},
            "more.json": [{"app": rest[:half]}, {"app": rest[half:]}],
            "one.json": last,
            "products.json": {"apiProduct": self.products},
            "developers.json": {"developer": self.developers},
        }
        for name, document in documents.items():
            (folder / name).write_text(json.dumps(document), encoding="utf-8")
        return [folder / name for name in documents]


def organisation(now: float) -> Organisation:
    """Make it.

    :param now: Unix seconds.
    """
    make = Maker()
    odd = _odd_apps(make)
    while len(make.apps) < APPS:
        make.some_app()
    products = [_product(*each) for each in {**PRODUCTS, **ODD_PRODUCTS}.items()]
    developers = [_developer(number) for number in range(20)]
    owners = {each["developerId"]: each["status"] for each in developers} | {"resellers": "active"}
    apigee = Apigee(make.apps, products, owners, PROXIES, FLOWS, ENVIRONMENT, now)
    return Organisation(make.apps, products, developers, odd, apigee)


def _developer(number: int) -> dict[str, Any]:
    return {
        "developerId": f"developer-{number}",
        "email": f"developer-{number}@example.com",
        "userName": f"developer{number}",
        "status": "inactive" if number == 7 else "active",
        "attributes": [],
    }


def _odd_apps(make: Maker) -> dict[str, str]:
    """Add the apps that are odd in one way each. Return the ids of those keys that no client can stand for."""
    named = [{"name": name, "value": name} for name in ("email", "name", "status", "scope", "two words", "ünïcode")]
    make.app("odd attributes", make.key("forecast"), attributes=named)
    make.app("many attributes", make.key("forecast"), attributes=[_attribute(number) for number in range(18)])
    make.app("two keys", make.key("forecast"), make.key("one-level"))
    make.app("rotated", make.key("forecast", expiresAt=MILLISECONDS["past"]), make.key("forecast", status="revoked"),
             make.key("forecast"))  # fmt: skip
    make.app("the same name", make.key("below"))
    make.app("the same name", make.key("by-resources"))
    make.app("Ünïcode ☂ name", make.key("below"))
    make.app("revoked app", make.key("forecast"), status="revoked")
    make.app("pending app", make.key("forecast"), status="pending")
    make.app("pending tie", make.key(("forecast", "pending")))
    make.app("revoked tie", make.key(("whole-proxies", "revoked"), "one-level"))
    make.app("no product", make.key())
    make.app("no keys")
    make.app("times as numbers", make.key("forecast", issuedAt=1546300800000, expiresAt=4070908800000))
    make.app("narrowed", make.key("weather-all", "all-below", scopes=["weather.read"]))
    make.app("every product", make.key(*PRODUCTS))
    for name in PRODUCTS:
        make.app(f"only {name}", make.key(name))
    weak = ("short", "password-password", "0000000000000000")
    for number, secret in enumerate(weak):
        make.app(f"weak secret {number}", make.key("forecast", consumerSecret=secret))
    make.app(
        "secret like its id", make.key("forecast", consumerKey="weather-partner-1", consumerSecret="weather-partner-1")
    )
    odd = {
        "the value of an attribute is too long": make.app(
            "long", make.key("below"), attributes=[_attribute("x" * 3000)]
        ),
        "an attribute has two values": make.app(
            "twice", make.key("below"), attributes=[_attribute("a"), _attribute("b")]
        ),
        "its name is too long": make.app("n" * 255, make.key("below")),
        "a product is unknown": make.app("unknown product", make.key("removed-long-ago", "below")),
        "its group may be inactive": make.app("of a group", make.key("forecast"), appGroup="resellers"),
        "its id is too long": make.app("long id", make.key("forecast", consumerKey="long" * 100)),
        "its secret is too long": make.app("long secret", make.key("forecast", consumerSecret="Long" * 300)),
    }
    for name in ODD_PRODUCTS:
        odd[name] = make.app(f"only {name}", make.key(name))
        odd[f"{name} and another"] = make.app(f"{name} and another", make.key("one-level", name))
    return {key_id: why for why, ids in odd.items() for key_id in ids}


def _attribute(value: object) -> dict[str, str]:
    return {"name": f"field{value}" if isinstance(value, int) else "field", "value": str(value)}
