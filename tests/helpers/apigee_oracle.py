"""What Apigee answers a call, from its records alone, by what its pages say; it shares no code with the import.

A verdict is ``True``, ``False``, or ``None`` where Apigee's pages do not say: then a gateway that is closed in doubt
refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

Verdict = bool | None
Record = Mapping[str, Any]


class Flow(NamedTuple):
    """A flow of a proxy, for paths that begin with ``path``; its VerifyAccessToken asks for one of ``scopes``.

    ``method`` is empty for all. Only the first flow that matches a request runs.
    """

    method: str
    path: str
    scopes: tuple[str, ...]


class Apigee:
    """An organisation in one environment.

    :param proxies: base path of each proxy that is deployed there, by its name.
    :param now: Unix seconds.
    """

    def __init__(
        self,
        apps: Iterable[Record],
        products: Iterable[Record],
        owners: Mapping[str, str],
        proxies: Mapping[str, str],
        flows: Iterable[Flow],
        environment: str,
        now: float,
    ) -> None:
        self._keys = {key["consumerKey"]: (app, key) for app in apps for key in app["credentials"]}
        self._products = {each["name"]: each for each in products}
        self._owners, self._proxies, self._flows = owners, proxies, list(flows)
        self._environment, self._now = environment, now

    def issues(self, key_id: str) -> bool:
        """True if the key is issued tokens. What they are good for is another question."""
        app, key = self._keys[key_id]
        owner = self._owners[app.get("developerId") or app.get("appGroup") or app.get("companyName")]
        expires_at = int(key.get("expiresAt", -1))
        live = expires_at == -1 or expires_at / 1000 > self._now
        return live and key["status"] == app["status"] == "approved" and owner == "active"

    def scopes(self, key_id: str) -> set[str]:
        """The scopes of a token for which no scope was requested."""
        _, key = self._keys[key_id]
        granted = {scope for each in self._tied(key) for scope in each.get("scopes", ()) if scope}
        return granted & {*key["scopes"]} if any(key.get("scopes", ())) else granted

    def calls(self, key_id: str, method: str, path: str) -> Verdict:
        """The verdict about a call with a token of the key."""
        if not self.issues(key_id):
            return False
        flow = next((each for each in self._flows if _runs(each, method, path)), None)
        if flow and self.scopes(key_id).isdisjoint(flow.scopes):
            return False
        proxy = self._proxy_of(path)
        if proxy is None:
            return False
        _, key = self._keys[key_id]
        suffix = path[len(self._proxies[proxy]) :]
        return _any(self._opens(each, proxy, method, suffix) for each in self._tied(key))

    def _tied(self, key: Record) -> list[Record]:
        ties = [tie["apiproduct"] for tie in key.get("apiProducts", ()) if tie["status"] == "approved"]
        return [self._products[name] for name in ties if name in self._products]

    def _proxy_of(self, path: str) -> str | None:
        """The proxy with the longest base path that the path begins with, by whole segments."""
        found = [name for name, base in self._proxies.items() if (path + "/").startswith(base + "/")]
        return max(found, key=lambda name: len(self._proxies[name]), default=None)

    def _opens(self, each: Record, proxy: str, method: str, suffix: str) -> Verdict:
        if each.get("environments") and self._environment not in each["environments"]:
            return False
        return _any(_reaches(resource, suffix) for resource in _resources(each, proxy, method))


def _resources(each: Record, proxy: str, method: str) -> Iterator[str]:
    """The resource paths of a product for a method of a proxy."""
    groups = each.get("operationGroup", {}).get("operationConfigs", ())
    for operation in (one for config in groups if config["apiSource"] == proxy for one in config["operations"]):
        if method in (operation.get("methods") or [method]):
            yield operation["resource"]
    if any(name.endswith("perationGroup") for name in each):
        return
    if not each.get("proxies") or proxy in each["proxies"]:
        yield from each.get("apiResources") or ["/"]


def _any(verdicts: Iterable[Verdict]) -> Verdict:
    found = [*verdicts]
    return True if True in found else None if None in found else False


def _runs(flow: Flow, method: str, path: str) -> bool:
    return flow.method in ("", method) and (path + "/").startswith(flow.path + "/")


def _reaches(resource: str, suffix: str) -> Verdict:
    """True if a resource path of a product names what is behind the base path.

    "/" is all, and the base path itself; "/*" one level down; "/**" all below, but not the path before it. The pages
    say nothing about a slash at the end, about stars elsewhere, or about braces.
    """
    if resource == "/":
        return True
    *wanted, last = resource[1:].split("/")
    below = last == "**"
    if not below:
        wanted.append(last)
    if resource[0] != "/" or any(each != "*" and re.search(r"[*{}]", each) for each in wanted):
        return None
    given = suffix[1:].split("/") if suffix else []
    slash = given[-1:] == [""] != wanted[-1:]
    given = given[:-1] if slash else given
    if len(given) < len(wanted) or not all(each in ("*", own) for each, own in zip(wanted, given, strict=False)):
        return False
    if len(given) > len(wanted):
        return below
    return None if slash else not below


def probes(each: Record, proxies: Mapping[str, str]) -> list[tuple[str, str]]:
    """Calls around what a product names: on it, above, below and beside it, with its methods and another one."""
    found: dict[tuple[str, str], None] = {}
    for (proxy, base), method in product(proxies.items(), ("GET", "POST")):
        for resource in _resources(each, proxy, method):
            path = base + re.sub(r"\*+", "one", re.sub(r"[{}]", "", "/" + resource.strip("/")).rstrip("/"))
            around = (
                path,
                f"{path}/below",
                f"{path}/below/deep",
                path.rpartition("/")[0] or base,
                f"{path}x",
                f"{path}/",
            )
            found |= dict.fromkeys(product((method, "DELETE"), (*around, base)))
    return [*found]
