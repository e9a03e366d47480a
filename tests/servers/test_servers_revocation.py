"""Revoked means revoked: seen by the next request in every worker process, under load."""

from __future__ import annotations

import time
from contextlib import closing

import pytest
from click.testing import CliRunner
from hosting import Server, forking
from load import check_ended_within, issuing, new_client
from wire import ask, bearer, issue, revoke

from helpers.engines_base import wait_until
from oauth_mw import admin, open_store
from oauth_mw.cli import main

ROUNDS = 10
EVENTS = [(event, 1) for event in ("revoke", "revoke-all", "disable", "delete")]


@pytest.mark.parametrize(("event", "rounds"), [*EVENTS, pytest.param("revoke", ROUNDS, marks=pytest.mark.slow)])
def test_ended_token_is_refused_by_every_worker_at_once_each_time(server, event, rounds):
    for _ in range(rounds):
        check_ended_within(server, event, 0)


def secret_id(server: Server, client_id: str) -> str:
    with closing(open_store(server.store_url)) as store:
        return admin.get_client(store, client_id).secrets[0].secret_id


COMMANDS = {
    "token revoke": lambda server, client_id: ["token", "revoke"],
    "token revoke-all": lambda server, client_id: ["token", "revoke-all", client_id],
    "client disable": lambda server, client_id: ["client", "disable", client_id],
    "client delete": lambda server, client_id: ["client", "delete", client_id, "--yes"],
    "secret revoke": lambda server, client_id: [
        *("secret", "revoke", client_id, secret_id(server, client_id), "--and-tokens", "--force")
    ],
}


@forking
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_what_a_command_ended_is_refused_by_every_worker_at_once(server, command):
    def run(client_id: str, token: str) -> None:
        words = ["--store", server.store_url, *command(server, client_id)]
        done = CliRunner().invoke(main, words, input=token)
        assert done.exit_code == 0, done.output
        assert not [each for each in (token, *server.confidential) if each in done.output]

    check_ended_within(server, run, 0)


def test_end_of_all_tokens_parts_those_issued_before_from_those_after(server):
    client = new_client(server)
    with issuing(server, *client, threads=3) as issues, closing(open_store(server.store_url)) as store:
        wait_until(lambda: len(issues.records) > 20, "tokens")
        begun = time.monotonic()
        admin.revoke_all_tokens(store, client[0])
        ended = time.monotonic()
        wait_until(lambda: len(issues.since(ended)) > 20, "tokens")
    assert issues.statuses() == {200}
    before = [record.token for record in issues.records if record.ended < begun]
    after = [record.token for record in issues.since(ended)]
    assert {ask(server, "GET", "/whoami", bearer(token)).status for token in before} == {401}
    assert {ask(server, "GET", "/whoami", bearer(token)).status for token in after} == {200}


def test_revocation_of_one_token_leaves_the_others(server):
    tokens = [issue(server, client_id) for client_id in ("alpha", "alpha", "beta")]
    revoke(server, tokens[0])
    assert [ask(server, "GET", "/whoami", bearer(token)).status for token in tokens] == [401, 200, 200]
