"""The filter's own section of a Paste ini, as PasteDeploy loads it for the app that it wraps."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from paste.deploy import loadwsgi  # type: ignore[import-untyped]

from ..errors import ConfigError, Faults
from ..paste import SECRET, filter_app_factory, filter_factory, ini_options
from ..stores import passwords
from ..variables import VARIABLE

_USE = re.compile(r"egg:oauth[-_.]mw(#main)?|call:oauth_mw\.paste:\w+", re.IGNORECASE)
_FACTORIES = ("paste.filter_factory", "paste.filter_app_factory")
_FACTORY_MODULE = "oauth_mw.paste:"
_LOADED_BY = ("use", "pipeline", "next", "filter-with")
_COMPOSITES = ("composite:", "composit:")
_APPS = ("app", "application", "composite", "composit", "pipeline", "filter-app")
_OURS = ("filter", "filter-app")
_INSTEAD = "write ${NAME} in the ini, and set that in the environment"


@dataclass(frozen=True)
class Section:
    """A filter's section of an ini.

    ``file`` is its absolute path. ``options`` are those of the middleware, with absolute files and with ``${NAME}``
    replaced; ``written`` are the same as written in the ini. ``unguarded`` is the app that the ini serves, if it does
    not load the filter; ``open_mounts`` are those that it mounts with no filter of ours in front, beside others.
    ``inherited`` are the options that another section holds, which this one uses.
    """

    file: str
    name: str
    options: Mapping[str, object]
    written: Mapping[str, object]
    unguarded: str
    open_mounts: tuple[str, ...]
    inherited: frozenset[str]


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
            # A section that uses this one adds its own options to the context.
            own = copy(context)
            own.local_conf, own.global_conf = dict(context.local_conf), dict(context.global_conf)
            self.found.append(own)
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


def read_section(config: str, variables: Mapping[str, str], faults: Faults) -> Section:
    """Read ``app.ini``, or ``app.ini#name`` where several sections are ours.

    :param variables: as in ``pserve app.ini NAME=VALUE``. Those that end up in a secret are faults: other users can
        read them in the process list.
    :param faults: receives those of single options.
    :raises ConfigError: it cannot be read, or it is not clear which section is meant.
    """
    section = _read(config, variables, faults)
    for name in variables:
        with suppress(ConfigError):  # the variable may be the name of a file
            other = _secrets(_read(config, {**variables, name: "_"}, Faults()))
            for option, value in _secrets(section).items():
                if value != other[option]:
                    faults.add(option, f"--set {name} shows a secret to other users: {_INSTEAD}")
    return section


def places(config: str, variables: Mapping[str, str]) -> list[str]:
    """``app.ini#name`` for each section of ours that an app names, if several are ours; else ``config`` as it is.

    It reports no faults of the ini: :func:`read_section` does.
    """
    path, _, name = config.partition("#")
    with suppress(OSError, ValueError, configparser.Error):
        loader = _Loader(path)
        loader.update_defaults(variables, overwrite=False)
        named = {found for each in loader.parser.sections() for found in _in_front(loader, each)}
        ours = list(_our_sections(loader))
        chosen = [f"{path}#{each}" for each in ours if (loader.filename, each) in named]
        if chosen and len(ours) > 1 and not name:
            return chosen
    return [config]


def _read(config: str, variables: Mapping[str, str], faults: Faults) -> Section:
    path, _, name = config.partition("#")
    try:
        loader = _Loader(path)
        loader.update_defaults(variables, overwrite=False)
        section = _find(loader, path, name)
        unguarded, open_mounts = _unguarded(loader, section), tuple(_open_mounts(loader))
        contexts = _contexts(loader, section, config, variables)
    except OSError as error:
        raise ConfigError(_source(error.filename, path), f"cannot be read ({error.strerror})") from None
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ConfigError(_source(error, path), f"is not a Paste ini: {_fault(error)}") from None
    except ConfigError:
        raise
    except ValueError:
        raise ConfigError(path, "cannot be the name of a file") from None
    distinct = {repr((context.global_conf, context.local_conf)): context for context in contexts}.values()
    options = [ini_options(context.global_conf, context.local_conf, faults) for context in distinct]
    written = contexts[0].local_conf
    inherited = frozenset(written) - {key.removeprefix("get ").strip() for key in loader.parser.options(section)}
    return Section(loader.filename, section, options[0], written, unguarded, open_mounts, inherited)


def _secrets(section: Section) -> dict[str, object]:
    """By option: what the section holds of secrets, without the names of variables of the environment."""
    written = {name: VARIABLE.sub("", str(value)) for name, value in section.written.items()}
    return {SECRET: written.get(SECRET), "store": passwords(written.get("store", ""))}


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
        place, rest = f"[{error.section}] {error.option}", "a % that begins no %(name)s must be written %%"
        if isinstance(error, configparser.InterpolationMissingOptionError):
            return f"{place}: a variable %(name)s is not set, by [DEFAULT] or --set NAME=VALUE; {rest}"
        return f"{place}: {rest}"
    if isinstance(error, configparser.MissingSectionHeaderError):
        mark = "\ufeff"
        if error.line.startswith(mark):
            return "it begins with a byte order mark, which PasteDeploy does not read: save it without"
        return f"line {error.lineno} is before the first [section]"
    if isinstance(error, configparser.DuplicateOptionError):
        return f"line {error.lineno}: [{error.section}] has {error.option} twice"
    if isinstance(error, configparser.DuplicateSectionError):
        return f"line {error.lineno}: [{error.section}] appears twice"
    if isinstance(error, configparser.ParsingError):
        return f"no 'name = value' in line {', '.join(str(number) for number, _ in error.errors)}"
    return "it is not UTF-8"


def _find(loader: _Loader, path: str, name: str) -> str:
    """The section of ours that ``name`` chooses. ``ConfigError`` is raised if there is none, or there are several."""
    ours = list(_our_sections(loader))
    chosen = [each for each in ours if name in ("", each, each.partition(":")[2].strip())]
    if len(chosen) == 1:
        return chosen[0]
    listed = ", ".join(f"[{each}]" for each in ours)
    if not ours:
        raise ConfigError(path, "no [filter:…] section has 'use = egg:oauth_mw'")
    if not chosen:
        raise ConfigError(path, f"#{name} is not a section that loads oauth_mw; these are: {listed}")
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


def _apps(loader: _Loader, section: str, config: str) -> list[str]:
    """The sections of the apps that a start may load and that lead to ``section``: ``main``, if it is one of them.

    :raises ConfigError: ``main`` leads to the filter of another file, and ``config`` does not name ``section``.
    """
    mains: list[str] = []
    others: list[str] = []
    wanted = loader.filename, section
    for app, is_main in _all_apps(loader):
        filters = _filters(loader, app)
        if wanted in filters if filters is not None else is_main:
            (mains if is_main else others).append(app)
        elif is_main and filters and not config.partition("#")[2]:
            reason = f"[{app}] does not load [{section}], but the filter of {min(filters)[0]}"
            raise ConfigError(config, f"{reason}: name that file, or choose {config}#{section}")
    return mains or others


def _all_apps(loader: _Loader) -> Iterator[tuple[str, bool]]:
    """The sections of apps, and whether a start serves each without being given a name."""
    for section in loader.parser.sections():
        kind, _, name = section.partition(":")
        if kind in _APPS:
            yield section, name.strip() in ("", "main")


def _filters(loader: _Loader, app: str) -> set[tuple[str, str]] | None:
    """Our sections that an app loads, with their files; ``None`` if a section of another package is unreadable."""
    try:
        reached = _reached(loader, app, _LOADED_BY, (loadwsgi.APP, loadwsgi.FILTER), set())
        return {(each.filename, name) for each, name in reached if _is_ours(each, name)}
    except (OSError, configparser.Error, UnicodeDecodeError):
        return None


def _unguarded(loader: _Loader, section: str) -> str:
    """The app that the ini serves, or else one of its apps, if none of these loads ``section``; empty if one does."""
    apps = list(_all_apps(loader))
    served = [app for app, is_main in apps if is_main] or [app for app, _ in apps]
    found = [_filters(loader, app) for app in served]
    loaded = any(filters is None or (loader.filename, section) in filters for filters in found)
    return served[0] if served and not loaded else ""


def _open_mounts(loader: _Loader) -> Iterator[str]:
    """The apps that the ini serves without a filter of ours, although it loads one for others."""
    for app, is_main in _all_apps(loader):
        if is_main and _filters(loader, app):
            yield from _unfiltered(loader, app, set())


def _unfiltered(loader: _Loader, section: str, seen: set[tuple[str, str]]) -> Iterator[str]:
    """The apps that a section leads to with no filter of ours on the way: itself, if it leads to no other."""
    if (loader.filename, section) in seen:
        return
    seen.add((loader.filename, section))
    if any(_is_ours(_Loader(file), each) for file, each in _in_front(loader, section)):
        return
    keys = loader.parser.options(section) if section.startswith(_COMPOSITES) else ("use", "next")
    leading = [word for key in keys for word in _words(loader, section, key)] + _words(loader, section, "pipeline")[-1:]
    behind = [named for each in leading if (named := _named(loader, loadwsgi.APP, each))]
    for each in behind:
        yield from _unfiltered(*each, seen)
    if not behind:
        yield section


def _in_front(loader: _Loader, section: str) -> Iterator[tuple[str, str]]:
    """The files and names of the filters that a section names for itself; a filter-app is one."""
    if section.startswith("filter-app:"):
        yield loader.filename, section
    for word in [*_words(loader, section, "filter-with"), *_words(loader, section, "pipeline")[:-1]]:
        if named := _named(loader, loadwsgi.FILTER, word):
            yield named[0].filename, named[1]


def _words(loader: _Loader, section: str, key: str) -> list[str]:
    value: str = loader.parser.get(section, key, fallback="")
    return value.split()


def _contexts(loader: _Loader, section: str, config: str, variables: Mapping[str, str]) -> list[Any]:
    """The contexts with which PasteDeploy calls our factory, if it loads the section and all apps around it."""
    path = config.partition("#")[0]
    loader.wanted = (loader.filename, section)
    loading = section
    try:
        for loading in _apps(loader, section, config):
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
