"""``oauth-mw client apply`` and ``client export``."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import replace

import pytest

from helpers.support import SECRET, issue
from oauth_mw import admin
from oauth_mw.errors import StoreUnavailable
from oauth_mw.stores.sql.store import SQLStore

FILE = """
[clients.tester]
name = "tester"
scope = "read"
lifetime = 60

[clients.new]
name = "new"
secrets = [{ id = "2027", file = "secret.txt" }]
"""


@pytest.fixture
def file(tmp_path):
    """A file of clients in a folder of its own."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/secret.txt").write_text(SECRET + "\n")
    (tmp_path / "etc/clients.toml").write_text(FILE)
    return tmp_path / "etc/clients.toml"


def test_a_dry_run_shows_the_differences_as_a_table_and_changes_nothing(cli, registered, file):
    before = cli("client", "export").stdout

    answer = cli("client", "apply", "etc/clients.toml", "--dry-run")

    lines = [line.split() for line in answer.stdout.splitlines()]
    assert lines[0] == ["CLIENT_ID", "NAME", "CHANGE", "FIELD", "BEFORE", "AFTER"]
    assert lines[1:3] == [
        ["tester", "tester", "update", "scope", "read", "write", "read"],
        ["tester", "tester", "update", "lifetime", "-", "60"],
    ]
    assert ["new", "new", "add", "secrets.2027", "-", "present"] in lines
    assert answer.stderr == "dry run: nothing was changed\n"
    assert cli("client", "export").stdout == before


def test_the_changes_are_made_once(cli, app, file):
    assert "update" in cli("client", "apply", "etc/clients.toml").stdout

    assert issue(app, "new", SECRET)
    assert cli("client", "apply", "etc/clients.toml", "--prune").stdout == "nothing to change\n"


def test_a_byte_order_mark_as_editors_of_windows_write_it_is_skipped(cli, app, file):
    file.write_bytes(b"\xef\xbb\xbf" + FILE.replace("\n", "\r\n").encode())

    assert "update" in cli("client", "apply", "etc/clients.toml").stdout


def test_what_stays_closed_is_said_and_reopened_by_its_id(cli, printed, app, file):
    cli("client", "apply", "etc/clients.toml")
    cli("secret", "revoke", "new", "2027")

    kept = cli("client", "apply", "etc/clients.toml")
    assert kept.stdout == "nothing to change\n"
    assert kept.stderr == "secret '2027' of client 'new' stays revoked: --reopen would open it again\n"

    assert printed("client", "apply", "etc/clients.toml", "--reopen", "2027")["changes"][0]["action"] == "update"
    assert issue(app, "new", SECRET)


def test_all_faults_are_shown_and_nothing_is_changed_or_created(cli, tmp_path):
    answer = cli("client", "apply", "-", input='[clients.a]\nnmae = "a"\nlifetime = "1"')

    assert answer.exit_code == 2
    assert answer.stderr.splitlines() == [
        "Error: clients.a.nmae: is not known; did you mean name?",
        "Error: clients.a.lifetime: expected a whole number",
        "Error: clients.a.name: is missing: name what the client is for",
    ]
    assert not (tmp_path / "oauth.db").exists()


BROKEN = {
    "no TOML": ("[clients\n", "at line 1, column 9"),
    "not UTF-8": (b'[clients."\xff"]', "cannot be read as TOML: 'utf-8' codec"),
    "too deep": ("a = " + "[" * 5000, "cannot be read as TOML"),
    "a number of too many digits": ("a = " + "9" * 5000, "cannot be read as TOML"),
}


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_no_toml_is_refused_with_the_place(cli, text, said):
    answer = cli("client", "apply", "-", input=text)

    assert (answer.exit_code, said in answer.stderr, answer.stderr.count("\n")) == (2, True, 1)


@pytest.fixture
def adding(file, monkeypatch):
    """Apply a file with two clients to add; the second one is added by a function instead."""
    file.write_text(FILE + FILE.partition("\n\n")[2].replace("new", "second"))
    real = SQLStore.add_client

    def adding(instead):
        def add(store, client):
            if client.client_id != "second":
                return real(store, client)
            monkeypatch.setattr(SQLStore, "add_client", real)
            return instead(store, client)

        monkeypatch.setattr(SQLStore, "add_client", add)

    return adding


def test_a_failure_half_way_says_what_was_changed_and_a_second_run_finishes(cli, registered, adding):
    def fail(store, client):
        raise StoreUnavailable("the disk is gone")

    adding(fail)
    failed = cli("client", "apply", "etc/clients.toml")

    assert (failed.exit_code, failed.stderr.splitlines()[0]) == (
        4,
        "changed before the fault: tester (update), new (add); run it again to make the other changes",
    )
    assert "second     second  add" in cli("client", "apply", "etc/clients.toml").stdout
    assert cli("client", "apply", "etc/clients.toml").stdout == "nothing to change\n"


@pytest.mark.parametrize("number", [2, 30])
def test_an_interrupt_says_so_too_and_names_the_last_of_many(cli, file, adding, number):
    def interrupt(store, client):
        raise KeyboardInterrupt

    adding(interrupt)
    _, new = FILE.split("\n\n")
    names = [f"n{each}" for each in range(number)]
    file.write_text("\n".join(new.replace("new", each) for each in [*names, "second"]))

    answer = cli("client", "apply", "etc/clients.toml")

    last = ", ".join(f"{each} (add)" for each in names[-20:])
    said = last if number <= 20 else f"30 clients, the last of them {last}"
    assert f"changed before the interrupt: {said}; run it again to make the other changes\n" in answer.stderr


def test_a_dry_run_without_a_store_shows_all_that_would_be_added_and_makes_none(cli, file, tmp_path):
    file.write_text(FILE.partition("\n\n")[2])

    answer = cli("client", "apply", "etc/clients.toml", "--dry-run")

    assert (answer.exit_code, "add     secrets.2027" in answer.stdout) == (0, True)
    assert not (tmp_path / "oauth.db").exists()


def test_a_client_that_another_run_adds_meanwhile_is_made_to_match(cli, registered, adding):
    adding(lambda store, client: store.add_client(replace(client, name="another")) and store.add_client(client))

    assert cli("client", "apply", "etc/clients.toml").exit_code == 0
    assert cli("client", "apply", "etc/clients.toml").stdout == "nothing to change\n"


def test_a_client_that_is_deleted_meanwhile_is_not_added_again(cli, registered, adding):
    def deleted(store, client):
        store.add_client(client)
        admin.delete_client(store, "second")
        return store.add_client(client)

    adding(deleted)

    failed = cli("client", "apply", "etc/clients.toml")
    assert (failed.exit_code, failed.stderr.splitlines()[-1]) == (
        1,
        "Error: client 'second' was deleted, and an id is never used again",
    )


NAMED = {
    "created_at": ("created_at", "allow_odd_scope"),
    "not_after": ("x.not_after", "not_after"),
    "hash": ("hash", "hash"),
}


@pytest.mark.parametrize("names", NAMED.values(), ids=NAMED)
def test_attributes_and_secrets_with_the_names_of_fields_are_shown_as_any_other(cli, file, names):
    secret_id, name = names
    head, secret = '[clients.a]\nname = "a"\n', f'secrets = [{{ id = "{secret_id}", file = "secret.txt" }}]\n'
    file.write_text(f'{head}attributes = {{ "{name}" = "soon" }}\n{secret}')
    added = cli("client", "apply", "etc/clients.toml").stdout
    file.write_text(f'{head}attributes = {{ "{name}" = 5 }}\n{secret}')

    changed = cli("client", "apply", "etc/clients.toml").stdout.splitlines()

    assert [f"secrets.{secret_id}" in added, f"attributes.{name}" in added] == [True, True]
    assert [line.split()[2:] for line in changed[1:]] == [["update", f"attributes.{name}", "soon", "5"]]


def test_a_file_without_an_end_is_refused(cli):
    answer = cli("client", "apply", "/dev/zero")

    assert (answer.exit_code, answer.stderr) == (2, "Error: /dev/zero: has more than 64 MiB\n")


def test_an_export_warns_and_is_applied_to_another_store(cli, app, registered, tmp_path):
    cli("client", "add", "weak", "--id", "weak", "--secret-file", "-", "--allow-weak-secret", input="hunter2")

    answer = cli("client", "export")

    assert tomllib.loads(answer.stdout)["clients"].keys() == {"tester", "weak"}
    hashes, weak = answer.stderr.splitlines()
    assert hashes.startswith("warning: the file has hashes of secrets: those of weak secrets can be guessed")
    assert weak == "warning: client 'weak' has a weak secret"
    other = f"sqlite:///{tmp_path}/other.db"
    assert cli("client", "apply", "-", store=other, input=answer.stdout).exit_code == 0
    assert cli("client", "export", store=other).stdout == answer.stdout


def test_an_export_into_a_file_is_for_its_owner_alone_and_replaces_none(cli, registered, tmp_path):
    assert cli("client", "export", "-o", "clients.toml").stdout == "wrote clients.toml\n"

    assert os.stat(tmp_path / "clients.toml").st_mode & 0o777 == 0o600
    assert cli("client", "apply", "clients.toml").stdout == "nothing to change\n"
    assert "clients.toml already exists" in cli("client", "export", "-o", "clients.toml").stderr


def test_scripts_get_all_of_it_as_json(cli, printed, registered, file):
    changes = printed("client", "apply", "etc/clients.toml", "--dry-run")
    clients = printed("client", "export")["clients"]

    assert changes["dry_run"] is True
    assert changes["changes"][0]["differences"][0] == {"field": "scope", "before": "read write", "after": "read"}
    assert clients["tester"]["created_at"] == registered["created_at"]
    assert json.dumps(clients)
