from __future__ import annotations

import json

import pytest

from helpers.builders import API, BILLING
from helpers.support import basic, bearer, issue


def update(cli, *words):
    answer = cli("client", "update", "tester", *words, "--json")
    assert answer.exit_code == 0
    return json.loads(answer.stdout)


CHANGES = [
    ("--name Renamed", "name", "Renamed"),
    ("--scope read", "scope", "read"),
    ("--scope=", "scope", ""),
    ("--scope a --scope b --scope= --scope c", "scope", "a b c"),
    ("--default-scope read", "default_scope", "read"),
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

    assert update(cli, *words.split()) == {**registered, key: value}


def test_update_takes_back_what_was_given(cli, registered):
    before = json.loads(cli("client", "show", "tester", "--json").stdout)
    given = f"--token-format jwt --audience {API} --default-audience {API} --default-scope read --lifetime 60"
    update(cli, *given.split(), "--attribute", "a=1", "--resource-server")

    taken = "--no-token-format --no-audience --no-default-audience --no-default-scope --no-lifetime"
    after = update(cli, *taken.split(), "--no-attributes", "--no-resource-server")

    assert after == before


# Which attributes remain has tests of its own in tests/admin/test_attributes.py.
ATTRIBUTES = {
    "new ones of a kind": ("--attribute c=3", {"c": 3}, {"b": 2}),
    "to public": ("--public-attribute a=x", {}, {"a": "x"}),
    "none but public ones": ("--no-attributes --public-attribute c=3", {}, {"c": 3}),
}


@pytest.mark.parametrize(("words", "private", "public"), ATTRIBUTES.values(), ids=ATTRIBUTES)
def test_attributes_that_are_given_replace_those_of_their_kind(cli, registered, words, private, public):
    update(cli, "--attribute", "a=1", "--public-attribute", "b=2")

    changed = update(cli, *words.split())

    assert (changed["attributes"], changed["public_attributes"]) == (private, public)


CONFLICTS = [
    "",
    "--lifetime 5 --no-lifetime",
    "--default-scope read --no-default-scope",
    "--attribute a=1 --no-attributes",
]
CONFLICTS += [f"--audience {API} --no-audience", f"--default-audience {API} --no-default-audience"]
CONFLICTS += ["--token-format jwt --no-token-format", "--token-format JWT", "--lifetime long"]


@pytest.mark.parametrize("words", CONFLICTS)
def test_an_update_that_says_nothing_or_two_things_is_wrong_usage(cli, registered, words):
    assert cli("client", "update", "tester", *words.split()).exit_code == 2


def test_a_change_counts_from_the_next_token_on(cli, app, registered):
    update(cli, "--scope", "read", "--lifetime", "60")

    answer = app.post(
        "/oauth/token", {"grant_type": "client_credentials"}, headers=basic("tester", registered["client_secret"])
    )

    assert (answer.json["scope"], answer.json["expires_in"]) == ("read", 60)


@pytest.mark.parametrize("words", [["disable"], ["delete", "--yes"]], ids=["disable", "delete"])
def test_a_client_that_is_gone_is_refused_with_its_tokens(cli, app, registered, token, words):
    app.get("/any", headers=bearer(token))

    cli("client", *words, "tester")

    app.get("/any", headers=bearer(token), status=401)
    form = {"grant_type": "client_credentials"}
    app.post("/oauth/token", form, headers=basic("tester", registered["client_secret"]), status=401)


def test_an_enabled_client_gets_tokens_again_and_its_old_ones_stay_dead(cli, app, registered, token):
    cli("client", "disable", "tester")

    cli("client", "enable", "tester")

    app.get("/any", headers=bearer(token), status=401)
    app.get("/any", headers=bearer(issue(app, "tester", registered["client_secret"])))


def test_the_new_state_is_shown(cli, registered):
    for word, enabled in (("enable", True), ("disable", False)):
        answer = cli("client", word, "tester", "--json")
        assert json.loads(answer.stdout) == {"client_id": "tester", "enabled": enabled}

    assert " disabled " in cli("client", "list").stdout


@pytest.mark.parametrize(("typed", "exit_code"), [("y\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
def test_delete_asks_first(cli, registered, typed, exit_code):
    answer = cli("client", "delete", "tester", input=typed)

    assert answer.exit_code == exit_code
    assert cli("client", "show", "tester").exit_code == (3 if exit_code == 0 else 0)


def test_scripts_are_not_asked_and_must_say_yes(cli, registered):
    assert cli("client", "delete", "tester", "--json").exit_code == 2
    assert json.loads(cli("client", "delete", "tester", "--json", "--yes").stdout)["deleted"] is True


@pytest.mark.parametrize(
    "words", [["disable"], ["enable"], ["delete", "--yes"], ["update", "--name", "x"]], ids=lambda words: words[0]
)
def test_a_change_to_nobody_is_not_found(cli, registered, words):
    assert cli("client", *words, "nobody").exit_code == 3
