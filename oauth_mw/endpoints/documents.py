"""Public documents for discovery: the key set (RFC 7517 §5) and metadata (RFC 8414, RFC 9728)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from ..answers import EMPTY_BODY
from ..config import Settings, documented_resource, first_paths
from ..errors import AUTHORIZATION, ReadOnly
from ..keys import JWKS_MAX_AGE
from ..urls import endpoint_url, resource_metadata_url
from ..webob import Request, Response
from . import Endpoint

MAX_AGE = 300  # seconds for which a document may be cached: it does not change while the process runs
JSON, KEY_SET = "application/json", "application/jwk-set+json"  # RFC 7517 §8.5
BASIC = "client_secret_basic"

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
    own, resource = first_paths(settings), documented_resource(settings)
    found: dict[str, Endpoint] = {}
    if "jwks_path" in own and public_keys is not None:
        found["jwks_path"] = _key_set(public_keys)
    if "metadata" in own:
        found["metadata"] = found["openid_metadata"] = Document(_server_metadata(settings, own))
    if resource is not None:
        found["resource_metadata"] = Document(_resource_metadata(settings, resource))
    return found


def challenge_of(settings: Settings) -> str:
    """The guard's challenge without an error (RFC 6750 §3), with the URL of the resource metadata (RFC 9728 §5.1)."""
    challenge = f'Bearer realm="{settings.realm}"'
    resource = documented_resource(settings)
    return f'{challenge}, resource_metadata="{resource_metadata_url(resource)}"' if resource else challenge


def _resource_metadata(settings: Settings, resource: str) -> dict[str, object]:
    """RFC 9728 §2. The method ``header`` means Authorization (RFC 6750 §2.1); there is none for another header."""
    members: dict[str, object] = {"resource": resource, "authorization_servers": [settings.issuer]}
    if settings.authorization_header == AUTHORIZATION:
        members["bearer_methods_supported"] = ["header"]
    return {**members, **_scopes(settings)}


def _scopes(settings: Settings) -> dict[str, object]:
    """The scopes that rules name; those that only clients have are not public."""
    scopes = {scope for rule in settings.required_scopes for scope in rule.scopes}
    return {"scopes_supported": sorted(scopes)} if scopes and settings.scopes_supported else {}


def _server_metadata(settings: Settings, own: Mapping[str, str]) -> dict[str, object]:
    """RFC 8414 §2. Endpoints that are off are left out, as are empty lists but for the required one."""
    members: dict[str, object] = {
        "issuer": settings.issuer,
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
    }
    methods = list(settings.client_auth_methods)
    if settings.authorization_header != AUTHORIZATION and BASIC in methods:
        methods.remove(BASIC)  # it means Authorization, too (RFC 6749 §2.3.1)
    for option, name in _ENDPOINTS.items():
        if option in own:
            members[name] = endpoint_url(settings.public_url, own[option])
            members.update({f"{name}_auth_methods_supported": methods} if methods else {})
    if "jwks_path" in own:
        members["jwks_uri"] = endpoint_url(settings.public_url, own["jwks_path"])
    return {**members, **_scopes(settings)}
