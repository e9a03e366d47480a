"""Signing keys follow each other in several processes, on clocks that the test moves."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from helpers.processes import Processes
from oauth_mw import open_store
from oauth_mw.keys import REFRESH_SECONDS

pytestmark = pytest.mark.slow

LEAD, LIFETIME = 300, 3600
TURNS = 4
# Each has several rings, as if it were as many workers. It prints which keys sign, and which of the given ones it does
# not find.
WORKER = f"""
from threading import Thread
from oauth_mw.keys.ring import KeyRing

now = 0.0
options = {{"algorithm": "ES256", "lifetime": {LIFETIME}, "lead": {LEAD}, "secret": None}}
rings = [KeyRing(store, lambda: now, lambda: now, **options) for _ in range(4)]

def sign(ring):
    kids.append(ring.signing(int(now) + 60).kid)

print("ready", flush=True)
for line in sys.stdin:
    kids, (seconds, *told) = [], line.split()
    now = float(seconds)
    threads = [Thread(target=sign, args=(ring,)) for ring in rings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    missing = [kid for kid in told if any(ring.find(kid) is None for ring in rings)]
    print(*kids, "|", *missing, flush=True)
"""


@pytest.mark.parametrize(
    "store_kind", ["sqlite", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("postgresql", "redis"))]
)
def test_each_turn_makes_exactly_one_key_and_every_worker_finds_all_keys(store_kind, store_url):
    used, counts = [], []
    begun = time.time()
    with closing(open_store(store_url, create=True)) as store, Processes(store_url) as start:
        workers = [start(WORKER) for _ in range(4)]
        assert {worker.says() for worker in workers} == {"ready"}
        for turn in range(TURNS):
            for seconds in (0, LIFETIME - LEAD - 1, LIFETIME - LEAD, LIFETIME - 1):
                now = begun + turn * LIFETIME + seconds + REFRESH_SECONDS
                told = " ".join({kid for kids in used for kid in kids})
                for worker in workers:
                    worker.hears(f"{now} {told}")
                said = [worker.says().partition("|") for worker in workers]
                used.append({kid for kids, _, _ in said for kid in kids.split()})
                counts.append(len(store.read_keys().keys))
                assert [missing.strip() for _, _, missing in said] == [""] * len(workers)

    # The next key of each turn is made in its third step, and signs from the next turn on.
    assert counts == [turn + 1 + (step >= 2) for turn in range(TURNS) for step in range(4)]
    assert [len(kids) for kids in used] == [1] * len(used)
    assert [used[4 * turn] == used[4 * turn + 3] for turn in range(TURNS)] == [True] * TURNS
    assert len(set().union(*used)) == TURNS
