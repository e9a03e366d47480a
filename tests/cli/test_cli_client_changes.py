from __future__ import annotations

import json

import pytest

from helpers.builders import API, BILLING
from helpers.support import basic, bearer, issue


def update(cli, *words):
    answer = cli("client", "update", "tester", *words, "--json")
    assert answer.exit_code == 0
    return json.loads(answer.stdout)


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        pytest.param(["--name", "Renamed"], "name", "Renamed", id="name"),
        pytest.param(["--scope", "read"], "scope", "read", id="scope"),
        pytest.param(["--scope", ""], "scope", "", id="no scope"),
        pytest.param(["--default-scope", "read"], "default_scope", "read", id="default scope"),
        pytest.param(["--scope", "a b", "--scope", "", "--scope", "c"], "scope", "a b c", id="several scopes"),
        pytest.param(
            ["--default-scope", "read", "--default-scope", "write"], "default_scope", "read write", id="defaults"
        ),
        pytest.param(["--default-scope", ""], "default_scope", "", id="no scope by default"),
        pytest.param(["--lifetime", "60"], "lifetime", 60, id="lifetime"),
        pytest.param(["--token-format", "jwt"], "token_format", "jwt", id="token format"),
        pytest.param(["--audience", API, "--audience", BILLING], "audiences", [API, BILLING], id="audiences"),
        pytest.param(["--default-audience", API], "default_audience", [API], id="default audience"),
        pytest.param(["--attribute", "a=1"], "attributes", {"a": 1}, id="attribute"),
        pytest.param(["--public-attribute", "b=x"], "public_attributes", {"b": "x"}, id="public attribute"),
        pytest.param(["--resource-server"], "resource_server", True, id="resource server"),
    ],
)
def test_update_changes_what_is_given_and_nothing_else(cli, registered, words, key, value):
    del registered["client_secret"]

    assert update(cli, *words) == {**registered, key: value}


def test_update_takes_back_what_was_given(cli, registered):
    before = json.loads(cli("client", "show", "tester", "--json").stdout)
    given = f"--token-format jwt --audience {API} --default-audience {API} --default-scope read --lifetime 60"
    update(cli, *given.split(), "--attribute", "a=1", "--resource-server")

    taken = "--no-token-format --no-audience --no-default-audience --no-default-scope --no-lifetime"
    after = update(cli, *taken.split(), "--no-attributes", "--no-resource-server")

    assert after == before


def test_new_attributes_replace_those_of_their_kind_only(cli, registered):
    update(cli, "--attribute", "a=1", "--public-attribute", "b=2")

    changed = update(cli, "--attribute", "c=3")

    assert (changed["attributes"], changed["public_attributes"]) == ({"c": 3}, {"b": 2})


@pytest.mark.parametrize(
    ("before", "after"),
    [("--attribute", "--public-attribute"), ("--public-attribute", "--attribute")],
    ids=["to public", "to private"],
)
def test_an_attribute_given_anew_changes_its_kind(cli, registered, before, after):
    update(cli, before, "tier=gold")

    changed = update(cli, after, "tier=silver")

    kinds = {"--attribute": changed["attributes"], "--public-attribute": changed["public_attributes"]}
    assert (kinds[before], kinds[after]) == ({}, {"tier": "silver"})


def test_no_attributes_leaves_only_public_ones_given_with_it(cli, registered):
    update(cli, "--attribute", "a=1", "--public-attribute", "b=2")

    changed = update(cli, "--no-attributes", "--public-attribute", "c=3")

    assert (changed["attributes"], changed["public_attributes"]) == ({}, {"c": 3})


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([], id="nothing"),
        pytest.param(["--lifetime", "5", "--no-lifetime"], id="lifetime"),
        pytest.param(["--default-scope", "read", "--no-default-scope"], id="default scope"),
        pytest.param(["--attribute", "a=1", "--no-attributes"], id="attributes"),
        pytest.param(["--audience", API, "--no-audience"], id="audience"),
        pytest.param(["--default-audience", API, "--no-default-audience"], id="default audience"),
        pytest.param(["--token-format", "jwt", "--no-token-format"], id="token format"),
        pytest.param(["--token-format", "JWT"], id="no token format"),
        pytest.param(["--lifetime", "long"], id="no number"),
    ],
)
def test_an_update_that_says_nothing_or_two_things_is_wrong_usage(cli, registered, words):
    assert cli("client", "update", "tester", *words).exit_code == 2


def test_less_scope_must_hold_the_default_scope(cli, registered):
    update(cli, "--default-scope", "write")

    assert cli("client", "update", "tester", "--scope", "read").exit_code == 1


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


def test_list_tells_that_a_client_is_disabled(cli, registered):
    cli("client", "disable", "tester")

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


@pytest.mark.parametrize(("word", "enabled"), [("disable", False), ("enable", True)])
def test_the_new_state_is_told_to_scripts(cli, registered, word, enabled):
    answer = cli("client", word, "tester", "--json")

    assert json.loads(answer.stdout) == {"client_id": "tester", "enabled": enabled}
