"""URLs of a configuration. They are kept as written: clients compare them as exact strings (RFC 8414 §3.3)."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import quote

# The path of such a URL is compared with PATH_INFO, so it has nothing that a server decodes or an app resolves.
_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~!$&'()+,=:@-]+"
_URL = re.compile(
    r"(?P<origin>(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]+|\[(?=[^\]]*:)[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?)"
    rf"(?P<path>(?:/{_SEGMENT})*/?)"
)

_ORIGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::(?P<port>[1-9][0-9]{0,4}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def is_origin(text: str) -> bool:
    """True for an origin as browsers serialize it (RFC 6454 §6.2), except ``null``."""
    match = _ORIGIN.fullmatch(text)
    return (
        match is not None
        and int(match["port"] or 0) < 65536
        and match["port"] != _DEFAULT_PORTS.get(match["scheme"], "")
    )


def as_origin(url: str) -> str:
    """The origin of a URL, or of an origin in another spelling; empty if it has none."""
    match = _ORIGIN.fullmatch("/".join(url.lower().split("/")[:3]))
    if match is None:
        return ""
    port = match["port"] or ""
    return match[0].removesuffix(f":{port}") if port == _DEFAULT_PORTS.get(match["scheme"]) else match[0]


def is_url(text: str) -> bool:
    """True for an issuer or resource that can have documents: https, or http on a loopback host, without a query."""
    match = _URL.fullmatch(text)
    if match is None or int(match["port"] or 0) > 65535:
        return False
    host = match["host"]
    if host[0] == "[" and not _address(host[1:-1]):
        return False
    return match["scheme"] == "https" or is_loopback(host.strip("[]"))


def is_loopback(host: str) -> bool:
    """True for a host that is this machine by its name: a name that begins with ``127.`` may lead anywhere."""
    address = _address(host)
    return address.is_loopback if address else host.lower() == "localhost"


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def server_metadata_path(issuer: str) -> str:
    """The path of an authorization server's metadata on its host (RFC 8414 §3.1)."""
    return "/.well-known/oauth-authorization-server" + _split(issuer)[1].removesuffix("/")


def openid_metadata_path(issuer: str, public_url: str) -> str:
    """The path at which we serve an issuer's document of OpenID Connect Discovery 1.0 §4.

    Unlike the others it is below the issuer, so where that is our mount, it is also below our mount.
    """
    url, mount = issuer.removesuffix("/") + "/.well-known/openid-configuration", public_url.removesuffix("/")
    return url.removeprefix(mount) if url.startswith(f"{mount}/") else _split(url)[1]


def resource_metadata_path(resource: str) -> str:
    """The path of a protected resource's metadata on its host (RFC 9728 §3.1). Only the path ``/`` is dropped."""
    path = _split(resource)[1]
    return "/.well-known/oauth-protected-resource" + ("" if path == "/" else path)


def resource_metadata_url(resource: str) -> str:
    return _split(resource)[0] + resource_metadata_path(resource)


def endpoint_url(public_url: str, path: str) -> str:
    """The URL at which clients reach one of our paths."""
    return public_url.removesuffix("/") + quote(path, safe="/~!$&'()+,=:@")


def _split(url: str) -> tuple[str, str]:
    """Split a URL for which :func:`is_url` is true into origin and path."""
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError("not a URL for which documents can be served")
    return match["origin"], match["path"]
