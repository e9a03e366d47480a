"""The store's files are removed, put back, or exchanged for others while a server runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hosting import Server, prepare_store, store_in
from load import cached_everywhere, using, wait_until
from wire import GRANT, ask, basic, bearer, issue, revoke

pytestmark = pytest.mark.slow

PREFORKING = ["gunicorn", "gunicorn-preload", "uwsgi"]
NOTICED_SECONDS = 3.0  # promised: about one, and this machine may be busy


def remove_store(folder: Path) -> None:
    """Move the files of the store into a folder aside, the database first."""
    aside = folder / "aside"
    aside.mkdir(exist_ok=True)
    for file in sorted(folder.glob("oauth.db*")):
        file.rename(aside / file.name)


def put_store_back(folder: Path) -> None:
    """The database comes last: whoever finds it finds all of it."""
    for file in sorted(folder.glob("aside/oauth.db*"), reverse=True):
        file.rename(folder / file.name)


@pytest.mark.parametrize("name", PREFORKING)
def test_removed_store_is_503_and_all_is_well_when_it_is_back(start: Callable[..., Server], name: str) -> None:
    server = start(name)
    token = issue(server)
    with using(server, token) as load:
        workers = cached_everywhere(server, load)
        remove_store(server.folder)
        removed = time.monotonic()
        assert ask(server, "POST", "/oauth/token", basic(), GRANT).status == 503
        wait_until(lambda: load.processes(503, removed) >= workers, NOTICED_SECONDS)
        noticed = time.monotonic()
        assert ask(server, "GET", "/whoami", bearer(token)).headers["Retry-After"] == "1"
        put_store_back(server.folder)
        back = time.monotonic()
        wait_until(lambda: load.processes(200, back) >= workers, NOTICED_SECONDS)
    between = [record.status for record in load.since(noticed) if record.ended < back]
    assert set(between) <= {503}
    assert ask(server, "GET", "/whoami", bearer(issue(server))).status == 200


@pytest.mark.parametrize("name", PREFORKING)
def test_revocation_into_a_removed_store_is_not_acknowledged(start: Callable[..., Server], name: str) -> None:
    server = start(name)
    token = issue(server)
    remove_store(server.folder)
    assert revoke(server, token).status == 503
    put_store_back(server.folder)
    wait_until(lambda: ask(server, "GET", "/whoami", bearer(token)).status == 200, NOTICED_SECONDS)
    assert revoke(server, token).status == 200
    assert ask(server, "GET", "/whoami", bearer(token)).status == 401


def test_tokens_of_a_store_that_was_exchanged_are_refused(start: Callable[..., Server]) -> None:
    server = start("gunicorn")
    token = issue(server)
    with using(server, token) as load:
        workers = cached_everywhere(server, load)
        remove_store(server.folder)
        prepare_store(store_in(server.folder))
        exchanged = time.monotonic()
        wait_until(lambda: load.processes(401, exchanged) >= workers, NOTICED_SECONDS)
    assert ask(server, "GET", "/whoami", bearer(issue(server))).status == 200


def test_server_that_is_started_again_makes_a_new_store(start: Callable[..., Server]) -> None:
    server = start("gunicorn-preload")
    token = issue(server)
    server.stop()
    remove_store(server.folder)
    again = start("gunicorn-preload")
    assert ask(again, "GET", "/whoami", bearer(token)).status == 401
    assert ask(again, "GET", "/whoami", bearer(issue(again))).status == 200


def test_tokens_and_revocations_survive_the_servers_end(start: Callable[..., Server]) -> None:
    server = start("gunicorn-preload")
    ended, live = issue(server), issue(server)
    revoke(server, ended)
    server.stop()
    again = start("gunicorn-preload")
    assert [ask(again, "GET", "/whoami", bearer(token)).status for token in (ended, live)] == [401, 200]
