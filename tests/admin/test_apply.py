"""A store is made to match a file of clients."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest

from helpers.builders import API, BILLING, HOUR, NOW, STORE_SUITE, issued, log_of, mostly_slow, secret_works
from helpers.clients_files import ONE
from helpers.support import SECRET
from oauth_mw import admin, open_store
from oauth_mw.credentials import MAX_REVOKED
from oauth_mw.model import EVICTION, Client

STORE_KINDS = ["memory"]
all_stores = pytest.mark.parametrize("store_kind", STORE_SUITE)

OTHER = "another-" + SECRET
FULL = 'full "id" [1].a'


@pytest.fixture
def source(clock):
    """A store with clients of all sorts."""
    store = open_store("memory://", create=True, clock=clock)
    limits = {"allowed_addresses": ["192.0.2.0/24"], "allowed_requests": ["GET /é/*"], "rate_limit": "9/minute"}
    quotas = {"tokens_per_hour": 5, "tokens_per_day": 50, "quota_mode": "report", "not_after": NOW + HOUR}
    tokens = {"lifetime": 60, "token_format": "jwt", "audiences": [API, BILLING], "default_audience": [BILLING]}
    attributes = {"attributes": {"a.b": 'x"\\\x7f\t é😀', "n": 3}, "public_attributes": {"rate": 1e16, "on": True}}
    admin.add_client(
        store, 'name "q" é', client_id=FULL, secret=SECRET, clock=clock, resource_server=True,
        scope="b a", default_scope="a", **limits, **quotas, **tokens, **attributes,
    )  # fmt: skip
    admin.add_client(store, "odd", client_id="off", scope="a,b", allow_odd_scope=True, clock=clock)
    admin.add_secret(store, "off", secret="weak", allow_weak_secret=True, label="2027", not_after=NOW + 9, clock=clock)
    admin.revoke_secret(store, "off", store.find_client("off").secrets[0].secret_id, force=True)
    admin.disable_client(store, "off")
    admin.add_client(store, "bare", client_id="bare", clock=clock)
    store.update_client("bare", lambda client: replace(client, secrets=(), default_scope=(), imported={"name": "1f"}))
    clock.now += 2 * HOUR  # the first one has expired
    yield store
    store.close()


def as_written(clients):
    return [replace(client, revoked_before=0) for client in clients]


def test_the_clients_of_these_tests_have_every_field(source):
    clients, blank = list(source.clients()), Client("")
    same = [name for name in Client.__slots__ if all(getattr(x, name) == getattr(blank, name) for x in clients)]

    assert same == ["other"]


@all_stores
def test_an_export_makes_equal_clients_in_an_empty_store_and_again_changes_nothing(store, source, apply):
    text = "".join(admin.export_clients(source))

    changes = apply(text)

    assert as_written(store.clients()) == as_written(source.clients())
    assert [each.action for each in changes] == ["add"] * 3
    assert secret_works(store, SECRET, client_id=FULL)
    assert apply(text, prune=True) == []
    assert apply("".join(admin.export_clients(store))) == []


@all_stores
def test_a_client_is_added_updated_and_disabled(store, apply):
    assert [each.action for each in apply(ONE)] == ["add"]
    assert secret_works(store, SECRET)
    assert apply(ONE) == []

    (change,) = apply(ONE.replace("read write", "read"))
    assert (change.action, change.differences) == ("update", [("scope", "read write", "read")])
    assert store.find_client("tester").scopes == ("read",)

    assert [each.action for each in apply("[clients]")] == []
    assert [each.action for each in apply("[clients]", prune=True)] == ["disable"]
    assert not store.find_client("tester").enabled
    assert apply("[clients]", prune=True) == []


EFFECTS = {
    "its name": ('name = "a job"', 'name = "b"', []),
    "its scope": ('scope = "read write"', 'scope = "read"', []),
    "its lifetime": ("scope =", "lifetime = 60\nscope =", []),
    "its rate": ("scope =", 'rate_limit = "5/minute"\nscope =', ["evicted"]),
    "its end": ("scope =", "not_after = 2100-01-01\nscope =", ["evicted"]),
    "disabled with another rate": ("scope =", 'enabled = false\nrate_limit = "5/minute"\nscope =', ["revoked"]),
    "disabled": ("scope =", "enabled = false\nscope =", ["revoked"]),
}


def effects_of(store, apply, text):
    """What applying a text does to live tokens."""
    before = log_of(store)
    apply(text)
    events = store.read_log(before.store_id, before.position).events
    return ["evicted" if each.key == EVICTION else "revoked" for each in events]


@all_stores
def test_live_tokens_are_evicted_or_revoked_only_where_a_change_demands_it(store, apply):
    found = {}
    for name, (old, new, _) in EFFECTS.items():
        apply(ONE, reopen=["tester"])
        issued(store, number=len(found))
        found[name] = effects_of(store, apply, ONE.replace(old, new))

    assert found == {name: effect for name, (_, _, effect) in EFFECTS.items()}


def test_a_dry_run_says_the_same_and_changes_nothing(store, apply):
    planned = apply(ONE, dry_run=True)

    assert list(store.clients()) == []
    assert planned == apply(ONE)


def test_what_is_not_in_the_file_has_its_default_but_the_state_and_secrets_stay(store, apply):
    apply(ONE.replace("scope", 'attributes = { a = 1 }\nlifetime = 60\nrate_limit = "off"\nscope'))
    secret = admin.add_secret(store, "tester")

    apply('[clients.tester]\nname = "bare"')

    client = store.find_client("tester")
    assert replace(client, created_at=0, secrets=()) == Client("tester", "bare")
    assert [each.secret_id for each in client.secrets] == ["first", secret.record.secret_id]


def test_an_attribute_that_becomes_true_is_changed(store, apply):
    apply(ONE + "[clients.tester.attributes]\na = 1")
    apply(ONE + "[clients.tester.attributes]\na = true")

    assert store.find_client("tester").attributes["a"] is True


# What was closed stays closed


@pytest.mark.parametrize("line", ["", "enabled = true\n"], ids=["not said", "said to be enabled"])
def test_a_client_that_was_disabled_stays_so_unless_it_is_reopened(store, apply, line):
    text = ONE.replace("name", f"{line}name")
    apply(text)
    admin.disable_client(store, "tester")

    kept = apply(text)
    assert [(each.action, *each.notes) for each in kept] == [("keep", "client 'tester' stays disabled")] * bool(line)
    assert not store.find_client("tester").enabled

    apply(text, reopen=["tester"])
    assert store.find_client("tester").enabled


def test_a_client_that_was_let_expire_stays_so_unless_it_is_reopened(store, apply, clock):
    apply(ONE)
    admin.update_client(store, "tester", not_after=NOW + 1, clock=clock)
    clock.now += 1

    (kept,) = apply(ONE)
    assert (kept.action, kept.notes) == ("keep", ["client 'tester' stays expired"])

    apply(ONE, reopen=["tester"])
    assert store.find_client("tester").not_after is None


@mostly_slow
@pytest.mark.parametrize("name", ["first", "tester:first"])
def test_a_secret_that_was_revoked_stays_so_unless_it_is_reopened(store, apply, name):
    apply(ONE)
    admin.revoke_secret(store, "tester", "first")

    (kept,) = apply(ONE)
    assert (kept.action, kept.notes) == ("keep", ["secret 'first' of client 'tester' stays revoked"])
    assert not secret_works(store, SECRET)
    assert apply(ONE, reopen=["tester"])[0].action == "keep"

    apply(ONE, reopen=[name])
    assert secret_works(store, SECRET)
    assert store.find_client("tester").revoked_secrets == ()


def test_a_secret_keeps_the_end_that_a_rotation_gave_it(store, apply, clock):
    apply(ONE)
    admin.rotate_secret(store, "tester", overlap=60, clock=clock)

    assert apply(ONE) == []
    clock.now += 60
    (kept,) = apply(ONE.replace("id =", "not_after = 2100-01-01, id ="))
    assert kept.notes == ["secret 'first' of client 'tester' stays expired"]

    apply(ONE, reopen=["first"])
    assert store.find_client("tester").secrets[0].not_after is None


def test_a_secret_with_another_text_stays_expired_and_that_is_said_once(store, apply, clock):
    apply(ONE)
    admin.rotate_secret(store, "tester", overlap=0, clock=clock)
    new = {"TESTER_SECRET": OTHER}

    (change,) = apply(ONE, new)

    assert (change.action, change.notes) == ("update", ["secret 'first' of client 'tester' stays expired"])
    assert not secret_works(store, OTHER) and apply(ONE, new) == []
    apply(ONE, new, reopen=["first"])
    assert secret_works(store, OTHER)


def test_a_secret_is_revoked_by_its_id_in_the_file(store, apply):
    apply(ONE)

    apply('[clients.tester]\nname = "a job"\nrevoked_secrets = ["first"]')

    assert not secret_works(store, SECRET)
    assert apply(ONE)[0].notes == ["secret 'first' of client 'tester' stays revoked"]


def test_the_ids_of_the_last_revoked_secrets_are_kept(store, apply):
    apply(ONE)
    for _ in range(MAX_REVOKED):
        admin.revoke_secret(store, "tester", admin.add_secret(store, "tester").record.secret_id)
    admin.revoke_secret(store, "tester", "first")

    revoked = store.find_client("tester").revoked_secrets
    assert (len(revoked), revoked[-1]) == (MAX_REVOKED, "first")


def test_a_file_with_many_old_ids_makes_the_store_forget_none_that_was_revoked_since(store, apply):
    apply(ONE)
    admin.revoke_secret(store, "tester", "first")
    old = f'[clients.tester]\nname = "a job"\nrevoked_secrets = {[str(number) for number in range(MAX_REVOKED)]}'

    apply(old)

    assert apply(old) == []
    assert apply(ONE)[0].notes == ["secret 'first' of client 'tester' stays revoked"]


# Secrets


def test_a_secret_is_read_from_a_file_beside_and_replaced_when_it_has_another_text(store, apply, tmp_path):
    text = ONE.replace('variable = "TESTER_SECRET"', 'file = "secret.txt"')
    (tmp_path / "secret.txt").write_text(SECRET + "\n")
    apply(text, folder=str(tmp_path))
    assert secret_works(store, SECRET)

    (tmp_path / "secret.txt").write_text(OTHER)
    (change,) = apply(text, folder=str(tmp_path))

    assert change.differences == [("secrets.first.hash", "one", "another")]
    assert (secret_works(store, SECRET), secret_works(store, OTHER)) == (False, True)


def test_a_weak_secret_is_taken_where_the_file_says_that_it_is(store, apply, refused):
    environ = {"TESTER_SECRET": "hunter2"}

    assert "weak = true accepts it" in refused(ONE, environ=environ)["clients.tester.secrets[1].variable"]
    apply(ONE.replace("id =", "weak = true, id ="), environ=environ)
    assert store.find_client("tester").secrets[0].weak


def test_the_text_of_a_secret_is_in_no_repr(store, apply):
    declared = admin.applying.declared_clients(tomllib.loads(ONE), environ={"TESTER_SECRET": SECRET})

    assert SECRET not in repr(declared) + repr(apply(ONE)) + "".join(admin.export_clients(store))


def test_an_expired_secret_makes_room_once(store, apply, clock):
    secrets = ", ".join(f'{{ id = "{number}", variable = "S{number}", not_after = 2100-01-01 }}' for number in range(5))
    environ = {f"S{number}": f"{number}{SECRET}" for number in range(9)}
    text = f'[clients.tester]\nname = "a"\nsecrets = [{secrets}]'
    apply(text, environ)
    clock.now = 2**32 - 9  # all have expired
    new = text.replace('id = "0", variable = "S0", not_after = 2100-01-01', 'id = "6", variable = "S6"')

    apply(new, environ)

    assert [each.secret_id for each in store.find_client("tester").secrets] == ["1", "2", "3", "4", "6"]
    assert apply(text.replace('"4"', '"7"'), environ) == []
    assert apply(new, environ) == []
    (kept,) = apply(text.replace('"S0", not_after = 2100-01-01', '"S0"'), environ)
    assert (kept.action, kept.notes) == ("keep", ["secret '0' of client 'tester' stays revoked"])


# Steps


def test_a_failure_half_way_keeps_what_was_changed_and_a_second_run_finishes(store, apply):
    text = "".join(ONE.replace("tester", name) for name in "abc")
    made = []

    def stop_after_two(change):
        made.append(change.client_id)
        if len(made) == 2:
            raise OSError("stopped")

    with pytest.raises(OSError, match="stopped"):
        apply(text, on_change=stop_after_two)
    assert [each.client_id for each in store.clients()] == made == ["a", "b"]

    assert [each.client_id for each in apply(text)] == ["c"]


def test_a_client_that_changes_meanwhile_has_its_tokens_evicted_if_that_is_needed_now(store, apply, monkeypatch):
    apply(ONE)
    real = admin.applying.change_client

    def changed_before(store, client_id, change, **effect):
        monkeypatch.setattr(admin.applying, "change_client", real)
        admin.update_client(store, client_id, rate_limit="5/minute")
        return real(store, client_id, change, **effect)

    monkeypatch.setattr(admin.applying, "change_client", changed_before)
    effects = effects_of(store, apply, ONE.replace("read write", "read"))

    client = store.find_client("tester")
    assert (client.rate_limit, client.scopes, effects) == (None, ("read",), ["evicted", "evicted"])


def test_each_change_is_an_event_of_the_audit_trail(store, apply, trail):
    apply(ONE)
    apply(ONE.replace("read write", "read"))
    apply('[clients.tester]\nname = "a job"\nscope = "read"\nrevoked_secrets = ["first", "second"]')
    apply("[clients]", prune=True)

    assert [each["event"] for each in trail()] == [
        *("client_added", "secret_added", "client_changed"),
        *("client_changed", "secret_revoked", "client_disabled", "tokens_revoked"),
    ]
