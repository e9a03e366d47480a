"""Clients as TOML."""

from __future__ import annotations

import tomllib
from types import MappingProxyType

from hypothesis import given, settings
from hypothesis import strategies as st

from oauth_mw import admin, open_store
from oauth_mw.model import Client

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.one_of(texts, st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False))
names = st.text(st.sampled_from("aZ9_.-"), min_size=1, max_size=3)
ids = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=20)


def test_no_text_in_a_file_changes_what_a_terminal_shows():
    store = open_store("memory://")
    admin.add_client(store, "a client", attributes={"a": "\x1b[31m \x9b31m \x7f \u202e \u2028 \U000e0041 é😀"})

    text = "".join(admin.export_clients(store))

    assert "é😀" in text and [line for line in text.split("\n") if not line.isprintable()] == []


@settings(max_examples=40)
@given(client_id=ids, attributes=st.dictionaries(names, values, max_size=4))
def test_any_id_and_attributes_come_out_of_the_toml_as_they_went_in(client_id, attributes):
    store, other = open_store("memory://"), open_store("memory://")
    store.add_client(Client(client_id, "a client", attributes=MappingProxyType(attributes), secrets=()))

    admin.apply_clients(other, tomllib.loads("".join(admin.export_clients(store))))

    (found,) = other.clients()
    assert found == next(iter(store.clients()))
    assert {name: type(each) for name, each in found.attributes.items()} == {
        name: type(each) for name, each in attributes.items()
    }
