"""The filter's own section of a Paste ini, as PasteDeploy loads it for the app that it wraps."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from paste.deploy import loadwsgi  # type: ignore[import-untyped]

from ..errors import ConfigError, Faults
from ..paste import SECRET, filter_app_factory, filter_factory, ini_options

_USE = re.compile(r"egg:oauth[-_.]mw(#main)?|call:oauth_mw\.paste:\w+", re.IGNORECASE)
_FACTORIES = ("paste.filter_factory", "paste.filter_app_factory")
_FACTORY_MODULE = "oauth_mw.paste:"
_LOADED_BY = ("use", "pipeline", "next", "filter-with")
_COMPOSITES = ("composite:", "composit:")
_APPS = ("app", "application", "composite", "composit", "pipeline", "filter-app")
_OURS = ("filter", "filter-app")


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


class _Loader(loadwsgi.ConfigLoader):  # type: ignore[misc]
    """Reads the sections of an app as a start does, but imports nothing of other packages.

    :param wanted: the file and name of our section.
    :param found: receives the contexts with which PasteDeploy loads that section: one for each place where it is used.
    """

    def __init__(self, filename: str, wanted: tuple[str, str] = ("", ""), found: list[Any] | None = None) -> None:
        super().__init__(os.path.abspath(filename))
        self.wanted = wanted
        self.found = [] if found is None else found

    def get_context(self, object_type: Any, name: str | None = None, global_conf: Any = None) -> Any:
        if self.absolute_name(name):
            if file := self.file_of(name):
                loader = _Loader(file[0], self.wanted, self.found)
                loader.update_defaults(global_conf or {}, overwrite=False)
                return loader.get_context(object_type, file[1], global_conf)
            if not _USE.fullmatch(name or ""):
                return loadwsgi.LoaderContext(None, object_type, None, dict(global_conf or {}), {}, self)
            return super().get_context(object_type, name, global_conf)
        context = super().get_context(object_type, name, global_conf)
        section = self.find_config_section(object_type, name)
        if (self.filename, section) == self.wanted:
            self.found.append(context)
        if section.startswith(_COMPOSITES):
            # The factory loads apps by the values that it is given, with its own variables.
            for value in " ".join(context.local_conf.values()).split():
                if _named(self, loadwsgi.APP, value):
                    self.get_context(loadwsgi.APP, value, context.global_conf)
        return context

    def _context_from_explicit(self, object_type: Any, local_conf: dict[str, str], *others: Any) -> Any:
        for key in local_conf:
            if key.startswith("paste.") and not local_conf[key].startswith(_FACTORY_MODULE):
                local_conf[key] = "builtins:object"
        return super()._context_from_explicit(object_type, local_conf, *others)

    def file_of(self, name: str | None) -> tuple[str, str] | None:
        """The file and the section's name of ``config:file#name``; ``None`` for anything else."""
        if not name or not name.lower().startswith("config:"):
            return None
        file, _, name = name[len("config:") :].partition("#")
        return os.path.join(os.path.dirname(self.filename), unquote(file)), name or "main"


def read_section(place: str, variables: Mapping[str, str], faults: Faults) -> Section:
    """Read ``app.ini``, or ``app.ini#name`` where several sections are ours.

    :param variables: as of ``pserve app.ini NAME=VALUE``.
    :param faults: to which those of single options are added.
    :raises ConfigError: it cannot be read, or it is not clear which section is meant.
    """
    path, _, name = place.partition("#")
    try:
        loader = _Loader(path)
        loader.update_defaults(variables, overwrite=False)
        section = _find(loader, path, name)
        contexts = _contexts(loader, section, place, variables)
    except OSError as error:
        raise ConfigError(_source(error.filename, path), f"cannot be read ({error.strerror})") from None
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ConfigError(_source(error, path), f"is no Paste ini: {_fault(error)}") from None
    except ConfigError:
        raise
    except ValueError:
        raise ConfigError(path, "is no Paste ini: no file can have this name") from None
    distinct = {repr((context.global_conf, context.local_conf)): context for context in contexts}.values()
    options = [ini_options(context.global_conf, context.local_conf, faults) for context in distinct]
    return Section(loader.filename, section, options[0], contexts[0].local_conf)


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


def _find(loader: _Loader, path: str, name: str) -> str:
    """The section that ``name`` chooses. ``ConfigError`` is raised if it is none of ours, or if several are."""
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


def _our_sections(loader: _Loader) -> Iterator[str]:
    unreadable: list[Exception] = []  # sections of other packages may be unreadable
    ours = False
    for section in loader.parser.sections():
        try:
            if section.partition(":")[0] in _OURS and _is_ours(loader, section):
                ours = True
                yield section
        except (OSError, configparser.Error, UnicodeDecodeError) as error:
            unreadable.append(error)
    if unreadable and not ours:
        raise unreadable[0]


def _is_ours(loader: _Loader, section: str) -> bool:
    """True if the section leads to our factories, itself or by the sections and files that it uses."""
    for each, name in _reached(loader, section, ("use",), (loadwsgi.FILTER,), set()):
        use, *factories = (each.parser.get(name, key, fallback="") for key in ("use", *_FACTORIES))
        if _USE.fullmatch(use) or (not use and any(text.startswith(_FACTORY_MODULE) for text in factories)):
            return True
    return False


def _reached(
    loader: _Loader, section: str, keys: tuple[str, ...], types: tuple[Any, ...], seen: set[tuple[str, str]]
) -> Iterator[tuple[_Loader, str]]:
    """The section, and those that it leads to by what ``keys`` name, also in other files, which may be unreadable."""
    if (loader.filename, section) in seen:
        return
    seen.add((loader.filename, section))
    yield loader, section
    for key in loader.parser.options(section) if section.startswith(_COMPOSITES) else keys:
        for word in loader.parser.get(section, key, fallback="").split():
            for named in (_named(loader, each, word) for each in types):
                if named is not None:
                    yield from _reached(*named, keys, types, seen)


def _named(loader: _Loader, object_type: Any, name: str) -> tuple[_Loader, str] | None:
    """The section that a section names, perhaps in another file; ``None`` for what is in no file."""
    if file := loader.file_of(name):
        loader, name = _Loader(file[0]), file[1]
    try:
        return loader, loader.find_config_section(object_type, name)
    except LookupError:
        return None


def _apps(loader: _Loader, section: str, place: str) -> list[str]:
    """The sections of the apps that a start may load and that lead to ``section``: ``main``, if it is one of them.

    :raises ConfigError: ``main`` leads to the filter of another file, and ``place`` does not name ``section``.
    """
    mains: list[str] = []
    others: list[str] = []
    for app in loader.parser.sections():
        kind, _, name = app.partition(":")
        if kind not in _APPS:
            continue
        is_main, wanted = name.strip() in ("", "main"), (loader.filename, section)
        try:
            reached = _reached(loader, app, _LOADED_BY, (loadwsgi.APP, loadwsgi.FILTER), set())
            filters = {(each.filename, name) for each, name in reached if _is_ours(each, name)}
        except (OSError, configparser.Error, UnicodeDecodeError):  # sections of other packages may be unreadable
            filters = {wanted} if is_main else set()
        if wanted in filters:
            (mains if is_main else others).append(app)
        elif is_main and filters and not place.partition("#")[2]:
            reason = f"[{app}] does not load [{section}], but the filter of {min(filters)[0]}"
            raise ConfigError(place, f"{reason}: name that file, or choose {place}#{section}")
    return mains or others


def _contexts(loader: _Loader, section: str, place: str, variables: Mapping[str, str]) -> list[Any]:
    """The contexts with which PasteDeploy calls our factory, if it loads the section and all apps around it."""
    path = place.partition("#")[0]
    loader.wanted = (loader.filename, section)
    loading = section
    try:
        for loading in _apps(loader, section, place):
            loader.get_context(loadwsgi.APP, loading.partition(":")[2].strip() or None, dict(variables))
        if not loader.found:
            loading = section
            loader.get_context(loadwsgi.FILTER, section.partition(":")[2].strip() or None, dict(variables))
    except KeyError as error:
        raise _unknown_variable(loader, loading, error.args[0]) from None
    except ImportError:
        raise ConfigError(path, f"[{loading}]: what 'require' or 'use' names is not installed") from None
    except (LookupError, AttributeError, RecursionError):
        # The texts of these errors may contain values.
        raise ConfigError(path, f"[{loading}]: {_why_not(loader)}") from None
    return [_innermost(context, section, path) for context in loader.found]


def _why_not(loader: _Loader) -> str:
    if dropped := sorted({*_LOADED_BY, *_FACTORIES} & loader.parser.defaults().keys()):
        return f"PasteDeploy ignores {dropped[0]!r} in all sections if [DEFAULT] has it: move it from there into them"
    return "PasteDeploy finds nothing to load by 'use', 'next', 'pipeline' and its name"


def _innermost(context: Any, section: str, path: str) -> Any:
    """The context of our factory, within those of a filter-app and of filter-with."""
    while context.object_type in (loadwsgi.FILTER_APP, loadwsgi.FILTER_WITH):
        inner = context.filter_context if context.object_type is loadwsgi.FILTER_APP else context.next_context
        for option in context.local_conf.items() - inner.local_conf.items():
            reason = f"[{section}] uses a section that has filter-with, for which PasteDeploy drops this option"
            raise ConfigError(option[0], f"{reason}: put filter-with into [{section}]")
        context = inner
    if context.object not in (filter_factory, filter_app_factory):
        raise ConfigError(path, f"[{section}] does not lead to oauth_mw")
    return context


def _unknown_variable(loader: _Loader, section: str, variable: str) -> ConfigError:
    """The error for ``section``, which is loaded; the fault may be in one that it uses, also in another file."""
    parser = loader.parser
    named = {
        key[4:].strip(): each
        for each in parser.sections()
        for key in parser.options(each)
        if key.startswith("get ") and parser.get(each, key, raw=True) == variable
    }
    name = next((name for name, each in named.items() if each == section), section)
    shown = repr(variable) if named and variable.isidentifier() and SECRET not in named else "something"
    return ConfigError(name, f"'get' names {shown}, which [DEFAULT] does not have")
