"""How the limits of clients are written: networks, requests and rates. Each is kept as a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .addresses import Address, Network, parse_network
from .rates import Rate, parse_rate
from .rules import Pattern, is_ambiguous, read_methods, read_pattern

OFF = "off"
NO_METHOD = "-"
NOTHING = f"{NO_METHOD} /*"  # in a list of requests by itself: none is allowed, where an empty list allows all
MAX_LISTED = 100  # networks or requests of a client: each is compared with every request

_GAP = re.compile(r"[ \t]+")  # as in a rule


@dataclass(frozen=True, slots=True)
class AllowedRequest:
    """What a client may send: ``methods`` (``None`` for all) on paths that ``regex``, of ``pattern``, matches."""

    text: str
    methods: frozenset[str] | None
    pattern: Pattern
    regex: re.Pattern[str]

    def covers(self, other: AllowedRequest) -> bool:
        """True if it allows all that ``other`` allows."""
        has_methods = self.methods is None or (other.methods is not None and other.methods <= self.methods)
        return has_methods and _covers(self.pattern, other.pattern)


def _covers(wide: Pattern, narrow: Pattern) -> bool:
    """True if a pattern matches each path that another one matches, both as they are written."""
    below = len(narrow.segments) - len(wide.segments)
    alike = all(own in ("", name) for own, name in zip(wide.segments, narrow.segments, strict=False))
    is_same = below == 0 and not narrow.tail and wide.slash == narrow.slash
    return alike and (is_same or (wide.tail and below >= 0))


def parse_request(text: str) -> AllowedRequest:
    """Parse ``"METHODS PATH"``, as in a rule: ``"GET,POST /weather/*"``, or ``-`` as METHODS for no request at all.

    The pattern allows, so it is read narrowly: ``/x`` does not allow ``/x/``.

    :raises ValueError: it is malformed; the text says what was expected.
    """
    parts = _GAP.split(text.strip(" \t"), maxsplit=1)
    try:
        if len(parts) != 2:
            raise ValueError("expected METHODS PATH, such as 'GET,POST /weather/*' or '* /weather'")
        methods = frozenset[str]() if parts[0] == NO_METHOD else read_methods(parts[0])
        pattern = read_pattern(parts[1])
    except ValueError as error:
        raise ValueError(f"request {text!r}: {error}") from None
    return AllowedRequest(" ".join(parts), methods, pattern, pattern.compile(wide=False))


def allows(allowed: Iterable[AllowedRequest], method: str, path: str) -> bool:
    """True if one of ``allowed`` names a request by its method and raw ``PATH_INFO``. None names an ambiguous path."""
    path = path or "/"
    if is_ambiguous(path):
        return False
    return any((each.methods is None or method in each.methods) and each.regex.fullmatch(path) for each in allowed)


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Parse networks in CIDR notation.

    :raises ValueError: one of them is none; the text says what was expected.
    """
    found = []
    for text in texts:
        try:
            found.append(parse_network(text))
        except ValueError as error:
            raise ValueError(f"expected networks, such as 192.0.2.0/24 or 2001:db8::1; {error}") from None
    return tuple(found)


def names(networks: Iterable[Network], address: Address | None) -> bool:
    """True if an address is in one of the networks. An unknown one (``None``) is in none."""
    return address is not None and any(address in network for network in networks)


def parse_limit(text: str) -> Rate | None:
    """Parse a rate such as ``100/minute``; ``None`` for ``off``.

    :raises ValueError: it is neither; the text says what was expected.
    """
    if text == OFF:
        return None
    try:
        return parse_rate(str(text))
    except ValueError as error:
        raise ValueError(f"{error}; or {OFF}") from None


def read_addresses(texts: Iterable[str]) -> tuple[str, ...]:
    """Networks as they are kept: each once, in one notation.

    :raises ValueError: one of them is none, or there are too many.
    """
    return _listed(map(str, parse_networks(_several(texts))))


def read_requests(texts: Iterable[str]) -> tuple[str, ...]:
    """The same for requests."""
    return _listed(parse_request(text).text for text in _several(texts))


def read_limit(text: str) -> str:
    """A rate, or ``off``, as it is kept."""
    parse_limit(text)
    return text


READERS: dict[str, Callable[..., object]] = {
    "allowed_addresses": read_addresses,
    "allowed_requests": read_requests,
    "rate_limit": read_limit,
}


def _several(texts: Iterable[str]) -> Sequence[str]:
    found = [] if isinstance(texts, str) else list(texts)
    if isinstance(texts, str) or not all(isinstance(text, str) for text in found):
        raise ValueError(f"expected a list of texts, got {texts!r}")
    return found


def _listed(texts: Iterable[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(texts))
    if len(found) > MAX_LISTED:
        raise ValueError(f"expected at most {MAX_LISTED}, not {len(found)}")
    return found
