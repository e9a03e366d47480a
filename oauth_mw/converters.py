"""Converters of options, from keyword arguments, ini strings and flags. They raise ``Unfit``."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, TypeVar

from .addresses import UNIX, parse_network
from .attributes import check_attributes
from .credentials import MAX_PASSWORD, MIN_SECRET, password_fault
from .errors import AUTHORIZATION, Faults, Unfit
from .limits import OFF, parse_limit
from .protocols import Store
from .rates import UNITS, Rate, parse_rate
from .resources import MAX_RESOURCES, SEVERAL, is_resource
from .rules import Pattern, Rule, is_ambiguous, parse_pattern, parse_rule
from .scopes import check_scopes
from .texts import unprintable
from .urls import as_origin, is_origin, is_url

THROTTLE = ("20/minute", "100/minute")
DOCUMENTS = OAUTH, OPENID = "oauth", "openid"
# A comma, or inside an item of a Python list a space, that was meant as a separator.
_COMMA = re.compile(r"\A,|,\Z")
_ANY_COMMA = re.compile(",")
_PATH_COMMA = re.compile(r"\A,|[ ,](?=/|\Z)")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # RFC 9110 §5.6.2
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", re.ASCII)
_ENVIRON_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}")
_TRUE = frozenset("true yes on y t 1".split())
_FALSE = frozenset("false no off n f 0".split())
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)

Convert = Callable[[object], Any]
T = TypeVar("T")


def _unfit(expected: str, value: object) -> Unfit:
    return Unfit(f"expected {expected}", f", got {value!r}")


def boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise _unfit("true or false", value)


def integer(low: int, high: int) -> Convert:
    def convert(value: object) -> int:
        text = value.strip() if isinstance(value, str) else str(value)
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) or not low <= int(text) <= high:
            raise _unfit(f"a whole number from {low} to {high}", value)
        return int(text)

    return convert


def seconds(low: float, high: float, *, or_zero: bool = False) -> Convert:
    """A converter for finite numbers from ``low`` to ``high``, and 0 if ``or_zero``; strings in decimal notation."""
    allowed = f"{'0, or ' * or_zero}seconds from {low:g} to {high:g}"

    def convert(value: object) -> float:
        number = _number(value)
        if number is None or not (low <= number <= high or (or_zero and number == 0)):
            raise _unfit(allowed, value)
        return number

    return convert


def _number(value: object) -> float | None:
    if isinstance(value, str):
        return float(value) if _DECIMAL.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):  # Decimal("sNaN"), 10**400
        return None


def own_path(value: object) -> str | None:
    return None if value == OFF else _exact_path(value)


def own_paths(value: object) -> tuple[str, ...]:
    """One path or several, or none for ``off``."""
    chosen = words(value, _PATH_COMMA)
    if chosen == (OFF,):
        return ()
    if not chosen or OFF in chosen:
        raise _unfit(f"a path that begins with /, or several with spaces between, or {OFF}", value)
    return tuple(map(_exact_path, chosen))


def _exact_path(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _unfit(f"a path that begins with /, or {OFF}", value)
    if is_ambiguous(value) or re.search(r"[*{}]| [#/]|,([ /]|\Z)", value) or not value.isascii():
        expected = f"one exact ASCII path that begins with /, without patterns, list and comment, or {OFF}"
        raise _unfit(expected, value)
    return value


def words(value: object, several: re.Pattern[str] = _COMMA) -> tuple[str, ...]:
    """A list, or words separated by spaces. ``several`` matches a word that was meant to be several."""
    found = value.split() if isinstance(value, str) else value
    if not isinstance(found, Sequence) or not all(isinstance(word, str) and word for word in found):
        raise _unfit("a list, or words separated by spaces", value)
    if any(map(several.search, found)):
        meant = " ".join(" ".join(several.sub(" ", word) for word in found).split())
        raise Unfit("expected a list, or words separated by spaces, without commas", f"; did you mean {meant!r}?")
    return tuple(found)


def some_of(choices: Collection[str]) -> Convert:
    def convert(value: object) -> tuple[str, ...]:
        chosen = words(value)
        if not chosen or not set(chosen) <= set(choices):
            raise _unfit(f"one or more of {' '.join(choices)}, with spaces between", value)
        return tuple(dict.fromkeys(chosen))

    return convert


def one_of(*choices: str) -> Convert:
    def convert(value: object) -> str:
        if value not in choices:
            raise _unfit(f"{' or '.join(choices)}", value)
        return str(value)

    return convert


def scopes(value: object) -> tuple[str, ...]:
    """Scope tokens (RFC 6749 §3.3), a list or one string."""
    return check_scopes(words(value))


def public_paths(value: object) -> tuple[Pattern, ...]:
    return _each(lambda text: parse_pattern(text, "public_paths"), words(value, _PATH_COMMA))


def rules(value: object) -> tuple[Rule, ...]:
    if isinstance(value, str):
        value = [line for line in map(str.strip, value.splitlines()) if line]
    if not isinstance(value, Sequence):
        raise _unfit("rules, each (METHODS, PATH, SCOPES) or a line of the three", value)
    return _each(parse_rule, value)


def _each(parse: Callable[[Any], T], values: Iterable[Any]) -> tuple[T, ...]:
    """Parse all values, and raise one ``ConfigError`` with the faults of all."""
    found, faults = [], Faults()
    for value in values:
        with faults:
            found.append(parse(value))
    faults.raise_all()
    return tuple(found)


def metadata(value: object) -> tuple[str, ...]:
    """``oauth``, or it and ``openid``, as a list or words with spaces or commas between; ``true`` is ``oauth``."""
    given = value.replace(",", " ").split() if isinstance(value, str) else value
    if isinstance(given, list | tuple) and OAUTH in given and all(each in DOCUMENTS for each in given):
        return tuple(sorted(set(given)))
    try:
        return (OAUTH,) if boolean(value) else ()
    except ValueError:
        raise _unfit(f"'{OAUTH}', '{OAUTH}, {OPENID}' or '{OFF}'", value) from None


def text(pattern: str, expected: str) -> Convert:
    def convert(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise _unfit(expected, value)
        return value

    return convert


realm = text(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,200}", "printable ASCII without quotes and backslash")
# The guard refuses X-Vhm-Root. In the environ "_" is "-" as well.
authorization_header = text(
    rf"{AUTHORIZATION}|(?!(?i:X-Vhm-Root)\Z)[Xx]-[A-Za-z0-9-]{{1,62}}",
    f"{AUTHORIZATION}, or a name that begins with X-, of at most 64 letters, digits and hyphens, but not X-Vhm-Root",
)
# In the environ "_" is "-" as well, and some servers accept both from clients.
forwarded_header = text(r"[A-Za-z][A-Za-z0-9-]{0,63}", "the name of a header: at most 64 letters, digits and hyphens")
prefix = text(r"[A-Za-z0-9._~+/-]{0,32}", "at most 32 letters, digits or . _ ~ + / - (RFC 6750 §2.1)")


def origins(value: object) -> tuple[str, ...]:
    """Origins as browsers send them, or ``*`` alone."""
    chosen = tuple(dict.fromkeys(words(value, _ANY_COMMA)))
    bad = next((each for each in chosen if not is_origin(each)), None)
    if bad is None or chosen == ("*",):
        return chosen
    meant = as_origin(bad)
    hint = f"; did you mean {meant!r}?" if meant else ""
    raise Unfit(
        "expected origins as browsers send them, such as https://app.example.com or http://localhost:3000: in ASCII"
        " and lower case, without the default port, path and final slash; or * alone",
        f"; got {bad!r}{hint}",
    )


def throttle(value: object) -> tuple[str, ...]:
    """Two rates, or none for ``off``."""
    try:
        return THROTTLE if boolean(value) else ()
    except ValueError:
        pass
    try:
        chosen = words(value, _ANY_COMMA)
        if len(chosen) == 2 and all(map(parse_rate, chosen)):
            return chosen
    except ValueError:
        pass
    raise _unfit(f"two rates, such as {' '.join(THROTTLE)}, or {OFF}", value)


def proxies(value: object) -> tuple[str, ...]:
    """Networks in one notation each, and ``unix``."""
    return tuple(dict.fromkeys(each if each == UNIX else _proxies_in(each) for each in words(value, _ANY_COMMA)))


def _proxies_in(text: str) -> str:
    try:
        network = parse_network(text)
    except ValueError as error:
        raise Unfit(
            f"expected networks, such as 10.0.0.0/8 or ::1, or {UNIX}, with spaces between", f"; {error}"
        ) from None
    if network.prefixlen == 0:
        raise Unfit(f"{text} is every address, so that every client could forge its own: name those of your proxies")
    return str(network)


def rate(value: object) -> Rate | None:
    try:
        return parse_limit(value.strip() if isinstance(value, str) else "")
    except ValueError:
        raise _unfit(f"a rate such as 100/minute: a whole number per {', '.join(UNITS)}; or {OFF}", value) from None


def header_names(value: object) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(words(value, _ANY_COMMA)))
    if not all(map(_HEADER_NAME.fullmatch, chosen)):
        raise _unfit("names of request headers, or *", value)
    return chosen


def attribute_names(value: object) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(words(value, _ANY_COMMA)))
    check_attributes(dict.fromkeys(chosen, ""), chosen)
    return chosen


def environ_key(value: object) -> str:
    """The key of an id in the environ. Keys of what may hold credentials are refused."""
    if not isinstance(value, str) or not _ENVIRON_KEY.fullmatch(value):
        meant = "HTTP_" + value.upper().replace("-", "_") if isinstance(value, str) else ""
        hint = f"; did you mean {meant!r}?" if _ENVIRON_KEY.fullmatch(meant) and "-" in str(value) else ""
        raise Unfit("expected a key of the environ, such as HTTP_X_REQUEST_ID for a header", f", got {value!r}{hint}")
    if re.search("AUTHORIZATION|COOKIE|QUERY|_URI$|SECRET|TOKEN|PASSWORD", value, re.IGNORECASE):
        raise _unfit("the key of an id, and of nothing that may hold a token or a secret", value)
    return value


def reference(value: object) -> object:
    """A function, or the reference to one, which is imported later."""
    if callable(value) or (isinstance(value, str) and _REFERENCE.fullmatch(value)):
        return value
    raise _unfit("a function, or module:name, such as shop.errors:body", value)


def store(value: object) -> str | Store:
    if isinstance(value, str) and (value != value.strip() or value.startswith(("'", '"'))):
        raise Unfit("expected a store URL, without quotes, spaces or line breaks around it")
    if isinstance(value, str) or hasattr(value, "read_log"):
        return value  # type: ignore[return-value]  # a Store, by its methods
    # Do not show the value: it may contain a password.
    raise Unfit(f"expected a store URL or an open store, not {type(value).__name__}")


def url(value: object) -> str:
    """A URL, kept as written. The error does not show it: it may contain a password."""
    if not isinstance(value, str) or not is_url(value):
        raise Unfit(
            "expected an https URL, or http for a loopback host, in plain ASCII, without user, query and fragment,"
            " and with an unambiguous path (no %XX, no empty or dot segment)"
        )
    return value


def audience(value: object) -> tuple[str, ...]:
    """The identifiers of a resource server (RFC 8707 §2)."""
    chosen = tuple(dict.fromkeys(words(value, SEVERAL)))
    if not 0 < len(chosen) <= MAX_RESOURCES or not all(map(is_resource, chosen)):
        raise _unfit(f"1 to {MAX_RESOURCES} absolute URIs without fragment (RFC 8707 §2)", value)
    return chosen


def secret(value: object) -> str:
    """A secret that is hard to guess. The error does not show it."""
    fault = password_fault(value) if isinstance(value, str) else "it is not a string"
    if fault:
        raise Unfit(
            f"expected {MIN_SECRET} to {MAX_PASSWORD} printable characters that are hard to guess, and {fault}."
            " Set what 'openssl rand -hex 32' prints; for keys that are stored already, call 'oauth-mw key rotate' then"
        )
    return str(value)


def files(value: object) -> tuple[str, ...]:
    chosen = words(value)
    if not chosen or any(map(unprintable, chosen)) or len(set(chosen)) < len(chosen):
        raise _unfit("one file or more, each once", value)
    return chosen
