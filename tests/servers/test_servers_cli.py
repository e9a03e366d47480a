"""What an operator ends on the command line is refused by every worker, under load."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from hosting import SECRETS, Server
from load import cached_everywhere, issuing, using, wait_until
from wire import issue

from oauth_mw import admin, open_store

pytestmark = pytest.mark.slow


def secret_id(server: Server) -> str:
    store = open_store(server.store_url)
    client = admin.get_client(store, "alpha")
    store.close()
    return client.secrets[0].secret_id


COMMANDS: dict[str, Callable[[Server], list[str]]] = {
    "token revoke": lambda server: ["token", "revoke"],
    "token revoke-all": lambda server: ["token", "revoke-all", "alpha"],
    "client disable": lambda server: ["client", "disable", "alpha"],
    "client delete": lambda server: ["client", "delete", "alpha", "--yes"],
    "secret revoke": lambda server: ["secret", "revoke", "alpha", secret_id(server), "--and-tokens"],
}


def on_servers() -> Iterator[object]:
    """Every command on both servers; half of that in runs by hand alone."""
    for number, (words, command) in enumerate(COMMANDS.items()):
        for turn, name in enumerate(["gunicorn", "uwsgi"]):
            yield pytest.param(name, command, id=f"{name}-{words}", marks=[pytest.mark.long] * (number % 2 != turn))


def oauth_mw(server: Server, arguments: list[str], text: str) -> str:
    command = [sys.executable, "-m", "oauth_mw", "--store", server.store_url, *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(("name", "command"), [*on_servers()])
def test_what_a_command_ended_is_refused_by_every_worker_at_once(
    start: Callable[..., Server], name: str, command: Callable[[Server], list[str]]
) -> None:
    server = start(name)
    token = issue(server)
    arguments = command(server)
    with using(server, token) as load, issuing(server, "beta") as issues:
        workers = cached_everywhere(server, load)
        output = oauth_mw(server, arguments, token if arguments == ["token", "revoke"] else "")
        ended = time.monotonic()
        wait_until(lambda: load.processes(401, ended) >= workers)
    assert load.statuses(ended) == {401}
    assert load.statuses() == {200, 401} and issues.statuses() == {200}
    assert token not in output and SECRETS["alpha"] not in output
