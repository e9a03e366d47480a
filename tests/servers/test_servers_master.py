"""A master process that loads the app and forks takes no part in its work."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hosting import Server
from links import family, open_files
from load import cached_everywhere, issuing, using
from wire import issue

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="shows nobody what is open"),
]


@pytest.mark.parametrize("name", ["gunicorn-preload", "uwsgi"])
def test_the_master_holds_nothing_of_the_store_open(start: Callable[..., Server], name: str) -> None:
    server = start(name)
    with using(server, issue(server)) as load, issuing(server, "beta", threads=2):
        workers = cached_everywhere(server, load)
    processes = family(server.process.pid)
    holders = {each for each in processes if any("oauth.db" in name for name in open_files(each))}

    assert holders == workers and server.process.pid in processes - workers
