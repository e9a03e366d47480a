"""Rules in front of CherryPy, whose dispatcher finds one view under many paths."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from wsgiref.types import WSGIEnvironment

from .errors import ConfigError, Faults
from .http import is_preflight
from .rules import AMBIGUOUS, PUBLIC_PATHS, REQUIRED_SCOPES, Access, Pattern, Rule, Rules

REFUSE_CHERRYPY = "refuse cherrypy"

# The dispatcher follows attributes, and spells all punctuation of their names as "_".
_PUNCTUATION = str.maketrans({mark: "_" for mark in string.punctuation if mark != "/"})
# It finds the view of /x under /x/index and /x/default too. Each method leads by __self__ to the object that has it,
# and so to every other view.
_DETOUR = re.compile(r"/(?:__|(?:index|default)(?:/|\Z))")


class CherryPyRules(Rules):
    """Rules that also treat a path as ambiguous if CherryPy reads it as another path, which needs something else.

    :raises ConfigError: CherryPy cannot tell two rules apart, or no request could match one.
    """

    def __init__(self, rules: Sequence[Rule], public: Sequence[Pattern], own: Iterable[tuple[str, str]]) -> None:
        faults = Faults()
        with faults:
            super().__init__(rules, public, own, "refuse")
        folded, folded_public = [], []
        for rule in rules:
            with faults:
                folded.append(replace(rule, pattern=_fold(rule.pattern, REQUIRED_SCOPES)))
        for pattern in public:
            with faults:
                folded_public.append(_fold(pattern, PUBLIC_PATHS))
        faults.raise_all()
        self._folded = Rules(folded, folded_public, (), "refuse")

    def decide(self, method: str, path: str) -> Access:
        access, folded = super().decide(method, path), path.translate(_PUNCTUATION)
        is_one = not _DETOUR.search(folded) and self._folded.decide(method, folded) == access
        return access if is_one else self.ambiguous


@dataclass(eq=False, repr=False)
class CherryPyGuard:
    """A guard that also treats a request as ambiguous because of its ``SCRIPT_NAME``.

    An app with ``script_name=None`` joins ``SCRIPT_NAME`` and ``PATH_INFO``, reduces doubled slashes, decodes UTF-8,
    and then cuts off as many characters as ``SCRIPT_NAME`` had before. If fewer are left of it, the beginning of
    ``PATH_INFO`` is cut off too. A preflight is refused there: without rules it would pass as one of its path.

    :param guard: checks a request by a decision.
    :param ambiguous: the decision where CherryPy would cut off more or less than ``SCRIPT_NAME``.
    """

    guard: Callable[[WSGIEnvironment, Access], None]
    ambiguous: Access

    def check(self, environ: WSGIEnvironment, access: Access) -> None:
        if _is_cut(environ):
            access = AMBIGUOUS if is_preflight(environ) else self.ambiguous
        self.guard(environ, access)


def is_doubtful(environ: WSGIEnvironment) -> bool:
    """True if CherryPy may find the view of another path than that of the request, whatever the rules say of it."""
    return _is_cut(environ) or _DETOUR.search(environ.get("PATH_INFO", "").translate(_PUNCTUATION)) is not None


def _is_cut(environ: WSGIEnvironment) -> bool:
    mount = environ.get("SCRIPT_NAME", "").rstrip("/")
    return not mount.isascii() or "//" in mount


def _fold(pattern: Pattern, option: str) -> Pattern:
    """The pattern as CherryPy compares it, or a ``ConfigError`` if no request could match it."""
    segments = tuple(segment.translate(_PUNCTUATION) for segment in pattern.segments)
    if _DETOUR.search("/" + "/".join(segments)):
        raise ConfigError(
            option,
            f"path {pattern.text!r}: ambiguous_paths = {REFUSE_CHERRYPY} refuses all paths with a segment that is index"
            " or default, or begins with two marks of punctuation",
        )
    return replace(pattern, segments=segments)
