"""Names of clients and labels of secrets: any text that a line on a terminal can show."""

from __future__ import annotations

import pytest

from helpers.builders import STORE_SUITE
from helpers.support import one_store
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
    "control characters": ["a\nb", "a\tb", "\x1b[31m", "\0", "\x7f", "a\x85b", "\x9b31m"],
    "line and paragraph separators": ["a\u2028b", "a\u2029b"],
    "directions": ["a\u202eb", "a\u2066b"],
    "not seen": ["\ufeffa", "a\u200bb", "a\U000e0041"],
    "no characters": ["a\udcff", "\uffff"],
}


@one_store
@pytest.mark.parametrize("names", REFUSED.values(), ids=REFUSED)
def test_what_could_upset_a_terminal_is_refused_with_what_is_allowed(store, names):
    for name in names:
        (culprit,) = (f"U.{ord(each):04X}" for each in name if each not in "ab[31m")
        with pytest.raises(AdminError, match=rf"without {culprit}: letters, .* spaces of any script"):
            admin.add_client(store, name)

    assert list(store.clients()) == []


@pytest.mark.parametrize("store_kind", STORE_SUITE)
def test_names_and_labels_are_any_printable_text_and_kept_as_they_are(store):
    ids = {admin.add_client(store, name).client.client_id: name for name in NAMES.values()}
    for client_id, name in ids.items():
        assert admin.update_client(store, client_id, name=name).name == name
        assert admin.add_secret(store, client_id, label=name).record.label == name

    assert {client.client_id: client.name for client in store.clients()} == ids
    assert {client.client_id: max(each.label for each in client.secrets) for client in store.clients()} == ids
