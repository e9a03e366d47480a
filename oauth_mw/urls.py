"""URLs that a configuration names, taken as they are written: clients compare them to the letter (RFC 8414 §3.3)."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import quote

# A path of such a URL is compared with PATH_INFO: nothing in it is for a server to decode, or for an app to resolve.
_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~!$&'()+,=:@-]+"
_URL = re.compile(
    r"(?P<origin>(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]+|\[(?=[^\]]*:)[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?)"
    rf"(?P<path>(?:/{_SEGMENT})*/?)"
)


def is_url(text: str) -> bool:
    """Whether documents can be served for this issuer or resource: https, or http on a loopback host, and no query."""
    match = _URL.fullmatch(text)
    if match is None or int(match["port"] or 0) > 65535:
        return False
    host = match["host"]
    try:
        local = ip_address(host.strip("[]")).is_loopback
    except ValueError:
        local = host.lower() == "localhost"
        if host[0] == "[":
            return False
    return match["scheme"] == "https" or local


def server_metadata_path(issuer: str) -> str:
    """Where the metadata of an authorization server lie on its host (RFC 8414 §3.1)."""
    return "/.well-known/oauth-authorization-server" + _split(issuer)[1].removesuffix("/")


def resource_metadata_path(resource: str) -> str:
    """Where the metadata of a protected resource lie on its host (RFC 9728 §3.1): only a lone slash is dropped."""
    path = _split(resource)[1]
    return "/.well-known/oauth-protected-resource" + ("" if path == "/" else path)


def resource_metadata_url(resource: str) -> str:
    return _split(resource)[0] + resource_metadata_path(resource)


def endpoint_url(public_url: str, path: str) -> str:
    """The URL of an own path, for clients."""
    return public_url.removesuffix("/") + quote(path, safe="/~!$&'()+,=:@")


def _split(url: str) -> tuple[str, str]:
    """Origin and path.

    :raises ValueError: it is no URL in the sense of :func:`is_url`.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError("no URL for which documents can be served")
    return match["origin"], match["path"]
