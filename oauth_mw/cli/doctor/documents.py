"""Checks of the well-known documents (RFC 8414, RFC 9728). Only URLs of the same origin are called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from ...texts import shown
from ..fetching import Answer
from ..scraping import members_of
from .deployment import UNNAMED, Deployment, bearer_challenge, described, encoded, is_endpoint, origin_of
from .finding import CERTAIN, Finding, fine, unknown

_ENDPOINTS = ("token_endpoint", "revocation_endpoint", "introspection_endpoint")
_RESOURCE_METADATA = re.compile(r'resource_metadata="([^"]{1,500})"')


def issuer(deployment: Deployment) -> Finding:
    name, said = "issuer", _members(deployment).get("issuer")
    if said is None:
        return unknown(name, f"no metadata at {_place(deployment)}: {described(_document(deployment))}")
    if str(said).removesuffix("/") == deployment.base:
        return fine(name, deployment.base)
    seen = f"the metadata says {shown(str(said))}"
    if deployment.is_local:
        return unknown(name, f"{seen}: give that URL")
    return Finding(name, CERTAIN, f"{seen}, and is fetched at {deployment.base}", "host")


def metadata(deployment: Deployment) -> Finding:
    name, members = "metadata", _members(deployment)
    resource = _RESOURCE_METADATA.search(bearer_challenge(deployment.bare))
    if not members and not resource:
        return unknown(name, f"no metadata at {_place(deployment)}: {described(_document(deployment))}")
    named = {key: members[key] for key in (*_ENDPOINTS, "jwks_uri") if key in members}
    if resource:
        named["resource_metadata"] = resource[1]
    called = {key: url for key, url in named.items() if origin_of(url) == deployment.origin}
    lies = list(_lies(deployment, called))
    if not deployment.is_local:
        lies += [f"{key} is {shown(str(url))}, on another host" for key, url in named.items() if key not in called]
    if lies:
        return Finding(name, CERTAIN, "; ".join(lies), "metadata")
    if len(called) < len(named):
        return unknown(name, "it names another host than this machine: give the URL that clients use")
    return fine(name, ", ".join(called) + " are as it says")


def _lies(deployment: Deployment, called: dict[str, object]) -> Iterator[str]:
    for key, url in called.items():
        if key in _ENDPOINTS:
            answer = deployment.http.ask(str(url), "", encoded(UNNAMED))
            true = is_endpoint(answer)
        else:
            answer = deployment.http.ask(str(url))
            members = members_of(answer.text)
            true = ("keys" if key == "jwks_uri" else "resource") in members
            servers = members.get("authorization_servers")
            if key == "resource_metadata" and true and isinstance(servers, list) and servers:
                yield from _server_lies(deployment, str(servers[0]))
        if not true:
            yield f"{key} {shown(str(url))}: {described(answer)}"


def _server_lies(deployment: Deployment, server: str) -> Iterator[str]:
    """An authorization server of the same origin that has no metadata, or that of another one (RFC 8414 §3.3)."""
    if origin_of(server) == deployment.origin:
        place = _metadata_of(server)
        answer = _document(deployment) if place == _place(deployment) else deployment.http.ask(place)
        if members_of(answer.text).get("issuer") != server:
            yield f"{shown(place)}: {described(answer)}, without the issuer {shown(server)}"


def _document(deployment: Deployment) -> Answer:
    return deployment.once("metadata", lambda: deployment.http.ask(_place(deployment)))


def _members(deployment: Deployment) -> dict[str, object]:
    members = members_of(_document(deployment).text)
    return members if "issuer" in members else {}


def _place(deployment: Deployment) -> str:
    return _metadata_of(deployment.base)


def _metadata_of(server: str) -> str:
    """Where the metadata of an authorization server is (RFC 8414 §3.1)."""
    return f"{origin_of(server)}/.well-known/oauth-authorization-server{urlsplit(server).path.rstrip('/')}"
