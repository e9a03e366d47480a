"""The filter's own section of a Paste ini, read as PasteDeploy reads it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from configparser import (
    ConfigParser,
    DuplicateOptionError,
    DuplicateSectionError,
    Error,
    InterpolationError,
    MissingSectionHeaderError,
    ParsingError,
)
from dataclasses import dataclass

from ..errors import ConfigError
from ..paste import SECRET, ini_options

_USE = re.compile(r"egg:oauth[-_.]mw(#main)?|call:oauth_mw\.paste:\w+", re.IGNORECASE)
_FACTORIES = ("paste.filter_factory", "paste.filter_app_factory")
_OURS = "oauth_mw.paste:"


@dataclass(frozen=True)
class Section:
    """``file`` is absolute; ``options`` are those of the middleware, with absolute files."""

    file: str
    name: str
    options: Mapping[str, object]


def read_section(place: str) -> Section:
    """Read ``app.ini``, or ``app.ini#name`` where several sections are ours.

    :raises ConfigError: it cannot be read, or it is not clear which section is meant.
    """
    path, _, name = place.partition("#")
    try:
        parser = _parse(path)
        section = _find(parser, path, name)
        return Section(os.path.abspath(path), section, _options(parser, section))
    except OSError as error:
        raise ConfigError(path, f"cannot be read ({error.strerror})") from None
    except ConfigError:
        raise
    except (Error, ValueError) as error:
        raise ConfigError(path, f"is no Paste ini: {_fault(error)}") from None


def _fault(error: Exception) -> str:
    """What is wrong, without any text of the file, which may be part of a password."""
    if isinstance(error, InterpolationError):
        return f"[{error.section}] {error.option}: a % that begins no %(name)s known there is written %%"
    if isinstance(error, MissingSectionHeaderError):
        return f"line {error.lineno} stands before any [section]"
    if isinstance(error, DuplicateOptionError):
        return f"line {error.lineno}: [{error.section}] has {error.option} twice"
    if isinstance(error, DuplicateSectionError):
        return f"line {error.lineno}: [{error.section}] stands there twice"
    if isinstance(error, ParsingError):
        return f"no 'name = value' in line {', '.join(str(number) for number, _ in error.errors)}"
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else "no file can have this name"


def _parse(path: str) -> ConfigParser:
    file = os.path.abspath(path)
    parser = ConfigParser(defaults={"here": os.path.dirname(file), "__file__": file})
    # As its documentation says to keep the case of names; its types say that nobody may.
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    with open(file, encoding="utf-8") as lines:
        parser.read_file(lines, path)
    return parser


def _find(parser: ConfigParser, path: str, name: str) -> str:
    ours = [section for section in parser.sections() if _is_ours(parser, section)]
    chosen = [each for each in ours if name in ("", each, each.partition(":")[2].strip())]
    if len(chosen) == 1:
        return chosen[0]
    listed = ", ".join(f"[{each}]" for each in ours)
    if not ours:
        raise ConfigError(path, "no [filter:…] section has 'use = egg:oauth_mw'")
    if not chosen:
        raise ConfigError(path, f"#{name} is none of our sections, which are {listed}")
    raise ConfigError(path, f"several sections are ours, {listed}: choose one, as in {path}#{chosen[0]}")


def _is_ours(parser: ConfigParser, section: str) -> bool:
    if section.partition(":")[0] not in ("filter", "filter-app"):
        return False
    use = parser.get(section, "use", raw=True, fallback="")
    factories = [parser.get(section, key, raw=True, fallback="") for key in _FACTORIES]
    return bool(_USE.fullmatch(use)) or (not use and any(text.startswith(_OURS) for text in factories))


def _options(parser: ConfigParser, section: str) -> dict[str, object]:
    """What PasteDeploy would hand to the factory, and what that makes of it. A key of ``[DEFAULT]`` is no option,
    wherever it stands again; but a ``set`` or ``get`` there is one of every section."""
    common = {key: parser.get("DEFAULT", key) for key in parser.defaults()}
    keys = [key for key in parser.options(section) if key not in common or key.startswith(("set ", "get "))]
    own = {key: parser.get(section, key) for key in keys}
    common.update({key[4:].strip(): value for key, value in own.items() if key.startswith("set ")})
    options: dict[str, object] = {key: value for key, value in own.items() if not key.startswith(("set ", "get "))}
    given = {key[4:].strip(): value for key, value in own.items() if key.startswith("get ")}
    for name, variable in given.items():
        if variable not in common:
            shown = repr(variable) if variable.isidentifier() and name != SECRET else "something"
            raise ConfigError(name, f"'get' names {shown}, which [DEFAULT] does not have")
        options[name] = common[variable]
    read_by_paste = ["filter-with", "require", *(["use"] if "use" in options else _FACTORIES)]
    for key in [*read_by_paste, "next"] if section.startswith("filter-app") else read_by_paste:
        options.pop(key, None)
    return ini_options(common, options)
