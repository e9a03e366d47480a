"""What a scope is (RFC 6749 §3.3), and which texts are valid scopes but probably mistakes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .model import SCOPE_TOKEN

_COMMENT = re.compile(r"[#;]")
_SEPARATORS = re.compile(r"[,;]")


def check_scopes(words: Iterable[str], *, allow_odd: bool = False) -> tuple[str, ...]:
    """Check scopes and return them without duplicates.

    :param allow_odd: accept scopes for which :func:`oddity` has a sentence.
    :raises ValueError: a scope is malformed or odd; the text names it and what was probably meant.
    """
    scopes = tuple(dict.fromkeys(words))
    for scope in scopes:
        if not SCOPE_TOKEN.fullmatch(scope):
            raise ValueError(f"{scope!r} is not a scope (RFC 6749 §3.3)")
    if not allow_odd and (refusal := oddity(scopes)):
        raise ValueError(refusal)
    return scopes


def oddity(scopes: Sequence[str]) -> str:
    """Describe the first scope that is probably a mistake, and what was meant; ``""`` if there is none.

    A scope that begins with ``#`` or ``;`` is usually a comment, and one that contains ``,`` or ``;`` usually a list.
    """
    comment = next((at for at, scope in enumerate(scopes) if _COMMENT.match(scope)), len(scopes))
    odd = next((scope for scope in scopes[: comment + 1] if _COMMENT.match(scope) or _SEPARATORS.search(scope)), None)
    if odd is None:
        return ""
    looks = "comment: put it on a line of its own" if _COMMENT.match(odd) else "list: separate scopes by spaces"
    meant = " ".join(_SEPARATORS.sub(" ", " ".join(scopes[:comment])).split())
    if not meant or any(scope.startswith("/") for scope in scopes):  # a path: the comma separates rules
        return f"the scope {odd!r} looks like a {looks}"
    return f"the scope {odd!r} looks like a {looks}; did you mean {meant!r}?"
