from __future__ import annotations

import json
import re

import pytest

from helpers.builders import API, BILLING
from helpers.support import SECRET, issue
from oauth_mw import admin

KEYS = {
    "client_id",
    "name",
    "scope",
    "default_scope",
    "lifetime",
    "token_format",
    "audiences",
    "default_audience",
    "attributes",
    "public_attributes",
    "resource_server",
    "enabled",
    "created_at",
    "secrets",
}


def test_add_shows_id_and_secret_in_aligned_lines(cli):
    answer = cli("client", "add", "Nightly report job", "--scope", "reports:read")

    assert re.fullmatch(
        r"client_id      [a-z0-9]{20}\n"
        r"client_secret  [A-Za-z0-9]{43}    \(shown once; only its hash is stored\)\n",
        answer.stdout,
    )


def test_an_added_client_gets_a_token(app, registered):
    assert issue(app, "tester", registered["client_secret"])


def test_add_answers_scripts_with_the_secret_and_all_else(registered):
    assert registered.keys() == KEYS | {"client_secret"}
    assert registered["scope"] == "read write"


def test_add_takes_every_field(cli):
    words = "--lifetime 60 --attribute n=3 --public-attribute tier=gold --resource-server".split()
    words += "--scope a --scope b --default-scope a --default-scope b".split()
    words += f"--audience {API} --audience {BILLING} --default-audience {BILLING} --token-format jwt".split()

    made = json.loads(cli("client", "add", "full", *words, "--json").stdout)

    assert (made["scope"], made["default_scope"]) == ("a b", "a b")
    assert made["lifetime"] == 60
    assert (made["audiences"], made["default_audience"]) == ([API, BILLING], [BILLING])
    assert made["token_format"] == "jwt"
    assert made["attributes"] == {"n": 3}
    assert made["public_attributes"] == {"tier": "gold"}
    assert made["resource_server"] is True


@pytest.mark.parametrize(
    ("text", "value"),
    [("a=x y", "x y"), ("a=true", True), ("a=1.5", 1.5), ('a="1.5"', "1.5"), ("a=", ""), ("a=b=c", "b=c")],
)
def test_an_attribute_is_a_string_unless_it_reads_otherwise(cli, text, value):
    made = json.loads(cli("client", "add", "x", "--attribute", text, "--json").stdout)

    assert made["attributes"] == {"a": value}


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--attribute", "novalue"], id="no equals sign"),
        pytest.param(["--attribute", "scope=x"], id="a name of OAuth"),
        pytest.param(["--attribute", "a=1", "--attribute", "a=2"], id="twice"),
        pytest.param(["--attribute", "a=1", "--public-attribute", "a=2"], id="private and public"),
        pytest.param(["--scope", 'a"b'], id="no scope"),
        pytest.param(["--scope", "a,b"], id="several scopes in one"),
        pytest.param(["--scope", "a", "--default-scope", "b"], id="a default beyond the scope"),
        pytest.param(["--lifetime", "0"], id="no lifetime"),
        pytest.param(["--audience", "api.example.com"], id="no absolute URI"),
        pytest.param(["--audience", API, "--default-audience", BILLING], id="a default beyond the audiences"),
        pytest.param(["--id", "ümlaut"], id="an id that cannot be sent"),
    ],
)
def test_what_cannot_be_is_refused_with_one_line(cli, words):
    answer = cli("client", "add", "x", *words)

    assert answer.exit_code == 1
    assert answer.stderr.splitlines()[-1].startswith("Error: ")
    assert answer.stdout == ""


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"], ids=["none", "LF", "CR LF"])
def test_one_newline_at_the_end_of_an_imported_secret_is_dropped(cli, app, ending):
    cli("client", "add", "old", "--id", "old", "--secret-file", "-", input=SECRET + ending)

    assert issue(app, "old", SECRET)


def test_a_second_newline_is_part_of_the_secret_and_refused(cli):
    assert cli("client", "add", "old", "--secret-file", "-", input=SECRET + "\n\n").exit_code == 1


def test_a_secret_is_imported_from_a_file_and_not_shown(cli, app, tmp_path):
    (tmp_path / "secret").write_text(SECRET + "\n")

    answer = cli("client", "add", "old", "--id", "old", "--secret-file", "secret")

    assert issue(app, "old", SECRET)
    assert SECRET not in answer.stdout + answer.stderr


def test_an_imported_secret_is_null_for_scripts(cli):
    answer = cli("client", "add", "old", "--id", "old", "--secret-file", "-", "--json", input=SECRET)

    assert json.loads(answer.stdout)["client_secret"] is None


def test_a_missing_secret_file_is_wrong_usage(cli):
    assert cli("client", "add", "old", "--secret-file", "nowhere").exit_code == 2


@pytest.mark.parametrize("secret", ["", "hunter2", "\xff" * 30, "x" * 5000], ids=["empty", "short", "bytes", "long"])
def test_a_secret_that_is_no_good_is_refused_and_not_shown(cli, secret):
    answer = cli("client", "add", "old", "--secret-file", "-", input=secret.encode("latin-1"))

    assert answer.exit_code == 1
    assert not secret or secret not in answer.stderr


def test_a_weak_secret_is_taken_when_allowed_and_marked(cli):
    answer = cli("client", "add", "old", "--secret-file", "-", "--allow-weak-secret", "--json", input="hunter2")

    assert json.loads(answer.stdout)["secrets"][0]["weak"] is True


def test_people_are_told_that_a_secret_is_weak(cli):
    answer = cli("client", "add", "old", "--secret-file", "-", "--allow-weak-secret", input="hunter2")

    assert "warning: the secret is weak" in answer.stderr


def test_allowing_weak_secrets_without_a_secret_is_wrong_usage(cli):
    assert cli("client", "add", "x", "--allow-weak-secret").exit_code == 2


def test_a_generated_secret_is_not_judged_as_an_imported_one(cli, registered):
    one_letter = cli("client", "add", "x", "--id", "e"), cli("client", "add", "y", "--id", "a")

    assert [answer.exit_code for answer in one_letter] == [0, 0]


def test_an_id_in_use_is_refused(cli, registered):
    assert cli("client", "add", "again", "--id", "tester").exit_code == 1


def test_an_id_is_never_used_again(cli, registered):
    cli("client", "delete", "tester", "--yes")

    assert cli("client", "add", "again", "--id", "tester").exit_code == 1


def test_list_shows_a_line_for_each_client(cli, registered):
    cli("client", "add", "Another")

    lines = cli("client", "list").stdout.splitlines()

    assert len(lines) == 3
    assert {line.index("enabled") for line in lines[1:]} == {lines[0].index("STATE")}


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


def test_names_beyond_latin_are_shown(cli):
    cli("client", "add", "Отчёт 夜")

    assert "Отчёт 夜" in cli("client", "list").stdout


def test_an_odd_scope_is_kept_when_asked(cli):
    made = cli("client", "add", "x", "--id", "x", "--scope", "a,b c", "--allow-odd-scope", "--json")
    changed = cli("client", "update", "x", "--default-scope", "a,b", "--allow-odd-scope", "--json")

    assert json.loads(made.stdout)["scope"] == json.loads(changed.stdout)["scope"] == "a,b c"
    assert cli("client", "update", "x", "--scope", "a,b").exit_code == 1
