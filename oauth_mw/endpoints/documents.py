"""Public documents, by which clients and services find their way: the key set (RFC 7517 §5) and metadata."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from ..config import Settings, documented_resource, own_paths
from ..errors import EMPTY_BODY, ReadOnly
from ..keys import JWKS_MAX_AGE
from ..urls import endpoint_url, resource_metadata_url
from ..webob import Request, Response
from . import Endpoint

MAX_AGE = 300  # seconds for which a document may be cached: it does not change while the process runs
JSON, KEY_SET = "application/json", "application/jwk-set+json"  # RFC 7517 §8.5

_ENDPOINTS = {
    "token_path": "token_endpoint",
    "revocation_path": "revocation_endpoint",
    "introspection_path": "introspection_endpoint",
}

PublicKeys = Callable[[], Sequence[Mapping[str, str]]]


class Document:
    """A public document, encoded once. Pages of other origins may read it too.

    :param max_age: seconds for which it may be cached; 0: it must be revalidated each time.
    """

    def __init__(self, members: Mapping[str, object], media_type: str = JSON, *, max_age: int = MAX_AGE) -> None:
        self._body = json.dumps(members).encode()
        self._etag = f'"{sha256(self._body).hexdigest()[:32]}"'
        self._about = (
            ("ETag", self._etag),
            ("Cache-Control", f"public, max-age={max_age}" if max_age else "no-cache"),
            ("Access-Control-Allow-Origin", "*"),
        )
        self._headers = (("Content-Type", media_type), ("Content-Length", str(len(self._body))), *self._about)

    def __call__(self, request: Request) -> Response:
        _require_get(request)
        # WebOb's conditional_response also reads ranges and dates, and raises on those with too many digits.
        if self._has_tag(request.environ.get("HTTP_IF_NONE_MATCH", "")):
            return Response(status="304 Not Modified", headerlist=list(self._about), app_iter=EMPTY_BODY)
        return Response(headerlist=list(self._headers), app_iter=[self._body])

    def _has_tag(self, if_none_match: str) -> bool:
        """Compare weakly (RFC 9110 §13.1.2): a proxy that compresses may have weakened the tag."""
        tags = [tag.strip(" \t") for tag in if_none_match.split(",")]
        return tags == ["*"] or self._etag in tags or f"W/{self._etag}" in tags


def _require_get(request: Request) -> None:
    if request.environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        raise ReadOnly("neither GET nor HEAD")


def _key_set(public: PublicKeys) -> Endpoint:
    """The endpoint of the public keys that verify our tokens."""

    def serve(request: Request) -> Response:
        _require_get(request)
        keys = public()
        # The first key signs as soon as it is made, so an empty set may not be cached.
        return Document({"keys": keys}, KEY_SET, max_age=JWKS_MAX_AGE if keys else 0)(request)

    return serve


def documents(settings: Settings, public_keys: PublicKeys | None) -> dict[str, Endpoint]:
    """The endpoints of all documents, by the names of :func:`oauth_mw.config.own_paths`."""
    own, resource = own_paths(settings), documented_resource(settings)
    found: dict[str, Endpoint] = {}
    if "jwks_path" in own and public_keys is not None:
        found["jwks_path"] = _key_set(public_keys)
    if "metadata" in own:
        found["metadata"] = Document(_server_metadata(settings, own))
    if resource is not None:
        members = {"resource": resource, "authorization_servers": [settings.issuer]}  # RFC 9728 §2
        found["resource_metadata"] = Document({**members, "bearer_methods_supported": ["header"]})
    return found


def challenge(settings: Settings) -> str:
    """The beginning of every challenge of the guard, with the URL of the resource metadata (RFC 9728 §5.1)."""
    start = f'Bearer realm="{settings.realm}"'
    resource = documented_resource(settings)
    return f'{start}, resource_metadata="{resource_metadata_url(resource)}"' if resource else start


def _server_metadata(settings: Settings, own: Mapping[str, str]) -> dict[str, object]:
    """RFC 8414 §2. Endpoints that are off are left out, as are empty lists but for the required one."""
    members: dict[str, object] = {
        "issuer": settings.issuer,
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
    }
    for option, name in _ENDPOINTS.items():
        if option in own:
            members[name] = endpoint_url(settings.public_url, own[option])
            members[f"{name}_auth_methods_supported"] = list(settings.client_auth_methods)
    if "jwks_path" in own:
        members["jwks_uri"] = endpoint_url(settings.public_url, own["jwks_path"])
    return members
