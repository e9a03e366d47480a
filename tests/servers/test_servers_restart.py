"""Workers that start anew while the store is away: the server goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hosting import HERE, KINDS, OPTIONS, Server, free_port
from links import family
from load import wait_until
from wire import GRANT, ask, basic, bearer, issue

pytestmark = pytest.mark.slow

PREFORKING = ["gunicorn", pytest.param("gunicorn-preload", marks=pytest.mark.long)]


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


def put_a_folder_in_its_place(path: Path) -> Callable[[], object]:
    aside = path.rename(path.with_name("aside.db"))
    path.mkdir()
    return lambda: (path.rmdir(), aside.rename(path))


def put_a_file_in_the_folders_place(path: Path) -> Callable[[], object]:
    aside = path.parent.rename(path.parent.with_name("aside"))
    path.parent.touch()
    return lambda: (path.parent.unlink(), aside.rename(path.parent))


def workers_of(server: Server) -> set[int]:
    return family(server.process.pid) - {server.process.pid}


def kill_all(server: Server) -> None:
    """Kill the workers, and wait until others answer."""
    before = workers_of(server)
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    wait_until(lambda: len(workers_of(server) - before) >= server.kind.processes)
    wait_until(lambda: server.process.poll() is not None or server.is_ready())


BREAKS = [
    move_folder_away,
    overwrite_header,
    pytest.param(put_a_folder_in_its_place, marks=pytest.mark.long),
    pytest.param(put_a_file_in_the_folders_place, marks=pytest.mark.long),
]


@pytest.mark.parametrize("name", PREFORKING)
@pytest.mark.parametrize("break_it", BREAKS)
def test_workers_that_start_while_the_store_is_away_serve_once_it_is_back(
    start: Callable[..., Server], tmp_path: Path, name: str, break_it: Callable[[Path], Callable[[], object]]
) -> None:
    path = tmp_path / "data" / "oauth.db"
    path.parent.mkdir()
    server = start(name, store=f"sqlite:///{path}")
    token = issue(server)
    server.confidential.add(token)

    mend = break_it(path)
    kill_all(server)

    assert ask(server, "GET", "/health").status == 200
    assert ask(server, "GET", "/whoami", bearer(token)).status == 503
    assert ask(server, "POST", "/oauth/token", basic(), GRANT).status == 503
    assert server.process.poll() is None

    mend()
    wait_until(lambda: ask(server, "GET", "/whoami", bearer(token)).status == 200)
    assert ask(server, "POST", "/oauth/token", basic(), GRANT).status == 200


def test_a_first_start_with_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    options = {**OPTIONS, "store": f"sqlite:///{tmp_path}/tpyo/oauth.db"}
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ["PYTHONPATH"]]),
        "GUARDED_APP_OPTIONS": json.dumps(options),
    }
    command = KINDS["gunicorn"].command(free_port())

    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert done.returncode != 0
    assert f"store: the folder {tmp_path}/tpyo does not exist" in done.stderr
