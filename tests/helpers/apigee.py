"""What Apigee's management API answers: each function makes a part of it, with the members that matter to a test."""

from __future__ import annotations

import json
from typing import Any

KEY, SECRET = "Hq8fT3kQ9ZpLr2Wv7XbN1cYs5DgMj4Ka", "pX7qLm2Rk9TzV4bW"
HERE = {"weather-v1": ("/v1",)}  # base paths


def operations(*written: tuple[str, str], proxy: str = "weather-v1", quota: Any = None) -> dict[str, Any]:
    """An operation group: methods, separated by commas, and a resource for each operation; no methods stand for all."""
    each = [{"resource": path, **({"methods": names.split(",")} if names else {})} for names, path in written]
    configs = [{"apiSource": proxy, "operations": [one], "quota": quota or {}} for one in each]
    return {"operationConfigType": "proxy", "operationConfigs": configs}


def product(name: str = "weather", *written: tuple[str, str], **members: Any) -> dict[str, Any]:
    group = {"operationGroup": operations(*written)} if written else {}
    return {"name": name, "approvalType": "auto", "environments": ["prod"], "scopes": [], **group, **members}


def credential(*ties: str, key: str = KEY, secret: str = SECRET, **members: Any) -> dict[str, Any]:
    """A credential with ties to products: each NAME, or NAME:STATUS."""
    tied = [
        {"apiproduct": name, "status": status or "approved"} for name, _, status in (x.partition(":") for x in ties)
    ]
    return {
        "consumerKey": key, "consumerSecret": secret, "status": "approved", "issuedAt": "1694509200000",
        "expiresAt": "-1", "scopes": [], "apiProducts": tied, **members,
    }  # fmt: skip


def app(*credentials: dict[str, Any], name: str = "weather-app", **members: Any) -> dict[str, Any]:
    return {
        "appId": f"id-of-{name}", "name": name, "status": "approved", "developerId": "dev-1", "attributes": [],
        "credentials": [*credentials], **members,
    }  # fmt: skip


def developer(developer_id: str = "dev-1", **members: Any) -> dict[str, Any]:
    return {
        "developerId": developer_id, "email": f"{developer_id}@example.com", "organizationName": "acme",
        "status": "active", **members,
    }  # fmt: skip


def page(*apps: Any, products: Any = (), developers: Any = None) -> dict[str, Any]:
    """All of it in one document."""
    developers = [developer()] if developers is None else developers
    return {"app": [*apps], "apiProduct": [*products], "developer": [*developers]}


def as_files(*documents: Any) -> list[tuple[str, bytes]]:
    """Documents as named files; a text or bytes stand for themselves."""
    texts = [each if isinstance(each, str | bytes) else json.dumps(each) for each in documents]
    return [(f"{at}.json", each if isinstance(each, bytes) else each.encode()) for at, each in enumerate(texts, 1)]
