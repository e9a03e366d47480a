"""Options from outside: ``${NAME}`` in the values of an ini, and names with a prefix in a mapping."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote

from .apps import APP
from .config import OPTIONS, STORE_URLS
from .environment import OF_COMMANDS
from .errors import ConfigError, Faults, Unfit
from .rules import PUBLIC_PATHS, REQUIRED_SCOPES
from .stores import shown

VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}")
_NOTATION = re.compile(rf"\$(?P<literal>\$\{{)|{VARIABLE.pattern}|(?P<malformed>\$\{{)")
_WORD = re.compile(r"\S+")
_PIECE = re.compile("[A-Za-z0-9]{4,}")
# What Kubernetes sets in every container for each service of the namespace.
_OF_SERVICE = re.compile(
    r"([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)

_NOT_SET = "not set in the environment: "
_PATHS = (REQUIRED_SCOPES, PUBLIC_PATHS)  # faults of one of them quote the other, too

Describe = Callable[[str, str], str]


@contextmanager
def describing(describe: Describe) -> Iterator[None]:
    """Change the text of each fault that is raised inside.

    :param describe: returns the new text for the name of an option and the text.
    """
    try:
        yield
    except ConfigError as error:
        error.describe(describe)
        raise


# In an ini


def filled(name: str, value: str, here: str) -> str:
    """Replace each ``${NAME}`` in the value of an option from the environment, once, and ``$${`` by ``${``.

    Inside a URL it is percent-encoded as one component. The URL of an SQLite file is a path, in which nothing is
    encoded.

    :param value: has ``\\0`` for ``here``, the folder of the ini.
    :raises ConfigError: a variable is not set, its notation is malformed, nothing is left of a word, or the option may
        not have the value.
    """
    if any(each["malformed"] for each in _NOTATION.finditer(value)):
        raise ConfigError(name, "expected ${NAME}, with a name of letters, digits and _; a literal ${ is written $${")
    variables = _variables(value)
    missing = [each for each in variables if each not in os.environ]
    if missing:
        raise ConfigError(name, f"{_NOT_SET}{_written(missing)}")
    words = {word: _fill(word, here) for word in _WORD.findall(value)}
    for word, text in words.items():
        _check_word(name, word, text)
    found = _WORD.sub(lambda word: words[word[0]], value).replace("\0", here)
    if variables:
        _check(name, found, variables)
    return found


def _fill(word: str, here: str) -> str:
    whole = word.replace("\0", here)
    is_url = "://" in whole and not whole.startswith("sqlite:")

    def text(found: re.Match[str]) -> str:
        if found["literal"]:
            return found["literal"]
        value = os.environ[found["name"]]
        return _encoded(value) if is_url else value

    return _NOTATION.sub(text, word)


def _check_word(name: str, word: str, text: str) -> None:
    """Raise ``ConfigError`` if nothing is left of the word, or if it is a URL with a line break in a variable."""
    broken = [each for each in _variables(word) if "://" in word and "\n" in os.environ[each]]
    if broken:
        raise ConfigError(name, f"{_written(broken)}: the value has a line break, which a URL may not have")
    if not text.strip():  # a rule, or a scope of it, would be gone without a word
        raise ConfigError(name, f"{word} is empty in the environment: set it, or remove it from the option")


def _check(name: str, value: str, variables: Iterable[str]) -> None:
    """Raise ``ConfigError`` with the variables and without the value if the option may not have it."""
    try:
        OPTIONS[name].metadata["convert"](value)
    except Unfit as error:
        raise ConfigError(name, f"{_written(variables)}: {error.expected}") from None
    except ValueError:
        what = OPTIONS[name].metadata["help"]
        raise ConfigError(name, f"{_written(variables)}: the value is malformed; the option means: {what}") from None


def by_notation(written: Mapping[str, object]) -> Describe:
    """Name the variables of an option in its faults, in the place of their values.

    :param written: the options as in the ini.
    """

    def describe(option: str, text: str) -> str:
        if text.startswith(("${", _NOT_SET)):
            return text
        variables = _variables(written.get(option))
        if option in _PATHS:
            others = [name for each in _PATHS for name in _variables(written.get(each))]
            if variables or _shows(text, others):
                return f"{_written(others)}: one of the paths can never match; in the ini itself it would be named"
        if not variables:
            return text
        notations = _notations(str(written[option]))
        values = re.compile("|".join(map(_whole, sorted(notations, key=len, reverse=True))) or "(?!)")
        if option in OPTIONS and _shows(values.sub("", text), variables):
            text = f"it cannot be used; the option means: {OPTIONS[option].metadata['help']}"
        return f"{_written(variables)}: {values.sub(lambda found: notations[found[0]], text)}"

    return describe


def _variables(value: object) -> list[str]:
    names = (each["name"] for each in _NOTATION.finditer(value if isinstance(value, str) else ""))
    return [name for name in dict.fromkeys(names) if name]


def _notations(written: str) -> dict[str, str]:
    """What faults may show of an option's value, each with what is written in its place."""
    texts = {os.environ.get(name, ""): _written([name]) for name in _variables(written)}
    texts |= {word: notation for value, notation in texts.items() for word in value.split()}
    for word in written.split():
        names = _variables(word)
        if names and all(name in os.environ for name in names):
            texts[_fill(word, "")] = word
    forms = {form: notation for text, notation in texts.items() for form in _forms(text)}
    return {form: notation for form, notation in forms.items() if form.strip() and form not in STORE_URLS}


def _forms(text: str) -> set[str]:
    """The text as it is, as faults quote it, and as it is in a URL."""
    return {each for form in (text, shown(text)) for each in (form, repr(form)[1:-1], _encoded(form))}


def _encoded(text: str) -> str:
    return quote(text, safe="", errors="surrogateescape")


def _shows(text: str, variables: Iterable[str]) -> bool:
    """True if the text has a piece of one of the values: four letters or digits, or more."""
    text = text.replace(STORE_URLS, "").casefold()
    pieces = {piece.casefold() for name in variables for piece in _PIECE.findall(os.environ.get(name, ""))}
    return any(piece in text for piece in pieces.difference(_PIECE.findall(STORE_URLS)))


def _whole(word: str) -> str:
    """A pattern for the word where no letter or digit continues it."""
    before, after = (r"\b" if re.match(r"\w", end) else "" for end in (word[0], word[-1]))
    return f"{before}{re.escape(word)}{after}"


def _written(variables: Iterable[str]) -> str:
    return ", ".join(f"${{{name}}}" for name in variables)


# In a mapping


def options_of(mapping: Mapping[str, object], prefix: str, faults: Faults) -> dict[str, object]:
    """The options that ``mapping`` has by their names in capitals after ``prefix``.

    Names that Kubernetes makes of services are left out, and those of the command line. Faults, but not those of
    unknown names, go to ``faults``.
    """
    options: dict[str, object] = {"store": None}
    for key, value in mapping.items():
        if not isinstance(key, str) or not key.startswith(prefix):
            continue
        name = key.removeprefix(prefix)
        if name.lower() not in OPTIONS and (_OF_SERVICE.fullmatch(name) or key in OF_COMMANDS):
            continue
        option = name.lower() if name == name.upper() and name.lower() != APP else key
        if option in OPTIONS and isinstance(value, str) and not value.strip():  # rules would be gone without a word
            faults.add(option, "is empty: set it, or remove it")
        else:
            options[option] = value
    return options


def by_prefix(prefix: str) -> Describe:
    """Name the key of an option in its faults."""

    def describe(option: str, text: str) -> str:
        is_named = prefix and option.startswith(prefix)
        return text if is_named or option == APP else f"{prefix}{option.upper()}: {text}"

    return describe
