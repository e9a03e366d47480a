"""Names of clients and labels of secrets: any text that a line on a terminal can show."""

from __future__ import annotations

import pytest

from helpers.builders import STORE_SUITE
from helpers.support import SECRET, one_store
from oauth_mw import AdminError, admin

NAMES = {
    "ideographic space": "夜間\u3000報告",
    "zero-width non-joiner": "گزارش\u200cها",
    "zero-width joiner": "ශ්\u200dරී",
    "emoji of several": "👩🏽\u200d🚀 ❤️ 🇩🇪",
    "no-break spaces": "10\u00a0000\u202fjobs",
    "thin space": "a\u2009b",
    "combining accent": "Cafe\u0301",
    "right to left": "דו״ח לילי",
    "punctuation": "Ärger & Söhne <'\"%>; #1, /\\",
    "the longest": "\u3000" * 200,
}

# A line-based output or a terminal would show something else than the name, or be led astray.
REFUSED = {
    "line feed": ("a\nb", "U+000A"),
    "tab": ("a\tb", "U+0009"),
    "escape": ("\x1b[31m", "U+001B"),
    "NUL": ("\0", "U+0000"),
    "DEL": ("\x7f", "U+007F"),
    "next line": ("a\x85b", "U+0085"),
    "C1 escape": ("\x9b31m", "U+009B"),
    "line separator": ("a\u2028b", "U+2028"),
    "paragraph separator": ("a\u2029b", "U+2029"),
    "right-to-left override": ("a\u202eb", "U+202E"),
    "isolate": ("a\u2066b", "U+2066"),
    "byte order mark": ("\ufeffa", "U+FEFF"),
    "zero-width space": ("a\u200bb", "U+200B"),
    "invisible tag": ("a\U000e0041", "U+E0041"),
    "lone surrogate": ("a\udcff", "U+DCFF"),
    "no character": ("\uffff", "U+FFFF"),
}


@pytest.mark.parametrize("store_kind", STORE_SUITE)
def test_a_name_is_kept_as_it_is(store):
    ids = {admin.add_client(store, name).client.client_id: name for name in NAMES.values()}

    assert {client.client_id: client.name for client in store.clients()} == ids


@one_store
@pytest.mark.parametrize("text", NAMES.values(), ids=NAMES)
def test_names_and_labels_are_any_printable_text(store, text):
    admin.add_client(store, text, client_id="tester", secret=SECRET)

    assert admin.update_client(store, "tester", name=text).name == text
    assert admin.add_secret(store, "tester", label=text).record.label == text


@one_store
@pytest.mark.parametrize(("name", "culprit"), REFUSED.values(), ids=REFUSED)
def test_what_could_upset_a_terminal_is_refused_with_what_is_allowed(store, name, culprit):
    with pytest.raises(AdminError, match=rf"without {culprit.replace('+', '.')}: letters, .* spaces of any script"):
        admin.add_client(store, name)

    assert list(store.clients()) == []
