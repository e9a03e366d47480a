from __future__ import annotations

import json
import re

import pytest

from helpers.builders import API, BILLING
from helpers.support import SECRET, issue
from oauth_mw import admin

KEYS = set(
    "client_id name scope default_scope lifetime token_format audiences default_audience attributes public_attributes"
    " resource_server enabled created_at secrets".split()
)


def test_add_shows_id_and_secret_in_aligned_lines(cli):
    answer = cli("client", "add", "Nightly report job", "--scope", "reports:read")

    assert re.fullmatch(
        r"client_id      [a-z0-9]{20}\n"
        r"client_secret  [A-Za-z0-9]{43}    \(shown once; only its hash is stored\)\n",
        answer.stdout,
    )


def test_add_answers_scripts_with_the_secret_and_all_else(app, registered):
    assert registered.keys() == KEYS | {"client_secret"}
    assert registered["scope"] == "read write"
    assert issue(app, "tester", registered["client_secret"])


def test_add_takes_every_field(cli):
    words = "--lifetime 60 --attribute n=3 --public-attribute tier=gold --resource-server".split()
    words += "--scope a --scope b --default-scope a --default-scope b".split()
    words += f"--audience {API} --audience {BILLING} --default-audience {BILLING} --token-format jwt".split()
    wanted = {
        "scope": "a b", "default_scope": "a b", "lifetime": 60, "audiences": [API, BILLING], "token_format": "jwt",
        "default_audience": [BILLING], "attributes": {"n": 3}, "public_attributes": {"tier": "gold"},
        "resource_server": True,
    }  # fmt: skip

    made = json.loads(cli("client", "add", "full", *words, "--json").stdout)

    assert {name: made[name] for name in wanted} == wanted


REFUSED = {
    "no equals sign": ["--attribute", "novalue"],
    "a name of OAuth": ["--attribute", "scope=x"],
    "twice": ["--attribute", "a=1", "--attribute", "a=2"],
    "private and public": ["--attribute", "a=1", "--public-attribute", "a=2"],
    "no scope": ["--scope", 'a"b'],
    "several scopes in one": ["--scope", "a,b"],
    "a default beyond the scope": ["--scope", "a", "--default-scope", "b"],
    "no lifetime": ["--lifetime", "0"],
    "no absolute URI": ["--audience", "api.example.com"],
    "a default beyond the audiences": ["--audience", API, "--default-audience", BILLING],
    "an id that cannot be sent": ["--id", "ümlaut"],
}


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_with_one_line(cli, words):
    answer = cli("client", "add", "x", *words)

    assert answer.exit_code == 1
    assert answer.stderr.splitlines()[-1].startswith("Error: ")
    assert answer.stdout == ""


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"], ids=["none", "LF", "CR LF"])
def test_one_newline_at_the_end_of_an_imported_secret_is_dropped(cli, app, ending):
    answer = cli("client", "add", "old", "--id", "old", "--secret-file", "-", "--json", input=SECRET + ending)

    assert json.loads(answer.stdout)["client_secret"] is None
    assert issue(app, "old", SECRET)


def test_a_secret_is_imported_from_a_file_and_not_shown(cli, app, tmp_path):
    (tmp_path / "secret").write_text(SECRET + "\n")

    answer = cli("client", "add", "old", "--id", "old", "--secret-file", "secret")

    assert issue(app, "old", SECRET)
    assert SECRET not in answer.stdout + answer.stderr


BAD = {"empty": "", "short": "hunter2", "bytes": "\xff" * 30, "long": "x" * 5000, "two line ends": SECRET + "\n\n"}


@pytest.mark.parametrize("secret", BAD.values(), ids=BAD)
def test_a_secret_that_is_no_good_is_refused_and_not_shown(cli, secret):
    answer = cli("client", "add", "old", "--secret-file", "-", input=secret.encode("latin-1"))

    assert answer.exit_code == 1
    assert not secret or secret not in answer.stderr


def test_a_weak_secret_is_taken_when_allowed_and_marked(cli):
    words = ["client", "add", "old", "--secret-file", "-", "--allow-weak-secret"]

    assert json.loads(cli(*words, "--json", input="hunter2").stdout)["secrets"][0]["weak"] is True
    assert "warning: the secret is weak" in cli(*words, input="hunter2").stderr


@pytest.mark.parametrize("words", [["--secret-file", "nowhere"], ["--allow-weak-secret"]], ids=" ".join)
def test_a_secret_file_that_is_missing_is_wrong_usage(cli, words):
    assert cli("client", "add", "old", *words).exit_code == 2


def test_an_id_is_given_once_also_after_its_deletion(cli, registered):
    in_use = cli("client", "add", "again", "--id", "tester")
    cli("client", "delete", "tester", "--yes")

    assert [in_use.exit_code, cli("client", "add", "again", "--id", "tester").exit_code] == [1, 1]


def test_list_shows_a_line_for_each_client(cli, registered):
    cli("client", "add", "Отчёт 夜")

    lines = cli("client", "list").stdout.splitlines()

    assert len(lines) == 3 and "Отчёт 夜" in "".join(lines)
    assert {line.index("enabled") for line in lines[1:] if "tester" in line} == {lines[0].index("STATE")}


def test_list_answers_scripts_with_what_show_does(cli, registered):
    listed = json.loads(cli("client", "list", "--json").stdout)

    assert listed == [json.loads(cli("client", "show", "tester", "--json").stdout)]
    assert listed[0].keys() == KEYS


def test_show_names_secrets_by_id_with_label_end_and_mark(cli, opened):
    made = admin.add_secret(opened, "tester", label="spare", not_after=2**31, secret="hunter2", allow_weak_secret=True)

    shown = cli("client", "show", "tester").stdout

    row = rf"^{made.record.secret_id}  spare  \S+Z  2038-01-19T03:14:08Z  weak$"
    assert re.search(row, shown, re.MULTILINE)


@pytest.mark.parametrize("words", [[], ["--json"]], ids=["people", "scripts"])
def test_show_never_tells_a_secret_or_its_hash(cli, registered, opened, words):
    secret = admin.get_client(opened, "tester").secrets[0]

    shown = cli("client", "show", "tester", *words).stdout

    assert registered["client_secret"] not in shown
    assert secret.digest.hex() not in shown and secret.salt.hex() not in shown


def test_an_attribute_cannot_act_on_the_terminal(cli, registered):
    cli("client", "update", "tester", "--attribute", 'a="\\u001b[2J\\u009b"')

    assert '"\\u001b[2J\\u009b"' in cli("client", "show", "tester").stdout


@pytest.mark.parametrize("client_id", ["nobody", "\udcff", "no\nbody"], ids=["unknown", "no text", "newline"])
def test_a_client_that_is_not_there_is_not_found(cli, registered, client_id):
    answer = cli("client", "show", client_id)

    assert answer.exit_code == 3
    assert answer.stderr.count("\n") == 1


def test_an_id_that_begins_with_a_dash_goes_after_two(cli, registered):
    cli("client", "add", "dash", "--id", "-x")

    assert cli("client", "show", "--", "-x").exit_code == 0


def test_show_says_for_whom_tokens_are_and_in_which_format(cli):
    words = f"--id some --audience {API} --audience {BILLING} --default-audience {API} --token-format opaque".split()
    cli("client", "add", "some", *words)

    shown = cli("client", "show", "some").stdout

    assert f"\naudiences          {API} {BILLING}\ndefault_audience   {API}\n" in shown
    assert "\ntoken_format       opaque\n" in shown


def test_an_odd_scope_is_kept_when_asked(cli):
    made = cli("client", "add", "x", "--id", "x", "--scope", "a,b c", "--allow-odd-scope", "--json")
    changed = cli("client", "update", "x", "--default-scope", "a,b", "--allow-odd-scope", "--json")

    assert json.loads(made.stdout)["scope"] == json.loads(changed.stdout)["scope"] == "a,b c"
    assert cli("client", "update", "x", "--scope", "a,b").exit_code == 1
