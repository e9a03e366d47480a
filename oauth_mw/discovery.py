"""Discovery: the public documents, with their contents for a configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .config import Settings, documented_resource, own_paths
from .endpoints import Endpoint
from .endpoints.documents import Document, key_set
from .urls import endpoint_url, resource_metadata_url

_ENDPOINTS = {
    "token_path": "token_endpoint",
    "revocation_path": "revocation_endpoint",
    "introspection_path": "introspection_endpoint",
}

PublicKeys = Callable[[], Sequence[Mapping[str, str]]]


def documents(settings: Settings, public_keys: PublicKeys | None) -> dict[str, Endpoint]:
    """The endpoints of all documents, by the names of :func:`oauth_mw.config.own_paths`.

    :param public_keys: returns the members of the key set; ``None`` without an issuer.
    """
    own = own_paths(settings)
    found: dict[str, Endpoint] = {}
    if "jwks_path" in own and public_keys is not None:
        found["jwks_path"] = key_set(public_keys)
    if "metadata" in own:
        found["metadata"] = Document(_server_metadata(settings, own))
    resource = documented_resource(settings)
    if resource is not None:
        found["resource_metadata"] = Document(
            {  # RFC 9728 §2
                "resource": resource,
                "authorization_servers": [settings.issuer],
                "bearer_methods_supported": ["header"],
            }
        )
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
