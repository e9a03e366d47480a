"""Text that people type and read: names, labels, files."""

from __future__ import annotations

import unicodedata

MOST_SHOWN = 200
# Zero-width non-joiner and joiner: Persian, the scripts of India, and emoji are spelled with them.
_JOINERS = "\u200c\u200d"

PRINTABLE = (
    "letters, digits, punctuation, symbols, emoji and spaces of any script,"
    " but no line break, control character or invisible formatting"
)


def unprintable(text: str) -> str:
    """Return the first character that is unsafe in a line on a terminal, as ``U+XXXX``; ``""`` if there is none.

    Beyond :meth:`str.isprintable`, all spaces (category Zs) and the two joiners are printable. Line and paragraph
    separators, control characters, lone surrogates, and what reorders or hides text (category Cf) are not.
    """
    if text.isprintable():
        return ""
    for character in text:
        if not (character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"):
            return f"U+{ord(character):04X}"
    return ""


def shown(text: str) -> str:
    """The beginning of a text from elsewhere, in one line that is safe on a terminal."""
    safe = "".join("?" if unprintable(character) else character for character in text[: MOST_SHOWN + 1])
    return safe if len(safe) <= MOST_SHOWN else safe[:MOST_SHOWN] + "…"
