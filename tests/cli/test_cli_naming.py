"""A client is given by its id or its name, a secret by its id or its label."""

from __future__ import annotations

import pytest

from helpers.support import bearer
from oauth_mw import admin

NAME = "Отчёт 夜"


@pytest.fixture
def job(opened):
    """The id of a client with a name and a secret that has a label."""
    made = admin.add_client(opened, NAME)
    admin.add_secret(opened, made.client.client_id, label="spare")
    return made.client.client_id


COMMANDS = ["client show", "client update --name x", "client disable", "client enable", "client delete --yes"]
COMMANDS += ["secret add", "token revoke-all"]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_client_is_found_by_its_name(printed, job, words):
    group, command, *options = words.split()

    assert printed(group, command, NAME, *options)["client_id"] == job


def test_the_secrets_of_a_client_are_listed_by_its_name(printed, job):
    assert {each["label"] for each in printed("secret", "list", NAME)} == {"", "spare"}


def test_an_id_is_taken_before_a_name(printed, opened, registered):
    admin.add_client(opened, "tester", client_id="other")

    assert printed("client", "show", "tester")["name"] == "tester"
    assert printed("client", "show", "tester")["client_id"] == "tester"


@pytest.mark.parametrize("words", COMMANDS)
def test_a_name_that_two_clients_have_is_refused_with_both_ids(cli, opened, words):
    group, command, *options = words.split()
    for client_id in ("first", "second"):
        admin.add_client(opened, "twice", client_id=client_id)

    answer = cli(group, command, "twice", *options)

    says = "Error: 2 clients have the name 'twice': give the id of one, such as first or second\n"
    assert (answer.exit_code, answer.stderr) == (1, says)


@pytest.mark.parametrize("name", ["nobody", "Niemand ü", ""])
def test_a_name_that_no_client_has_is_not_found(cli, opened, name):
    admin.add_client(opened, "", client_id="unnamed")

    answer = cli("client", "show", name)

    assert (answer.exit_code, f"there is no client {name!r}" in answer.stderr) == (3, True)


def test_an_unknown_client_names_the_command_that_lists_them(cli, registered):
    assert cli("client", "show", "x").stderr == "Error: there is no client 'x': see `client list`\n"


def test_a_secret_is_revoked_by_its_label_and_no_other(printed, job, opened):
    (spare,) = (each.secret_id for each in admin.get_client(opened, job).secrets if each.label)

    revoked = printed("secret", "revoke", NAME, "spare")

    assert (revoked["client_id"], revoked["secret_id"]) == (job, spare)
    assert [each.label for each in admin.get_client(opened, job).secrets] == [""]


def test_a_label_that_two_secrets_have_is_refused(cli, job, opened):
    admin.add_secret(opened, job, label="spare")

    answer = cli("secret", "revoke", job, "spare")

    assert (answer.exit_code, "2 secrets have the label 'spare'" in answer.stderr) == (1, True)
    assert len(admin.get_client(opened, job).secrets) == 3


@pytest.mark.parametrize("label", ["", "other"])
def test_a_label_that_no_secret_has_is_not_found(cli, job, opened, label):
    assert cli("secret", "revoke", job, label).exit_code == 3
    assert len(admin.get_client(opened, job).secrets) == 2


def test_a_token_that_is_given_by_mistake_is_not_shown(cli, token, app):
    answer = cli("token", "revoke-all", token)

    assert (answer.exit_code, token in answer.output) == (3, False)
    app.get("/any", headers=bearer(token), status=200)
