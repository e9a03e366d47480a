"""Workers that are killed or paused under load, and files of the store that are moved while a server runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from hosting import Server, forking, open_files, prepare_store, running
from load import cached_everywhere, check_killed_workers, issuing, using
from wire import GRANT, Wire, ask, basic, bearer, issue, revoke

from helpers.engines_base import wait_until
from oauth_mw import admin, open_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="does not show which process has what open"),
]


@contextmanager
def paused(processes: set[int]) -> Iterator[None]:
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@forking
def test_service_goes_on_when_workers_are_killed(server):
    check_killed_workers(server, 0)


@forking
@pytest.mark.parametrize("turn", range(3))
def test_paused_worker_refuses_what_ended_meanwhile(server, turn):
    token = issue(server)
    with using(server, token) as load:
        awake = cached_everywhere(server, load)
        victim = {awake.pop()}
        with paused(victim):
            assert revoke(server, token).status == 200
            ended = time.monotonic()
            wait_until(lambda: load.processes(401, ended) >= awake, "refusals")
        wait_until(lambda: load.processes(401, ended) >= victim, "the paused one")
    assert load.statuses(ended) == {401}


@pytest.mark.parametrize("server", ["gunicorn-preload"], indirect=True)
def test_request_that_waited_in_every_paused_worker_is_refused(server):
    token = issue(server)
    with using(server, token) as load:
        workers = cached_everywhere(server, load)
    with ExitStack() as stack:
        connections = [stack.enter_context(Wire(server)) for _ in workers]
        for connection in connections:
            connection.send(b"GET /whoami HTTP/1.1\r\nHost: localhost\r\n")
        wait_until(lambda: not server.is_ready(), "each worker to hold one of them")
        with paused(workers):
            with closing(open_store(server.store_url)) as store:
                admin.revoke_all_tokens(store, "alpha")
            for connection in connections:
                connection.send(f"Authorization: {bearer(token)['Authorization']}\r\n\r\n".encode())
        answers = [connection.answer() for connection in connections]
    assert {answer.process: answer.status for answer in answers if answer} == dict.fromkeys(workers, 401)


@forking
def test_a_master_that_loads_the_app_and_forks_holds_nothing_of_the_store_open(server):
    with using(server, issue(server)) as load, issuing(server, "beta", threads=2):
        workers = cached_everywhere(server, load)
    processes = {*server.workers(), server.process.pid}
    holders = {each for each in processes if any("oauth.db" in name for name in open_files(each))}

    assert holders == workers and server.process.pid not in workers


# Files that are moved


@contextmanager
def removed(server: Server) -> Iterator[None]:
    """Meanwhile the files of the store lie in a folder aside. The database goes first, and comes back last."""
    files = sorted(server.folder.glob("oauth.db*"))
    aside = server.folder / "aside"
    aside.mkdir(exist_ok=True)
    for file in files:
        file.rename(aside / file.name)
    try:
        yield
    finally:
        for file in sorted(server.folder.glob("oauth.db*")):
            file.unlink()
        for file in reversed(files):
            (aside / file.name).rename(file)


@forking
def test_without_its_store_a_server_answers_503_and_acknowledges_no_revocation(server):
    token = issue(server)
    with using(server, token) as load:
        workers = cached_everywhere(server, load)
        with removed(server):
            gone = time.monotonic()
            refused = [ask(server, "POST", "/oauth/token", basic(), GRANT), revoke(server, token)]
            wait_until(lambda: load.processes(503, gone) >= workers, "every worker to notice")
            noticed = time.monotonic()
            wait_until(lambda: len(load.since(noticed)) > 20, "requests")
            until = time.monotonic()
        wait_until(lambda: load.processes(200, until) >= workers, "every worker to serve again")
    between = {record.status for record in load.since(noticed) if record.ended < until}
    assert between == {503}
    assert [(answer.status, answer.headers["Retry-After"]) for answer in refused] == [(503, "1")] * 2
    assert revoke(server, token).status == 200
    assert ask(server, "GET", "/whoami", bearer(token)).status == 401


@forking
def test_tokens_of_a_store_that_was_exchanged_are_refused(server):
    token = issue(server)
    with using(server, token) as load:
        workers = cached_everywhere(server, load)
        with removed(server):
            prepare_store(server.store_url)
            exchanged = time.monotonic()
            wait_until(lambda: load.processes(401, exchanged) >= workers, "refusals")
            assert ask(server, "GET", "/whoami", bearer(issue(server))).status == 200
        back = time.monotonic()
        wait_until(lambda: load.processes(200, back) >= workers, "every worker to see the old one")


def test_a_server_that_is_started_again_has_tokens_and_revocations_or_makes_a_new_store(start):
    server = start("gunicorn-preload")
    ended, live = issue(server), issue(server)
    revoke(server, ended)
    server.stop()
    again = start("gunicorn-preload")
    assert [ask(again, "GET", "/whoami", bearer(token)).status for token in (ended, live)] == [401, 200]

    again.stop()
    with removed(again):
        other = start("gunicorn-preload")
        assert [ask(other, "GET", "/whoami", bearer(token)).status for token in (live, issue(other))] == [401, 200]


# Workers that start while the store is away


def move_folder_away(path: Path) -> Callable[[], object]:
    aside = path.parent.rename(path.parent.with_name("aside"))
    return lambda: aside.rename(path.parent)


def overwrite_header(path: Path) -> Callable[[], object]:
    header = path.read_bytes()[:100]
    overwrite(path, b"\xa5" * len(header))
    return lambda: overwrite(path, header)


def overwrite(path: Path, header: bytes) -> None:
    with path.open("r+b") as file:
        file.write(header)


@pytest.fixture(scope="module")
def loading(tmp_path_factory):
    """A server whose workers load the app by themselves, with the store in a folder ``data`` of its own."""
    folder = tmp_path_factory.mktemp("gunicorn")
    (folder / "data").mkdir()
    with running("gunicorn", folder, store=f"sqlite:///{folder}/data/oauth.db") as server:
        yield server


@pytest.mark.parametrize("break_it", [move_folder_away, overwrite_header])
def test_workers_that_start_while_the_store_is_away_serve_once_it_is_back(loading, break_it):
    token, before = issue(loading), loading.workers()

    mend = break_it(loading.folder / "data" / "oauth.db")
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    wait_until(lambda: len(loading.workers() - before) >= loading.kind.processes, "other workers")
    wait_until(lambda: loading.process.poll() is not None or loading.is_ready(), "an answer")

    statuses = [ask(loading, "GET", path, bearer(token)).status for path in ("/health", "/whoami")]
    assert [*statuses, ask(loading, "POST", "/oauth/token", basic(), GRANT).status] == [200, 503, 503]
    assert loading.process.poll() is None

    mend()
    wait_until(lambda: ask(loading, "GET", "/whoami", bearer(token)).status == 200, "recovery")
    assert ask(loading, "POST", "/oauth/token", basic(), GRANT).status == 200
