from __future__ import annotations

import json
import re

import pytest

from helpers.builders import API, BILLING
from helpers.support import CC, SECRET, basic, bearer, issue
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
    words = "--id full --lifetime 60 --attribute n=3 --public-attribute tier=gold --resource-server".split()
    words += "--scope a --scope b --default-scope a --default-scope b".split()
    words += f"--audience {API} --audience {BILLING} --default-audience {BILLING} --token-format jwt".split()
    wanted = {
        "scope": "a b", "default_scope": "a b", "lifetime": 60, "audiences": [API, BILLING], "token_format": "jwt",
        "default_audience": [BILLING], "attributes": {"n": 3}, "public_attributes": {"tier": "gold"},
        "resource_server": True,
    }  # fmt: skip

    made = json.loads(cli("client", "add", "full", *words, "--json").stdout)
    shown = cli("client", "show", "full").stdout

    assert {name: made[name] for name in wanted} == wanted
    assert f"\naudiences          {API} {BILLING}\ndefault_audience   {BILLING}\n" in shown
    assert "\ntoken_format       jwt\n" in shown


# What each field may be has tests of its own in tests/admin.
REFUSED = {
    "no equals sign": ["--attribute", "novalue"],
    "twice": ["--attribute", "a=1", "--attribute", "a=2"],
    "private and public": ["--attribute", "a=1", "--public-attribute", "a=2"],
    "several scopes in one": ["--scope", "a,b"],
    "an id that cannot be sent": ["--id", "ümlaut"],
}


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_with_one_line(cli, words):
    answer = cli("client", "add", "x", *words)

    assert answer.exit_code == 1
    assert answer.stderr.splitlines()[-1].startswith("Error: ")
    assert answer.stdout == ""


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"], ids=["none", "LF", "CR LF"])
def test_a_secret_is_imported_without_the_newline_at_its_end_and_not_shown(cli, app, tmp_path, ending):
    (tmp_path / "secret").write_bytes((SECRET + ending).encode())

    answer = cli("client", "add", "old", "--id", "old", "--secret-file", "secret")
    piped = cli("client", "add", "new", "--id", "new", "--secret-file", "-", "--json", input=SECRET + ending)

    assert json.loads(piped.stdout)["client_secret"] is None
    assert issue(app, "old", SECRET) and issue(app, "new", SECRET)
    assert SECRET not in answer.output + piped.output


BAD = {"empty": "", "short": "hunter2", "bytes": "\xff" * 30, "long": "x" * 5000, "two line ends": SECRET + "\n\n"}


@pytest.mark.parametrize("secret", BAD.values(), ids=BAD)
def test_a_bad_secret_is_refused_and_not_shown(cli, secret):
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


def test_list_shows_a_line_for_each_client_and_scripts_what_show_does(cli, registered):
    listed = json.loads(cli("client", "list", "--json").stdout)
    cli("client", "add", "Отчёт 夜")

    lines = cli("client", "list").stdout.splitlines()

    assert listed == [json.loads(cli("client", "show", "tester", "--json").stdout)]
    assert listed[0].keys() == KEYS
    assert len(lines) == 3 and "Отчёт 夜" in "".join(lines)
    assert {line.index("enabled") for line in lines[1:] if "tester" in line} == {lines[0].index("STATE")}


def test_show_lists_secrets_by_id_and_never_their_text_or_hash(cli, registered, opened):
    made = admin.add_secret(opened, "tester", label="spare", not_after=2**31, secret="hunter2", allow_weak_secret=True)

    shown = cli("client", "show", "tester").stdout
    texts = [shown, cli("client", "show", "tester", "--json").stdout]

    row = rf"^{made.record.secret_id}  spare  \S+Z  2038-01-19T03:14:08Z  weak$"
    assert re.search(row, shown, re.MULTILINE)
    for secret in admin.get_client(opened, "tester").secrets:
        for hidden in (registered["client_secret"], "hunter2", secret.digest.hex(), secret.salt.hex()):
            assert not any(hidden in text for text in texts)


def test_an_attribute_cannot_act_on_the_terminal(cli, registered):
    cli("client", "update", "tester", "--attribute", 'a="\\u001b[2J\\u009b"')

    assert '"\\u001b[2J\\u009b"' in cli("client", "show", "tester").stdout


@pytest.mark.parametrize("client_id", ["unknown", "\udcff", "no\nbody"], ids=["unknown", "no text", "newline"])
def test_a_missing_client_is_not_found(cli, registered, client_id):
    for words in ("show", "disable", "enable", "delete --yes", "update --name x"):
        answer = cli("client", *words.split(), client_id)

        assert (answer.exit_code, answer.stderr.count("\n")) == (3, 1)


def test_an_id_that_begins_with_a_dash_follows_two(cli):
    cli("client", "add", "dash", "--id", "-x")

    assert cli("client", "show", "--", "-x").exit_code == 0


def test_an_odd_scope_is_kept_when_allowed(cli):
    made = cli("client", "add", "x", "--id", "x", "--scope", "a,b c", "--allow-odd-scope", "--json")
    changed = cli("client", "update", "x", "--default-scope", "a,b", "--allow-odd-scope", "--json")

    assert json.loads(made.stdout)["scope"] == json.loads(changed.stdout)["scope"] == "a,b c"
    assert cli("client", "update", "x", "--scope", "a,b").exit_code == 1


# Changes


def update(cli, words):
    answer = cli("client", "update", "tester", *words.split(), "--json")
    assert answer.exit_code == 0
    return json.loads(answer.stdout)


CHANGES = [
    ("--name Renamed", "name", "Renamed"),
    ("--scope=", "scope", ""),
    ("--scope a --scope b --scope= --scope c", "scope", "a b c"),
    ("--default-scope read --default-scope write", "default_scope", "read write"),
    ("--default-scope=", "default_scope", ""),
    ("--lifetime 60", "lifetime", 60),
    ("--token-format jwt", "token_format", "jwt"),
    (f"--audience {API} --audience {BILLING}", "audiences", [API, BILLING]),
    (f"--default-audience {API}", "default_audience", [API]),
    ("--attribute a=1", "attributes", {"a": 1}),
    ("--public-attribute b=x", "public_attributes", {"b": "x"}),
    ("--resource-server", "resource_server", True),
]


@pytest.mark.parametrize(("words", "key", "value"), CHANGES, ids=[words for words, _, _ in CHANGES])
def test_update_changes_what_is_given_and_nothing_else(cli, registered, words, key, value):
    del registered["client_secret"]

    assert update(cli, words) == {**registered, key: value}


def test_update_removes_what_was_given(cli, registered):
    del registered["client_secret"]
    given = f"--token-format jwt --audience {API} --default-audience {API} --default-scope read --lifetime 60"
    update(cli, f"{given} --attribute a=1 --resource-server")

    cleared = "--no-token-format --no-audience --no-default-audience --no-default-scope --no-lifetime"

    assert update(cli, f"{cleared} --no-attributes --no-resource-server") == registered


# Which attributes remain has tests of its own in tests/admin/test_attributes.py.
ATTRIBUTES = {
    "new ones of a kind": ("--attribute c=3", {"c": 3}, {"b": 2}),
    "to public": ("--public-attribute a=x", {}, {"a": "x"}),
    "none but public ones": ("--no-attributes --public-attribute c=3", {}, {"c": 3}),
}


@pytest.mark.parametrize(("words", "private", "public"), ATTRIBUTES.values(), ids=ATTRIBUTES)
def test_attributes_that_are_given_replace_those_of_their_kind(cli, registered, words, private, public):
    update(cli, "--attribute a=1 --public-attribute b=2")

    changed = update(cli, words)

    assert (changed["attributes"], changed["public_attributes"]) == (private, public)


CONFLICTS = ["", "--token-format JWT", "--lifetime long", "--attribute a=1 --no-attributes"]
CONFLICTS += [
    "--lifetime 5 --no-lifetime",
    "--default-scope read --no-default-scope",
    f"--audience {API} --no-audience",
]
CONFLICTS += [f"--default-audience {API} --no-default-audience", "--token-format jwt --no-token-format"]


@pytest.mark.parametrize("words", CONFLICTS)
def test_an_update_that_says_nothing_or_two_things_is_wrong_usage(cli, registered, words):
    assert cli("client", "update", "tester", *words.split()).exit_code == 2


def test_a_change_counts_from_the_next_token_on(cli, app, registered):
    update(cli, "--scope read --lifetime 60")

    answer = app.post("/oauth/token", CC, headers=basic("tester", registered["client_secret"]))

    assert (answer.json["scope"], answer.json["expires_in"]) == ("read", 60)


@pytest.mark.parametrize("words", [["disable"], ["delete", "--yes"]], ids=["disable", "delete"])
def test_a_client_that_is_disabled_or_deleted_is_refused_with_its_tokens(cli, app, registered, token, words):
    app.get("/any", headers=bearer(token))

    cli("client", *words, "tester")

    app.get("/any", headers=bearer(token), status=401)
    app.post("/oauth/token", CC, headers=basic("tester", registered["client_secret"]), status=401)
    assert cli("client", "add", "again", "--id", "tester").exit_code == 1  # no id is given twice


def test_an_enabled_client_gets_tokens_again_and_its_old_ones_stay_revoked(cli, app, registered, token):
    disabled = json.loads(cli("client", "disable", "tester", "--json").stdout)
    assert " disabled " in cli("client", "list").stdout

    enabled = json.loads(cli("client", "enable", "tester", "--json").stdout)

    assert [disabled, enabled] == [{"client_id": "tester", "enabled": False}, {"client_id": "tester", "enabled": True}]
    app.get("/any", headers=bearer(token), status=401)
    app.get("/any", headers=bearer(issue(app, "tester", registered["client_secret"])))


@pytest.mark.parametrize("typed", ["n\n", "\n", "", "y\n"])
def test_delete_needs_a_confirmation_or_yes(cli, registered, typed):
    unprompted = cli("client", "delete", "tester", "--json").exit_code
    answer = cli("client", "delete", "tester", input=typed)
    left = cli("client", "show", "tester").exit_code == 0
    forced = cli("client", "delete", "tester", "--json", "--yes")

    assert (unprompted, answer.exit_code, left) == ((2, 0, False) if typed == "y\n" else (2, 1, True))
    assert forced.exit_code == 3 if not left else json.loads(forced.stdout)["deleted"] is True
