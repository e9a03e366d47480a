"""Random rules against a plain reading of DESIGN §5, segment by segment, over all paths of a small world."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from oauth_mw.errors import ConfigError
from oauth_mw.rules import AMBIGUOUS, BLANK, NO_METHOD, Access, Row, Rules, parse_pattern, parse_rule

METHODS = ["GET", "HEAD", "POST", "PURGE"]
# "c" stands in no pattern, and the deepest paths are two segments deeper than the deepest pattern.
WAYS = [*product("abc"), *product("abc", "abc")]
WAYS += [(*way, *tail) for way in product("abc", "abc") for tail in ("c", "ca")]
PATHS = ["", "/", *("/" + "/".join(way) + end for way in WAYS for end in ("", "/"))]

patterns = st.builds(
    lambda segments, end: "".join(segments) + end if segments or end else "/",
    st.lists(st.sampled_from(["/a", "/b", "/{}"]), max_size=2),
    st.sampled_from(["", "/", "/*"]),
)
rule_parts = st.tuples(st.sampled_from(["*", "GET", "POST", "GET,POST", "HEAD"]), patterns)
rule_lists = st.lists(rule_parts, max_size=5)
public_lists = st.lists(patterns, max_size=3)
around = st.text("ab/.%2e@", max_size=4)
ambiguous_texts = st.builds(
    "{}{}{}".format, around, st.sampled_from(["//", "/./", "/../", "/@@", "\\", ";", "%2f", "\n", "\0", "\xff"]), around
)
CHARACTERS = "aZ0/.*{}<>,;\\%2f#?@:~- \t\n\x7f\x85\xa0é\u0301ﬁ日\u2028\u3000\ufeff\U0010ffff"


@cache
def fits(pattern: str, path: str, *, wide: bool) -> bool:
    path = path or "/"
    if wide and not pattern.endswith("/*"):
        pattern, path = pattern.removesuffix("/"), path.removesuffix("/")
    head, parts = pattern.removesuffix("/*").split("/")[1:], path.split("/")[1:]
    enough = len(parts) >= len(head) if pattern.endswith("/*") else len(parts) == len(head)
    return enough and all(part != "" if want == "{}" else part == want for want, part in zip(head, parts, strict=False))


def lists(methods: str, method: str) -> bool:
    return methods == "*" or method in methods.split(",") or (method == "HEAD" and "GET" in methods.split(","))


def fits_with_an_empty_name(pattern: str, path: str) -> bool:
    head = pattern.removesuffix("/*").removesuffix("/")
    return head.endswith("/{}") and fits(head.removesuffix("{}"), path, wide=False)


def is_spelled(rules: list[tuple[str, str]], path: str) -> bool:
    """True if a rule names this path with the slash at its end."""
    return any(text.endswith("/") and fits(text, path, wide=False) for _, text in rules)


def expected(rules: list[tuple[str, str]], public: list[str], method: str, path: str) -> str:
    """The decision in words; the scope of a rule is its place in the list."""
    numbered = [(f"s{at}", methods, text) for at, (methods, text) in enumerate(rules)]
    named = [rule for rule in numbered if rule[2] != "/*" and fits(rule[2], path, wide=True)]
    blank = [rule for rule in numbered if fits_with_an_empty_name(rule[2], path) and not is_spelled(rules, path)]
    opening = [text for text in public if fits(text, path, wide=False) and (text.endswith("/") or not blank)]
    if opening and not named:
        return "public"
    candidates = named or blank or [rule for rule in numbered if rule[2] == "/*"]
    first, also = (
        [scope for scope, methods, _ in group if lists(methods, method)][:1] for group in (candidates, blank)
    )
    return " ".join(dict.fromkeys(first + also)) if first else "no method" if candidates else ""


def shown(table: list[Row], method: str, path: str, *, spelled: bool) -> str:
    """What the table says about a request."""
    fitting = [
        row
        for row in table
        if lists(row.methods, method) and fits(row.path, path, wide=row.needs != "public" and BLANK not in row.needs)
    ]
    needs = [fitting[0].needs, *(row.needs for row in fitting if row.needs.endswith(BLANK))][: 1 if spelled else 2]
    if not all(each.startswith("all of: ") for each in needs):
        needs = needs[:1]
    return " ".join(dict.fromkeys(" ".join(needs).replace(BLANK, "").split()))


def build(rules: list[tuple[str, str]], public: list[str], ambiguous_paths: str = "refuse") -> Rules:
    parsed = [parse_rule((*parts, f"s{at}")) for at, parts in enumerate(rules)]
    return Rules(parsed, [parse_pattern(text, "public_paths") for text in public], {}, ambiguous_paths)


def is_taken(rules: list[tuple[str, str]], public: list[str]) -> bool:
    try:
        return bool(build(rules, public))
    except ConfigError:
        return False


@dataclass
class House:
    """Random rules and public paths, without those that a start would refuse."""

    rules: list[tuple[str, str]]
    public: list[str]

    def __post_init__(self) -> None:
        rules, public, self.rules, self.public = self.rules, self.public, [], []
        if is_taken(rules, public):
            self.rules, self.public = rules, public
            return
        for parts in rules:
            self.rules += [parts] * is_taken([*self.rules, parts], self.public)
        for text in public:
            self.public += [text] * is_taken(self.rules, [*self.public, text])


houses = st.builds(House, rule_lists, public_lists)


@given(houses)
def test_every_decision_is_that_of_the_plain_reading_and_of_the_table(house: House) -> None:
    built = build(house.rules, house.public)
    table = built.table()

    for method, path in product(METHODS, PATHS):
        access, words = built.decide(method, path), expected(house.rules, house.public, method, path)
        assert (access.scope or access.kind.replace("token", "")) == words
        assert access.named == (words not in ("", "public"))
        assert shown(table, method, path, spelled=is_spelled(house.rules, path)) == access.needs
        first, *empty_name = built.deciding(method, path)
        assert empty_name or first.needs.removesuffix(BLANK) == access.needs


@given(rule_lists, public_lists)
def test_refused_is_exactly_what_has_something_that_never_decides(
    rules: list[tuple[str, str]], public: list[str]
) -> None:
    reached = {expected(rules, public, method, path) for method in METHODS for path in PATHS}
    open_paths = [path for path in PATHS if expected(rules, public, "GET", path) == "public"]

    living = all(f"s{at}" in reached for at in range(len(rules)))
    opening = all(any(fits(text, path, wide=False) for path in open_paths) for text in public)

    assert is_taken(rules, public) == (living and opening)


@given(rule_lists, ambiguous_texts, st.sampled_from(["refuse", "pass"]))
def test_an_ambiguous_path_is_never_public(rules: list[tuple[str, str]], path: str, ambiguous_paths: str) -> None:
    house = House(rules, ["/*"])

    access = build(house.rules, house.public, ambiguous_paths).decide("GET", path)

    assert access == (AMBIGUOUS if house.rules and ambiguous_paths == "refuse" else Access("token", named=True))


@given(st.text(CHARACTERS, min_size=1, max_size=8))
def test_every_text_that_is_taken_as_a_path_names_itself(word: str) -> None:
    try:
        rules = Rules([parse_rule(("GET", "/" + word, "a"))], [], {}, "refuse")
    except ConfigError:
        return
    path = ("/" + word).removesuffix("/*").encode().decode("latin-1")

    assert rules.decide("GET", path).scope == "a"
    assert rules.decide("POST", path) is NO_METHOD
