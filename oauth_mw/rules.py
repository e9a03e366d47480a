"""Path rules: what a request needs, by its method and raw ``PATH_INFO``. They are compiled and checked at start-up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple

from .errors import ConfigError, Faults
from .scopes import check_scopes

REQUIRED_SCOPES = "required_scopes"
PUBLIC_PATHS = "public_paths"
_GAP = re.compile(r"[ \t]+")  # not \s: a path may contain U+00A0, and a line break would join two rules
_METHOD = re.compile(r"[A-Z][A-Z0-9_-]*")
_NO_SCOPES = re.compile(rf"\A(?i:any|all) (?i:of):*( |\Z)|(\A| )(\*|{_METHOD.pattern}) /")
_PLACEHOLDER = re.compile(r"\{[\w-]*\}")
# "@@" names a view in Pyramid's traversal.
_AMBIGUOUS = re.compile(r"//|/\.\.?(?:/|\Z)|/@@|[\\;\x00-\x1f\x7f]|%[0-9A-Fa-f]{2}")


def is_ambiguous(path: str) -> bool:
    """True if an app could read ``path`` (a raw ``PATH_INFO``) as a different path than the rules do."""
    return bool(path) and (path[0] != "/" or _AMBIGUOUS.search(path) is not None or not _is_utf8(path))


def _is_utf8(path: str) -> bool:
    """Check the bytes of ``path`` (PEP 3333: a character each): frameworks drop or replace those that are not UTF-8."""
    try:
        return path.isascii() or bool(path.encode("latin-1").decode())
    except UnicodeError:
        return False


@dataclass(frozen=True, slots=True)
class Pattern:
    """A path pattern: ``text`` as configured, ``segments`` in the encoding of ``PATH_INFO`` (PEP 3333).

    An empty segment is ``{name}``. ``tail``: the pattern ends in ``/*``; ``slash``: it ends in ``/``.
    """

    text: str
    segments: tuple[str, ...]
    tail: bool = False
    slash: bool = False

    def compile(self, *, wide: bool) -> re.Pattern[str]:
        """Return the regular expression. ``wide`` is for patterns that restrict access: ``/x`` then covers ``/x/``."""
        # Possessive, and delimited by a character that it cannot match: no path causes backtracking.
        head = "".join("/" + (re.escape(segment) if segment else "[^/]++") for segment in self.segments)
        end = "(?s:/.*)?" if self.tail else "/?" if wide else "/" * self.slash
        return re.compile(head + end)

    def names_below(self, path: str) -> bool:
        """True if a path that begins with ``path`` and a slash matches, as the pattern is written."""
        alike = all(own in ("", other) for own, other in zip(self.segments, path[1:].split("/"), strict=False))
        return alike and (self.tail or len(self.segments) + self.slash > path.count("/"))

    @property
    def blank(self) -> Pattern | None:
        """The path with an empty name, if the last segment is ``{name}``: Falcon takes ``/x/`` for ``/x/{name}``."""
        if self.segments[-1:] != ("",):
            return None
        return Pattern(self.text[: self.text.rindex("{")], self.segments[:-1], slash=True)


REST = Pattern("/*", (), tail=True)
BLANK = " (an empty {name})"


@dataclass(frozen=True, slots=True)
class Access:
    """A decision, made once at start-up and shared by all requests.

    ``kind`` is ``own`` (the middleware answers), ``public`` (no check), ``ambiguous`` (400), ``no method`` (401 without
    a valid token, 403 with one), or ``token``: a valid token with all of ``scopes``, or one if ``any_of``; their text
    is ``scope``. ``named`` is false where no rule names the path: ``delay_auth_decision`` leaves it to the app.
    """

    kind: Literal["own", "public", "ambiguous", "no method", "token"]
    scopes: frozenset[str] = frozenset()
    any_of: bool = False
    scope: str = ""
    named: bool = True

    @property
    def needs(self) -> str:
        if self.kind == "token":
            return f"{'any of' if self.any_of else 'all of'}: {self.scope}" if self.scopes else "any token"
        return "refused (no rule for the method)" if self.kind == "no method" else self.kind

    def demands(self, other: Access) -> bool:
        """True if each token that is enough for this one is enough for ``other``."""
        if not other.any_of:
            return self.scopes >= other.scopes and not (self.any_of and other.scopes)
        return self.scopes <= other.scopes if self.any_of else not self.scopes.isdisjoint(other.scopes)


OWN = Access("own")
PUBLIC = Access("public", named=False)
AMBIGUOUS = Access("ambiguous")
NO_METHOD = Access("no method", frozenset([""]))  # which no token has
ANY_TOKEN = Access("token", named=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """A scope rule. ``methods`` is ``None`` for ``*``; without ``scopes`` any valid token is enough."""

    methods: frozenset[str] | None
    pattern: Pattern
    scopes: tuple[str, ...]
    any_of: bool = False

    @property
    def access(self) -> Access:
        return Access("token", frozenset(self.scopes), self.any_of, " ".join(self.scopes))

    def __str__(self) -> str:
        scopes = "any of " * self.any_of + (" ".join(self.scopes) or "-")
        return f"{_show_methods(self.methods)} {self.pattern.text} {scopes}"


class Row(NamedTuple):
    """One line of :meth:`Rules.table`."""

    methods: str
    path: str
    needs: str


def parse_pattern(text: str, option: str) -> Pattern:
    """Parse ``/x``, ``/x/``, ``/x/*``, ``/x/{name}`` or ``/*`` in Unicode, or raise ``ConfigError`` for ``option``."""
    try:
        return read_pattern(text)
    except ValueError as error:
        raise ConfigError(option, f"path {text!r}: {error}") from None


def parse_rule(value: object) -> Rule:
    """Parse ``"METHODS PATH SCOPES"``, or the three strings as a tuple or list.

    METHODS is ``*`` or names joined by commas (GET covers HEAD); SCOPES is ``-`` for any valid token,
    or scope tokens (RFC 6749 §3.3) separated by spaces. All of them are needed, unless they follow ``any of``.

    :raises ConfigError: the rule is malformed; the text names it and what was expected.
    """
    parts = _GAP.split(value.strip(" \t\r\n"), 2) if isinstance(value, str) else value
    try:
        if not isinstance(parts, tuple | list) or len(parts) != 3 or not all(isinstance(part, str) for part in parts):
            raise ValueError("expected METHODS PATH SCOPES in one string or as a tuple of three; SCOPES - is any token")
        methods, path, scopes = parts
        return Rule(read_methods(methods), read_pattern(path), *_read_scopes(scopes))
    except ValueError as error:
        raise ConfigError(REQUIRED_SCOPES, f"rule {value!r}: {error}") from None


def read_methods(text: str) -> frozenset[str] | None:
    if text == "*":
        return None
    names = text.split(",")
    for name in names:
        if not _METHOD.fullmatch(name):
            hint = f" (did you mean {name.upper()}?)" if name != name.upper() else ""
            raise ValueError(f"expected * or methods in capitals joined by commas only, not {name!r}{hint}")
    return frozenset([*names, "HEAD"] if "GET" in names else names)


def _read_scopes(text: str) -> tuple[tuple[str, ...], bool]:
    words = [word for word in _GAP.split(text) if word]
    if words == ["-"]:
        return (), False
    any_of = words[:2] == ["any", "of"]
    scopes = check_scopes(words[2 * any_of :])
    # "Any of" or "all of:" would be read as two more scopes, which no token has, and so would another rule.
    if not scopes or "-" in scopes or _NO_SCOPES.search(" ".join(scopes)):
        raise ValueError("expected scopes (RFC 6749 §3.3), all needed, or 'any of' and scopes, or - for any token")
    return scopes, any_of


def read_pattern(text: str) -> Pattern:
    wire = as_path_info(text) if isinstance(text, str) else ""
    if not wire or is_ambiguous(wire) or text != text.strip():
        raise ValueError(
            "expected a path that begins with /, without space around it, and without what no request matches:"
            " an empty, '.' or '..' segment, one that begins with @@, a backslash, ';', a control character or %XX"
            " (write the character itself)"
        )
    *head, last = wire[1:].split("/")
    tail, slash = last == "*", last == ""
    parts = head if tail or slash else [*head, last]
    return Pattern(text, tuple(map(_read_segment, parts)), tail, slash)


def as_path_info(path: str) -> str:
    """``path`` as ``PATH_INFO`` shows it: each byte as one character (PEP 3333)."""
    return path.encode().decode("latin-1")


def _read_segment(part: str) -> str:
    if _PLACEHOLDER.fullmatch(part):
        return ""
    if re.search(r"[*{}]|\A<.*>\Z|[ ,]\Z", part):
        raise ValueError(f"expected one path, * only as the last segment, {{name}} only as a whole one, not {part!r}")
    return part


def _show_methods(methods: frozenset[str] | None) -> str:
    return "*" if methods is None else ",".join(sorted(methods - {"HEAD"} if "GET" in methods else methods))


class Rules:
    """Decides what each request needs.

    :param own: the paths that the middleware answers itself, each behind the name of its option.
    :ivar ambiguous: the decision for every ambiguous path.
    :raises ConfigError: a rule or public path is exactly an own path, or can never match because of others.
    """

    def __init__(
        self, rules: Sequence[Rule], public: Sequence[Pattern], own: Iterable[tuple[str, str]], ambiguous_paths: str
    ) -> None:
        entries = list(_in_order(rules, public))
        faults = Faults()
        for entry, (name, path) in product(entries, own):
            if entry.option and entry.pattern.text == path:
                faults.add(entry.option, f"{entry.text!r} is exactly {name}, which is answered before any rule")
        longest = max(len(one.pattern.segments) for one in entries)
        unused = "~" * (1 + max((len(text) for one in entries for text in one.pattern.segments), default=0))
        self._entries = []
        for at, entry in enumerate(entries):
            earlier = entries[:at]
            if entry.note and entry.access is not NO_METHOD:  # its scopes are needed in addition to others
                earlier = [one for one in earlier if one.note]
            with faults:
                if not _is_dead(entry, _samples(entry, longest, unused), earlier):
                    self._entries.append(entry)
        faults.raise_all()
        self.ambiguous = AMBIGUOUS if rules and ambiguous_paths != "pass" else Access("token")
        methods = {"*"}.union(*(rule.methods or () for rule in rules))
        self._lookups = {method: _compile(self._entries, method) for method in methods}
        self._blanks = [one for one in entries if one.note]
        self._blank_lookups = {method: _compile(_blanks_alone(entries), method) for method in methods}

    def decide(self, method: str, path: str) -> Access:
        """Return what a request needs. ``path`` is its raw ``PATH_INFO``, relative to the mount (PEP 3333)."""
        path = path or "/"
        if is_ambiguous(path):
            return self.ambiguous
        access = self._find(method, path)
        # Some frameworks treat "post" as POST, others do not. If that makes a difference, neither reading is safe.
        folded = method.upper()
        return access if method == folded or self._find(folded, path) == access else NO_METHOD

    def _find(self, method: str, path: str) -> Access:
        access = _look_up(self._lookups, method, path).access
        if not self._blanks or path[-1] != "/" or access.kind != "token":
            return access
        # A rule for /items names /items/ too, which Falcon takes for /items/{name}.
        return _both(access, _look_up(self._blank_lookups, method, path).access)

    def deciding(self, method: str, path: str) -> list[Row]:
        """The rows by which :meth:`decide` decides, where the path is not ambiguous: one, or two if a name is empty."""
        path = path or "/"
        found = [_look_up(self._lookups, method, path)]
        if self._blanks and path[-1] == "/" and found[0].access.kind == "token":
            blank = _look_up(self._blank_lookups, method, path)
            found += [blank] * bool(blank.note and blank is not found[0])
        return [one.row for one in found]

    def table(self) -> list[Row]:
        """The effective rules in the order in which they are tried; the first row that matches a request decides.

        A row for an empty ``{name}`` matches only its own path. Its scopes are needed in addition to those of another
        rule, unless that rule ends in a slash.
        """
        return [one.row for one in self._entries]


class _Entry(NamedTuple):
    """A row of the table; ``text`` is its notation in ``option``. Without an option it is implied by other rows.

    ``note`` marks what a rule needs where its ``{name}`` is empty.
    """

    methods: frozenset[str] | None
    pattern: Pattern
    regex: re.Pattern[str]
    access: Access
    option: str = ""
    text: str = ""
    note: str = ""

    @property
    def row(self) -> Row:
        return Row(_show_methods(self.methods), self.pattern.text, self.access.needs + self.note)


def _in_order(rules: Sequence[Rule], public: Sequence[Pattern]) -> Iterator[_Entry]:
    """Yield the entries in the order in which they are tried. Each method and path matches at least one."""
    named = [rule for rule in rules if rule.pattern != REST]
    rest = [rule for rule in rules if rule.pattern == REST]
    yield from map(_rule_entry, named)
    for rule in named:
        yield _Entry(None, rule.pattern, rule.pattern.compile(wide=True), NO_METHOD, "", str(rule))
    yield from (_public_entry(pattern) for pattern in public if pattern.slash)
    blanks = with_empty_names(rules)
    for rule, blank in blanks:
        yield _Entry(rule.methods, blank, blank.compile(wide=False), rule.access, "", str(rule), BLANK)
    for rule, blank in blanks:
        yield _Entry(None, blank, blank.compile(wide=False), NO_METHOD, "", str(rule), BLANK)
    yield from (_public_entry(pattern) for pattern in public if not pattern.slash)
    yield from map(_rule_entry, rest)
    yield _Entry(None, REST, REST.compile(wide=True), NO_METHOD if rest else ANY_TOKEN)


def with_empty_names(rules: Sequence[Rule]) -> list[tuple[Rule, Pattern]]:
    """The rules that also name a path with an empty ``{name}``, and that path: no rule is written with its slash."""
    spelled = {rule.pattern.segments for rule in rules if rule.pattern.slash}
    return [(rule, blank) for rule in rules if (blank := rule.pattern.blank) and blank.segments not in spelled]


def _rule_entry(rule: Rule) -> _Entry:
    return _Entry(rule.methods, rule.pattern, rule.pattern.compile(wide=True), rule.access, REQUIRED_SCOPES, str(rule))


def _public_entry(pattern: Pattern) -> _Entry:
    return _Entry(None, pattern, pattern.compile(wide=False), PUBLIC, PUBLIC_PATHS, pattern.text)


def _blanks_alone(entries: Sequence[_Entry]) -> Iterator[_Entry]:
    """Yield what rules need where their ``{name}`` is empty: nothing where a rule is written with that slash."""
    for one in entries:
        if one.option == REQUIRED_SCOPES and one.pattern.slash:
            yield _Entry(None, one.pattern, one.pattern.compile(wide=False), ANY_TOKEN)
    yield from (one for one in entries if one.note and one.access is not NO_METHOD)
    yield _Entry(None, REST, REST.compile(wide=True), ANY_TOKEN)


def _both(one: Access, other: Access) -> Access:
    """An access that is enough for ``one`` and ``other``: all scopes, where neither is enough for both."""
    if one.demands(other):
        return one
    if other.demands(one):
        return other
    scope = " ".join(dict.fromkeys(f"{one.scope} {other.scope}".split()))
    return Access("token", one.scopes | other.scopes, scope=scope)


def _look_up(lookups: Mapping[str, tuple[re.Pattern[str], list[_Entry]]], method: str, path: str) -> _Entry:
    regex, entries = lookups.get(method) or lookups["*"]
    match = regex.fullmatch(path)
    return entries[match.lastindex - 1 if match and match.lastindex else -1]


def _compile(entries: Iterable[_Entry], method: str) -> tuple[re.Pattern[str], list[_Entry]]:
    """One expression for all entries of ``method`` ("*": any that no rule lists), and the entry of each group."""
    applicable = [one for one in entries if one.methods is None or method in one.methods]
    # Each group is empty and ends its branch: groups around the branches cost time quadratic in their number.
    return re.compile("|".join(f"{one.regex.pattern}\\Z()" for one in applicable)), applicable


def _is_dead(entry: _Entry, samples: Sequence[str], earlier: Sequence[_Entry]) -> bool:
    """True if ``earlier`` entries match all of its paths; a ``ConfigError`` if it was meant to decide."""
    covering = []
    # One public path within another is not a mistake.
    others = [one for one in earlier if not (one.access is PUBLIC and entry.access is PUBLIC)]
    for method in sorted(entry.methods or {"*"}):
        found = _covering(samples, [one for one in others if one.methods is None or method in one.methods])
        if not found:
            return False
        covering += found
    if entry.option:
        names = ", ".join(dict.fromkeys(repr(one.text) for one in covering))
        raise ConfigError(entry.option, f"{entry.text!r} can never match, because these match first: {names}")
    return True


def _samples(entry: _Entry, longest: int, unused: str) -> list[str]:
    """Return a few paths that represent all that ``entry`` matches.

    An entry that matches the segment ``unused``, which equals no literal, does so by ``{name}`` or ``/*``, so it
    matches any segment there; and one that matches deeper than all patterns (``longest``) does so at any depth.
    """
    head = [segment or unused for segment in entry.pattern.segments]
    paths = ["/" + "/".join(head + [unused] * more) for more in range(longest + 2 if entry.pattern.tail else 1)]
    return [*filter(entry.regex.fullmatch, [*paths, *(path.rstrip("/") + "/" for path in paths)])]


def _covering(samples: Sequence[str], others: Sequence[_Entry]) -> list[_Entry]:
    """Return those ``others`` that together match all ``samples``; empty if they miss one."""
    found = []
    for sample in samples:
        match = next((other for other in others if other.regex.fullmatch(sample)), None)
        if match is None:
            return []
        found.append(match)
    return found
