"""Client addresses: of a request, behind proxies or not, and of networks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from wsgiref.types import WSGIEnvironment

from .server import environ_key

UNIX = "unix"
FORWARDED_FOR = "X-Forwarded-For"
MAX_HOPS = 32  # trusted proxies that a request passes
MAX_ADDRESS = 100  # characters
GROUP_BITS = 64  # an IPv6 client usually has as many of its own: a /64 is one client

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Place = Address | str | None  # an address, UNIX, or neither

# REMOTE_ADDR on a Unix socket: gunicorn leaves it empty, waitress, Werkzeug and nginx write a word each, and uWSGI an
# address that no peer has.
_SOCKETS = frozenset(("", "localhost", "<local>", "unix:", "0.0.0.0"))
# An address, with a port or not; an IPv6 address in brackets or not, with a zone or not (RFC 3986 §3.2.2, RFC 7239 §6).
_ENTRY = re.compile(
    r"(?:\[(?P<bracketed>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(?:%[\w.~-]+)?\]|(?P<plain>[0-9.]+))(?::(?:[0-9]{1,5}|_[\w.-]+))?"
    r"|(?P<bare>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(?:%[\w.~-]+)?",
    re.ASCII,
)
_VALUE = r"""([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([!#$%&'*+.^_`|~0-9A-Za-z-]+|"[^"\\]*")"""
_PAIR = re.compile(_VALUE)
_ELEMENT = re.compile(rf"{_VALUE}(?:[ \t]*;[ \t]*{_VALUE})*")


class Addresses:
    """Returns the address of the client of a request, as text; ``""`` if it is unknown.

    It is ``REMOTE_ADDR``, unless that is a trusted proxy: then it is the last entry of the header. If that is a trusted
    proxy, too, it is the entry before, and so on. What is further left could be written by the client, and is not read.
    An IPv4 address in an IPv6 one is returned as IPv4, and no address has a port or a zone.

    :param trusted: networks, as text, and ``unix`` for a proxy on a Unix socket.
    :param header: the request header that proxies append to: a list of addresses, or ``Forwarded`` (RFC 7239).
    """

    def __init__(self, trusted: Iterable[str] = (), header: str = FORWARDED_FOR) -> None:
        words = frozenset(trusted)
        self._trusts_sockets = UNIX in words
        self._networks = tuple(map(parse_network, sorted(words - {UNIX})))
        self._key = environ_key(header)
        self._read = _read_element if header.lower() == "forwarded" else _read

    def __call__(self, environ: WSGIEnvironment) -> str:
        peer = environ.get("REMOTE_ADDR") or ""
        place: Place = UNIX if peer in _SOCKETS else parse_address(peer)
        if self._trusts(place):
            place = self._before(place, environ.get(self._key) or "")
        return "" if place is None or isinstance(place, str) else _text(place)

    def _before(self, place: Place, rest: str) -> Place:
        """Return the first place from the right that is no trusted proxy, or the leftmost one; ``None`` if unknown."""
        for _ in range(MAX_HOPS):
            if not rest or not self._trusts(place):
                return place
            rest, _, entry = rest.rpartition(",")
            place = self._read(entry.strip(" \t"))
        return None

    def _trusts(self, place: Place) -> bool:
        if place is None or isinstance(place, str):
            return place == UNIX and self._trusts_sockets
        return any(place in network for network in self._networks)


def parse_network(text: str) -> Network:
    """Return the network or address that ``text`` names; IPv4 in IPv6 as IPv4.

    :raises ValueError: it names none, or has bits set to the right of its prefix.
    """
    network = ip_network(text)
    first = network.network_address
    if isinstance(first, IPv6Address):
        if first.scope_id is not None:
            raise ValueError(f"{text!r} has a zone")
        if first.ipv4_mapped is not None and network.prefixlen >= 96:
            return IPv4Network((first.ipv4_mapped, network.prefixlen - 96))
    return network


def parse_address(text: str) -> Address | None:
    """Return the address in ``text``, without its port and zone; IPv4 in IPv6 as IPv4. ``None`` if it has none."""
    return _parse(text) if len(text) <= MAX_ADDRESS else None


@lru_cache(maxsize=1024)  # of short texts
def _parse(text: str) -> Address | None:
    found = _ENTRY.fullmatch(text)
    if found is None:
        return None
    try:
        address = ip_address(found["bracketed"] or found["plain"] or found["bare"])
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


@lru_cache(maxsize=1024)
def _text(address: Address) -> str:
    return str(address)


@lru_cache(maxsize=1024)
def group_of(address: str) -> str:
    """Return what counts as one client: an IPv4 address, the /64 of an IPv6 address; ``""`` if it is unknown."""
    if ":" not in address:
        return address
    return str(IPv6Network((address, GROUP_BITS), strict=False))


def _read(entry: str) -> Place:
    return UNIX if entry == "unix:" else parse_address(entry)


def _read_element(element: str) -> Place:
    """Read an element of ``Forwarded`` (RFC 7239 §4)."""
    if not _ELEMENT.fullmatch(element):
        return None
    found = [value for name, value in _PAIR.findall(element) if name.lower() == "for"]
    return _read(found[0].strip('"')) if len(found) == 1 else None
