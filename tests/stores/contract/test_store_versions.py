"""Workers of two versions share a store: members of a record that are new to this version are kept."""

from __future__ import annotations

from helpers.builders import multi_process, registered
from helpers.changes import remove_key
from helpers.raw_records import CLIENT, KEYS, read_record, write_record
from oauth_mw import admin

NEWER = {"grants": ["client_credentials", {"a": None}], "": 0.5}

pytestmark = multi_process


def test_a_newer_workers_record_of_a_client_passes_through(store, store_url):
    store.add_client(registered())
    record = read_record(store_url, CLIENT)
    first = record["secrets"][0] | NEWER
    write_record(store_url, CLIENT, {**record, **NEWER, "secrets": [first]})

    admin.add_secret(store, "tester")

    found = read_record(store_url, CLIENT)
    assert {name: found[name] for name in NEWER} == NEWER
    assert (found["secrets"][0], len(found["secrets"])) == (first, 2)


def test_a_newer_workers_record_of_the_keys_passes_through(store, store_url):
    kids = [admin.rotate_key(store, at_once=True).kid for _ in range(2)]
    record = read_record(store_url, KEYS)
    keys = [key | NEWER for key in record["keys"]]
    write_record(store_url, KEYS, {**NEWER, "keys": keys})

    remove_key(store, kids[0])
    admin.rotate_key(store)

    found = read_record(store_url, KEYS)
    assert {name: found[name] for name in NEWER} == NEWER
    assert [key for key in found["keys"] if key["kid"] == kids[1]] == [key for key in keys if key["kid"] == kids[1]]
