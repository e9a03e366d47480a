"""``oauth-mw client apply`` and ``client export``."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import replace

import pytest

from helpers.support import SECRET, issue
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


def test_a_failure_half_way_says_what_was_changed_and_a_second_run_finishes(cli, file, monkeypatch, registered):
    file.write_text(FILE + FILE.partition("\n\n")[2].replace("new", "second"))
    real = SQLStore.add_client

    def add_before_another_operator(store, client):
        monkeypatch.setattr(SQLStore, "add_client", real)
        return real(store, client) and real(store, replace(client, client_id="second"))

    monkeypatch.setattr(SQLStore, "add_client", add_before_another_operator)
    failed = cli("client", "apply", "etc/clients.toml")

    assert (failed.exit_code, failed.stderr.splitlines()) == (1, [
        "changed before the fault: tester (update), new (add); run it again to make the other changes",
        "Error: the client id 'second' is in use, or was",
    ])  # fmt: skip
    assert "second     second  update  name   new     second\n" in cli("client", "apply", "etc/clients.toml").stdout
    assert cli("client", "apply", "etc/clients.toml").stdout == "nothing to change\n"


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
