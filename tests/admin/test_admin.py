"""Clients through the Python API."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

import pytest

from helpers.builders import API, BILLING, NOW, STORE_SUITE, log_of, secret_works
from helpers.changes import Repeating
from helpers.support import SECRET
from oauth_mw import AdminError, NotFound, admin
from oauth_mw.credentials import MAX_SECRETS
from oauth_mw.model import LAST_SECOND, MAX_LIFETIME


@pytest.fixture
def tester(store, clock):
    options = {"scope": "read write", "attributes": {"a": 1}, "public_attributes": {"b": 2}}
    return admin.add_client(store, "tester", client_id="tester", secret=SECRET, clock=clock, **options)


STORE_KINDS = ["memory"]

# Registration


def test_a_new_client_has_what_was_given_and_can_authenticate(store, tester, clock):
    new = admin.add_client(store, "another", clock=clock)
    client = store.find_client("tester")

    assert secret_works(store, new.secret, clock(), new.client.client_id)
    assert (client.name, client.scopes, client.default_scope) == ("tester", ("read", "write"), None)
    assert (dict(client.attributes), client.public_attributes) == ({"a": 1, "b": 2}, {"b"})
    assert (client.enabled, client.resource_server, client.created_at, client.lifetime) == (True, False, NOW, None)


REFUSED = {
    "name too long": {"name": "x" * 201},
    "id empty": {"client_id": ""},
    "id too long": {"client_id": "x" * 256},
    "id not ASCII": {"client_id": "ü"},
    "id with a control character": {"client_id": "a\nb"},
    "secret not ASCII": {"secret": SECRET + "ü"},
    "secret empty": {"secret": "", "allow_weak_secret": True},
    "scope with quotes": {"scope": 'read "write"'},
    "scope with umlauts": {"scope": "lösen"},
    "scopes too many": {"scope": " ".join(map(str, range(201)))},
    "default scope beyond the scope": {"scope": "read", "default_scope": "read write"},
    "lifetime zero": {"lifetime": 0},
    "lifetime with a fraction": {"lifetime": 1.5},
    "lifetime true": {"lifetime": True},
    "lifetime too long": {"lifetime": MAX_LIFETIME + 1},
    "token format of another kind": {"token_format": "JWT"},
    "audience as a text": {"audiences": API},
    "audiences too many": {"audiences": [f"{API}/{number}" for number in range(21)]},
    "default audience beyond the audiences": {"audiences": [API], "default_audience": [API, BILLING]},
    "default audience relative": {"default_audience": ["/v1"]},
    "default audience of none": {"default_audience": []},
    "not_after in the past": {"not_after": 1},
    "not_after beyond all times": {"not_after": LAST_SECOND + 1},
    "not_after true": {"not_after": True},
    "quota of nothing": {"tokens_per_hour": 0},
    "quota below nothing": {"tokens_per_day": -1},
    "quota with a fraction": {"tokens_per_day": 1.5},
    "quota true": {"tokens_per_hour": True},
    "quota beyond all numbers": {"tokens_per_hour": 10**9 + 1},
    "quota mode of another kind": {"tokens_per_hour": 1, "quota_mode": "warn"},
    "quota mode without a quota": {"quota_mode": "report"},
    "attribute with a taken name": {"public_attributes": {"exp": 1}},
    "attribute of both kinds": {"attributes": {"a": 1}, "public_attributes": {"a": 1}},
}


@pytest.mark.parametrize("options", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_and_nothing_is_registered(store, options):
    with pytest.raises(AdminError):
        admin.add_client(store, **{"name": "a client", **options})

    assert list(store.clients()) == []


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
UNPRINTABLE = {
    "control characters": ["a\nb", "a\tb", "\x1b[31m", "\0", "\x7f", "a\x85b", "\x9b31m"],
    "line and paragraph separators": ["a\u2028b", "a\u2029b"],
    "directions": ["a\u202eb", "a\u2066b"],
    "not seen": ["\ufeffa", "a\u200bb", "a\U000e0041"],
    "no characters": ["a\udcff", "\uffff"],
}


@pytest.mark.parametrize("names", UNPRINTABLE.values(), ids=UNPRINTABLE)
def test_a_name_that_could_upset_a_terminal_is_refused_with_what_is_allowed(store, names):
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


# Changes


def test_an_update_changes_what_is_given_and_keeps_the_rest(store, tester):
    changed = admin.update_client(store, "tester", scope="read", default_scope="read", lifetime=60)

    assert (changed.scopes, changed.default_scope, changed.lifetime) == (("read",), ("read",), 60)
    assert (changed.name, dict(changed.attributes), changed.public_attributes) == ("tester", {"a": 1, "b": 2}, {"b"})
    assert store.find_client("tester").lifetime == 60


def test_a_quota_mode_goes_with_the_last_quota(store, tester):
    admin.update_client(store, "tester", tokens_per_hour=1, tokens_per_day=2, quota_mode="report")

    modes = [admin.update_client(store, "tester", clear=[f"tokens_per_{each}"]).quota_mode for each in ("hour", "day")]

    assert modes == ["report", None]


GIVEN = {
    "default_scope": "read", "lifetime": 60, "token_format": "jwt", "audiences": [API], "default_audience": [API]
}  # fmt: skip


@pytest.mark.parametrize("name", GIVEN)
def test_an_update_can_clear_what_is_optional(store, tester, name):
    before = admin.update_client(store, "tester", **GIVEN)

    changed = admin.update_client(store, "tester", clear=[name])

    assert changed == replace(before, **{name: getattr(tester.client, name)})
    assert changed != before


def test_audiences_are_kept_in_order_each_once_and_a_default_needs_none(store, clock):
    new = admin.add_client(store, "", audiences=iter([BILLING, API, BILLING]), default_audience=[API], clock=clock)

    assert (new.client.audiences, new.client.default_audience) == ((BILLING, API), (API,))
    assert admin.add_client(store, "", default_audience=[BILLING]).client.default_audience == (BILLING,)


CANNOT_BE = {
    "default scope": {"scope": "read", "default_scope": "write"},
    "less scope than the default": {"scope": "write"},
    "fewer audiences than the default": {"audiences": [BILLING]},
    "odd scope": {"scope": "read write,x"},
    "odd default scope": {"default_scope": "a,b"},
    "lifetime": {"lifetime": 0},
    "attribute": {"public_attributes": {"sub": 1}},
    "name": {"name": "\0"},
}


@pytest.mark.parametrize("options", CANNOT_BE.values(), ids=CANNOT_BE)
def test_an_update_that_cannot_be_changes_nothing(store, tester, options):
    before = admin.update_client(store, "tester", default_scope="read", default_audience=[API])

    with pytest.raises(AdminError):
        admin.update_client(store, "tester", **options)

    assert store.find_client("tester") == before


@pytest.mark.parametrize("moment", [NOW + 1, 0, -1, NOW - 0.5, True])
def test_no_token_is_revoked_by_a_moment_that_is_not_past(store, tester, clock, moment):
    with pytest.raises(AdminError, match="issued_before|in the future"):
        admin.revoke_all_tokens(store, "tester", issued_before=moment, clock=clock)

    assert store.find_client("tester").revoked_before == 0


UNKNOWN = {
    "get": admin.get_client,
    "update": admin.update_client,
    "enable": admin.enable_client,
    "disable": admin.disable_client,
    "delete": admin.delete_client,
    "add secret": admin.add_secret,
    "revoke secret": partial(admin.revoke_secret, secret_id="0"),
    "revoke all": admin.revoke_all_tokens,
}


@pytest.mark.parametrize("call", UNKNOWN.values(), ids=UNKNOWN)
def test_a_missing_client_is_named(store, tester, call):
    for client_id in ("unknown", "\ud800", "a\0b"):
        with pytest.raises(NotFound, match=re.escape(repr(client_id))):
            call(store, client_id=client_id)


def test_an_update_clears_only_optional_fields_and_changes_none_that_has_a_function_of_its_own(store, tester):
    for name in ("name", "typo"):
        with pytest.raises(AdminError, match="cleared"):
            admin.update_client(store, "tester", clear=[name])
    for field in ("enabled", "secrets", "revoked_before"):
        with pytest.raises(TypeError, match=field):
            admin.update_client(store, "tester", **{field: ()})


def test_a_client_that_has_more_scopes_than_are_allowed_now_keeps_them(store, tester):
    many = tuple(f"s{number}" for number in range(201))
    store.update_client("tester", lambda client: replace(client, scopes=many))

    assert admin.update_client(store, "tester", name="another", lifetime=60).scopes == many


def test_two_hundred_scopes_are_allowed_and_not_one_more(store, tester):
    scopes = [f"s{number}" for number in range(201)]
    admin.update_client(store, "tester", scope=" ".join(scopes[:200]), default_scope=" ".join(scopes[:200]))

    for name in ("scope", "default_scope"):
        with pytest.raises(AdminError, match="at most 200 scopes, not 201"):
            admin.update_client(store, "tester", **{name: " ".join(scopes)})


@pytest.mark.parametrize("change", [{"not_after": NOW + 60}, {"clear": ["not_after"]}], ids=str)
def test_an_end_reaches_what_workers_have_cached_and_revokes_nothing(store, tester, clock, change):
    before = log_of(store)

    changed = admin.update_client(store, "tester", clock=clock, **change)

    assert changed == replace(store.find_client("tester"), revoked_before=tester.client.revoked_before)
    assert log_of(store).position > before.position


# Secrets


def test_each_of_several_secrets_works_until_its_end(store, tester, clock):
    second = admin.add_secret(store, "tester", label="rotation", not_after=NOW + 60, clock=clock)

    assert (second.record.label, second.record.created_at) == ("rotation", NOW)
    assert secret_works(store, SECRET)
    assert [secret_works(store, second.secret, now) for now in (NOW + 59, NOW + 60)] == [True, False]


def test_an_expired_secret_makes_room_for_another(store, tester, clock):
    for _ in range(MAX_SECRETS - 1):
        admin.add_secret(store, "tester", not_after=NOW + 60, clock=clock)
    clock.move(60)

    added = admin.add_secret(store, "tester", clock=clock)

    assert len(store.find_client("tester").secrets) == MAX_SECRETS
    assert secret_works(store, SECRET) and secret_works(store, added.secret)


@pytest.mark.parametrize("not_after", [0, -1, NOW, LAST_SECOND + 1, 2**80])
def test_a_not_after_that_cannot_be_is_refused(store, tester, clock, not_after):
    with pytest.raises(AdminError, match="not_after"):
        admin.add_secret(store, "tester", not_after=not_after, clock=clock)


def test_a_secret_is_revoked_once(store, tester):
    secret_id = tester.client.secrets[0].secret_id
    admin.revoke_secret(store, "tester", secret_id)

    for unknown in (secret_id, "\ud800"):
        with pytest.raises(NotFound, match="has no secret"):
            admin.revoke_secret(store, "tester", unknown)


def test_a_client_has_a_bounded_number_of_secrets(store, tester, clock):
    for _ in range(MAX_SECRETS - 1):
        admin.add_secret(store, "tester", clock=clock)

    with pytest.raises(AdminError, match=f"at most {MAX_SECRETS} secrets"):
        admin.add_secret(store, "tester", clock=clock)


def test_the_secret_of_a_repeated_change_is_stored_once(store, tester):
    for count in range(2, MAX_SECRETS + 1):
        admin.add_secret(Repeating(store), "tester")

        assert len(store.find_client("tester").secrets) == count
