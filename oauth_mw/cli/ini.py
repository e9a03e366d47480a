"""The filter's own section of a Paste ini, as PasteDeploy loads it."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from paste.deploy.loadwsgi import APP, FILTER, FILTER_APP, FILTER_WITH, ConfigLoader  # type: ignore[import-untyped]

from ..errors import ConfigError, Faults
from ..paste import SECRET, filter_app_factory, filter_factory, ini_options

_USE = re.compile(r"egg:oauth[-_.]mw(#main)?|call:oauth_mw\.paste:\w+", re.IGNORECASE)
_FACTORIES = ("paste.filter_factory", "paste.filter_app_factory")
_FACTORY_MODULE = "oauth_mw.paste:"
_URI_SCHEME = re.compile("[a-zA-Z]+:")
_TYPES = {"filter": FILTER, "filter-app": APP}


@dataclass(frozen=True)
class Section:
    """A filter's section of an ini.

    ``file`` is its absolute path. ``options`` are those of the middleware, with absolute files and with ``${NAME}``
    replaced; ``written`` are the same as they stand in the ini.
    """

    file: str
    name: str
    options: Mapping[str, object]
    written: Mapping[str, object]


class _Loader(ConfigLoader):  # type: ignore[misc]
    """Loads no app and no filter around the section, because that would import their modules."""

    _inside = False

    def get_context(self, object_type: Any, name: str | None = None, global_conf: Any = None) -> Any:
        if object_type is APP and self._inside:
            return None
        self._inside = True
        return super().get_context(object_type, name, global_conf)

    def filter_context(self, name: str | None = None, global_conf: Any = None) -> None:
        return None


def read_section(place: str, variables: Mapping[str, str], faults: Faults) -> Section:
    """Read ``app.ini``, or ``app.ini#name`` where several sections are ours.

    :param variables: as of ``pserve app.ini NAME=VALUE``.
    :param faults: to which those of single options are added.
    :raises ConfigError: it cannot be read, or it is not clear which section is meant.
    """
    path, _, name = place.partition("#")
    try:
        loader = _Loader(os.path.abspath(path))
        loader.update_defaults(variables, overwrite=False)
        section = _find(loader, path, name)
        context = _context(loader, section, path, variables)
    except OSError as error:
        raise ConfigError(_source(error.filename, path), f"cannot be read ({error.strerror})") from None
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ConfigError(_source(error, path), f"is no Paste ini: {_fault(error)}") from None
    except ConfigError:
        raise
    except ValueError:
        raise ConfigError(path, "is no Paste ini: no file can have this name") from None
    options = ini_options(context.global_conf, context.local_conf, faults)
    return Section(loader.filename, section, options, context.local_conf)


def _source(error: object, path: str) -> str:
    """The file with the fault: the ini, or one that it uses."""
    if isinstance(error, configparser.InterpolationError):
        named = re.match(r"Error in file (.+?): ", str(error.args[0]))
        source: object = named and named[1]
    else:
        source = getattr(error, "source", error)
    return source if isinstance(source, str) and source != os.path.abspath(path) else path


def _fault(error: Exception) -> str:
    """Describe what is wrong, without any text of the file: it may be part of a password."""
    if isinstance(error, configparser.InterpolationError):
        return f"[{error.section}] {error.option}: a % that begins no %(name)s known there is written %%"
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"line {error.lineno} stands before any [section]"
    if isinstance(error, configparser.DuplicateOptionError):
        return f"line {error.lineno}: [{error.section}] has {error.option} twice"
    if isinstance(error, configparser.DuplicateSectionError):
        return f"line {error.lineno}: [{error.section}] stands there twice"
    if isinstance(error, configparser.ParsingError):
        return f"no 'name = value' in line {', '.join(str(number) for number, _ in error.errors)}"
    return "it is not UTF-8"


def _find(loader: ConfigLoader, path: str, name: str) -> str:
    """The section that ``name`` chooses.

    :raises ConfigError: it is none of ours, or several are.
    """
    ours = list(_our_sections(loader))
    chosen = [each for each in ours if name in ("", each, each.partition(":")[2].strip())]
    if len(chosen) == 1:
        return chosen[0]
    listed = ", ".join(f"[{each}]" for each in ours)
    if not ours:
        raise ConfigError(path, "no [filter:…] section has 'use = egg:oauth_mw'")
    if not chosen:
        raise ConfigError(path, f"#{name} is none of our sections, which are {listed}")
    raise ConfigError(path, f"several sections load oauth_mw, {listed}: choose one, as in {path}#{chosen[0]}")


def _our_sections(loader: ConfigLoader) -> Iterator[str]:
    unreadable: list[Exception] = []  # sections of other packages may be unreadable
    ours = False
    for section in loader.parser.sections():
        try:
            if section.partition(":")[0] in _TYPES and _is_ours(loader, section, set()):
                ours = True
                yield section
        except (OSError, configparser.Error, UnicodeDecodeError) as error:
            unreadable.append(error)
    if unreadable and not ours:
        raise unreadable[0]


def _is_ours(loader: ConfigLoader, section: str, seen: set[tuple[str, str]]) -> bool:
    """True if the section leads to our factories, itself or by the sections and files that it uses.

    :raises OSError: a file that it uses cannot be read.
    """
    if (loader.filename, section) in seen:
        return False
    seen.add((loader.filename, section))
    use = loader.parser.get(section, "use", fallback="")
    if not use:
        return any(loader.parser.get(section, key, fallback="").startswith(_FACTORY_MODULE) for key in _FACTORIES)
    if _USE.fullmatch(use):
        return True
    name: str | None = use
    if use.lower().startswith("config:"):
        file, _, name = use[len("config:") :].partition("#")
        loader, name = ConfigLoader(os.path.join(os.path.dirname(loader.filename), unquote(file))), name or "main"
    elif _URI_SCHEME.match(use):
        return False
    try:
        return _is_ours(loader, loader.find_config_section(FILTER, name), seen)
    except LookupError:
        return False


def _context(loader: ConfigLoader, section: str, path: str, variables: Mapping[str, str]) -> Any:
    """The context with which PasteDeploy calls our factory.

    :raises ConfigError: PasteDeploy does not call it, or drops an option.
    """
    kind, _, name = section.partition(":")
    try:
        context = loader.get_context(_TYPES[kind], name.strip() or None, dict(variables))
    except KeyError as error:
        raise _unknown_variable(loader, section, error.args[0]) from None
    except ImportError:
        raise ConfigError(path, f"[{section}]: what 'require' or 'use' names is not installed") from None
    except (LookupError, AttributeError):
        # The texts of these errors may contain values.
        raise ConfigError(
            path, f"[{section}]: PasteDeploy finds nothing to load by 'use', 'next' and its name"
        ) from None
    while context.object_type in (FILTER_APP, FILTER_WITH):
        inner = context.filter_context if context.object_type is FILTER_APP else context.next_context
        for option in context.local_conf.items() - inner.local_conf.items():
            reason = f"[{section}] uses a section that has filter-with, for which PasteDeploy drops this option"
            raise ConfigError(option[0], f"{reason}: put filter-with into [{section}]")
        context = inner
    if context.object not in (filter_factory, filter_app_factory):
        raise ConfigError(path, f"[{section}] does not lead to oauth_mw")
    return context


def _unknown_variable(loader: ConfigLoader, section: str, variable: str) -> ConfigError:
    parser = loader.parser
    got = [key for key in parser.options(section) if key.startswith("get ")]
    name = next((key[4:].strip() for key in got if parser.get(section, key) == variable), section)
    shown = repr(variable) if variable.isidentifier() and name != SECRET else "something"
    return ConfigError(name, f"'get' names {shown}, which [DEFAULT] does not have")
