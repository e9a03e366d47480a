"""Metrics of several workers, which prometheus-client's multiprocess mode adds up."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hosting import Server
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from wire import ask, bearer, issue

from helpers.engines_base import wait_until
from helpers.scraping import Samples, samples

pytestmark = pytest.mark.slow

ACCEPTED, PUBLIC, HITS, MISSES = (
    ("oauth_mw_checks_total", "accepted"),
    ("oauth_mw_checks_total", "public"),
    ("oauth_mw_cache_hits_total",),
    ("oauth_mw_cache_misses_total",),
)
TOKENS, SIZE, BEHIND = ("oauth_mw_cache_tokens",), ("oauth_mw_cache_size",), ("oauth_mw_revocation_log_behind_seconds",)
ISSUED, ADDED = ("oauth_mw_tokens_issued_total", "opaque"), ("oauth_mw_store_seconds_count", "add_token")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "metrics"
    folder.mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    return folder


@pytest.fixture
def server(start, folder):
    return start("gunicorn-metrics", metrics_path="/metrics", public_paths=["/metrics", "/health"])


def scrape(server: Server) -> Samples:
    answer = ask(server, "GET", "/metrics")
    assert answer.status == 200
    return samples(answer.body.decode())


def used(server: Server, token: str, wanted: Callable[[list[int]], bool]) -> list[int]:
    """The workers that answered requests with a token, one for each, until these are the ``wanted``."""
    workers: list[int] = []

    def is_enough() -> bool:
        answer = ask(server, "GET", "/any", bearer(token))
        assert answer.status == 200
        workers.append(answer.process)
        return wanted(workers)

    wait_until(is_enough, "workers")
    return workers


def counted(server: Server, count: int) -> Samples:
    """A scrape that shows this many accepted requests; a worker copies its counts once a second."""
    found: list[Samples] = []

    def is_counted() -> bool:
        found.append(scrape(server))
        return found[-1][ACCEPTED] >= count

    wait_until(is_counted, "the counts")
    return found[-1]


def test_every_scrape_shows_the_counts_of_all_workers(server):
    token = issue(server)
    workers = used(server, token, lambda found: len(set(found)) == 2)

    found = counted(server, len(workers))

    assert (found[ACCEPTED], found[MISSES], found[HITS]) == (len(workers), 2, len(workers) - 2)
    assert (found[ISSUED], found[ADDED]) == (1, 1)
    assert (found[TOKENS], found[SIZE]) == (2, 20_000)
    assert 0 <= found[BEHIND] < 5 and found["oauth_mw_store_up",] == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["ended", "killed"])
def test_a_worker_that_is_replaced_leaves_its_counts_and_takes_its_gauges(server, number):
    token = issue(server)
    workers = used(server, token, lambda found: len(set(found)) == 2)
    if number == signal.SIGKILL:
        counted(server, len(workers))

    os.kill(workers[-1], number)  # ended, it copies what it has counted since the last time
    more = used(server, token, lambda found: len(set(found)) == 2 and workers[-1] not in found[-2:])

    found = counted(server, len(workers) + len(more))
    assert (found[ACCEPTED], found[MISSES]) == (len(workers) + len(more), 3)
    assert (found[TOKENS], found[SIZE]) == (2, 20_000)


def test_the_counts_of_an_earlier_run_are_removed_at_the_start(server, start):
    token = issue(server)
    counted(server, len(used(server, token, lambda found: len(found) == 5)))
    server.stop()

    again = start("gunicorn-metrics", metrics_path="/metrics", public_paths=["/metrics", "/health"])

    assert scrape(again)[ACCEPTED] == 0


def copied(folder: Path, name: tuple[str, ...]) -> float:
    """A count in the files of all workers. A scrape would have the worker that answers it copy its counts."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    try:
        return samples(generate_latest(registry).decode()).get(name, 0)
    except (struct.error, ValueError):  # of a file that a worker is just making
        return 0


def test_public_requests_are_copied_although_nothing_else_is_asked(server, folder):
    for _ in range(20):
        assert ask(server, "GET", "/health").status == 200

    # The first answer of the server, which showed that it is ready, is one more.
    wait_until(lambda: copied(folder, PUBLIC) > 20, "the counts")


@pytest.fixture
def full(folder):
    """The folder on a file system of its own in memory, without room."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "oauth_mw", folder], check=False).returncode:
        pytest.skip("only root can mount")
    try:
        with suppress(OSError), open(folder / "filling", "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux mounts")
def test_a_full_folder_ends_no_worker(full, start):
    server = start("gunicorn-metrics", metrics_path="/metrics", public_paths=["/metrics", "/health"])
    token = issue(server)
    workers = used(server, token, lambda found: len(set(found)) == 2)

    wait_until(lambda: server.output().count("fewer than 4 MB are free") == 2, "a line of each worker")
    (full / "filling").unlink()

    assert counted(server, len(workers))[ACCEPTED] == len(workers)
    assert server.workers() == set(workers)
