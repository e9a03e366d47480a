"""Rules in front of CherryPy, whose dispatcher finds one view under many paths."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from wsgiref.types import WSGIEnvironment

from .errors import ConfigError, Faults
from .rules import PUBLIC_PATHS, REQUIRED_SCOPES, Access, Pattern, Rule, Rules

Judge = Callable[[WSGIEnvironment], None]

REFUSE_CHERRYPY = "refuse cherrypy"

# The dispatcher follows attributes, and spells all punctuation of their names as "_".
_PUNCTUATION = str.maketrans({mark: "_" for mark in string.punctuation if mark != "/"})
# It finds the view of /x under /x/index and /x/default too. Each method leads by __self__ to the object that has it,
# and so to every other view.
_DETOUR = re.compile(r"/(?:__|(?:index|default)(?:/|\Z))")


class CherryPyRules(Rules):
    """Rules to which a path is ambiguous also where CherryPy reads it as another one with another verdict.

    :raises ConfigError: CherryPy cannot tell two rules apart, or no request could match one.
    """

    def __init__(self, rules: Sequence[Rule], public: Sequence[Pattern], own_paths: Mapping[str, str]) -> None:
        faults = Faults()
        with faults:
            super().__init__(rules, public, own_paths, "refuse")
        folded, folded_public = [], []
        for rule in rules:
            with faults:
                folded.append(replace(rule, pattern=_fold(rule.pattern, REQUIRED_SCOPES)))
        for pattern in public:
            with faults:
                folded_public.append(_fold(pattern, PUBLIC_PATHS))
        faults.raise_all()
        self._folded = Rules(folded, folded_public, {}, "refuse")

    def decide(self, method: str, path: str) -> Access:
        access, folded = super().decide(method, path), path.translate(_PUNCTUATION)
        is_one = not _DETOUR.search(folded) and self._folded.decide(method, folded) == access
        return access if is_one else self.ambiguous


@dataclass(eq=False, repr=False)
class CherryPyGuard:
    """Hand a request on to one of two guards, by its ``SCRIPT_NAME``.

    An app with ``script_name=None`` joins ``SCRIPT_NAME`` and ``PATH_INFO``, reduces doubled slashes, decodes UTF-8,
    and then cuts off as many characters as ``SCRIPT_NAME`` had before. Where fewer are left of it, the beginning of
    ``PATH_INFO`` is cut off too.

    :param guard: judges a request by its method and path.
    :param ambiguous: judges a request of whose path CherryPy would cut off more or less than ``SCRIPT_NAME``.
    """

    guard: Judge
    ambiguous: Judge

    def __call__(self, environ: WSGIEnvironment) -> None:
        mount = environ.get("SCRIPT_NAME", "").rstrip("/")
        (self.guard if mount.isascii() and "//" not in mount else self.ambiguous)(environ)


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
