"""When secrets were last used, in every store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from helpers.builders import NOW, mostly_slow, multi_process, opened, registered
from helpers.changes import end_client
from oauth_mw.model import CLIENTS_PER_PAGE

pytestmark = pytest.mark.usefixtures("tester", "other")

USES = {("tester", "a"): NOW, ("tester", "b"): NOW + 5, ("other", ""): NOW - 5}


@mostly_slow
def test_nothing_is_known_at_first(store):
    assert store.last_uses(["tester", "unknown"]) == {}
    assert store.last_uses([]) == {}


@mostly_slow
def test_what_is_noted_is_found_by_clients(store):
    store.note_uses(USES)

    assert store.last_uses(["tester", "other"]) == USES
    assert store.last_uses(["other"]) == {("other", ""): NOW - 5}


def test_the_latest_use_is_kept(store):
    for second in (NOW, NOW + 9, NOW - 9, 0):
        store.note_uses({("tester", "a"): second})

    assert store.last_uses(["tester"]) == {("tester", "a"): NOW + 9}


@mostly_slow
def test_noting_nothing_is_fine(store):
    store.note_uses({})

    assert store.last_uses(["tester"]) == {}


@mostly_slow
def test_uses_of_unknown_clients_are_dropped(store):
    end_client(store, "other", delete=True)

    store.note_uses({("unknown", "a"): NOW, ("other", "a"): NOW})

    assert store.last_uses(["unknown", "other"]) == {}


def test_a_deleted_client_leaves_no_uses(store):
    store.note_uses(USES)
    end_client(store, "tester", delete=True)

    assert store.last_uses(["tester", "other"]) == {("other", ""): NOW - 5}


def test_a_removed_secret_leaves_no_uses_and_others_keep_theirs(store):
    (secret,) = registered().secrets
    two = secret, secret._replace(secret_id="b")
    store.update_client("tester", lambda client: replace(client, secrets=two))
    store.note_uses({("tester", each): NOW for each in (secret.secret_id, "b", "")})

    store.update_client("tester", lambda client: replace(client, name="new", secrets=two[1:]))

    assert store.last_uses(["tester"]) == {("tester", "b"): NOW, ("tester", ""): NOW}


@mostly_slow
def test_an_id_may_have_any_characters(store):
    ids = ['a"b\\c', "a b", "é ß", "{other}", "*", "x" * 255]
    for client_id in ids:
        store.add_client(registered(client_id))
    uses = {(client_id, "é '\"%s:"): NOW for client_id in ids}

    store.note_uses(uses)

    assert store.last_uses(ids) == uses


@mostly_slow
def test_more_than_fit_in_a_step(store):
    uses = {("tester", str(number)): NOW for number in range(CLIENTS_PER_PAGE + 5)}
    store.note_uses(uses)

    ids = [*map(str, range(CLIENTS_PER_PAGE)), "tester"]
    assert store.last_uses(ids) == uses


def test_workers_at_once_keep_the_latest(store):
    def note(number):
        uses = {("tester", "a"): NOW + number, ("other", "b"): NOW + number}
        store.note_uses(dict(reversed(uses.items())) if number % 2 else uses)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(note, range(30)))

    assert store.last_uses(["tester", "other"]) == {("tester", "a"): NOW + 29, ("other", "b"): NOW + 29}


@multi_process
def test_uses_outlive_the_process(store, store_url, clock):
    store.note_uses(USES)
    store.close()

    with opened(store_url, clock=clock) as again:
        assert again.last_uses(["tester", "other"]) == USES
