"""A copy that is killed, kill -9, and made again."""

from __future__ import annotations

import pytest

from helpers.builders import issued, registered
from helpers.copying import SLOW, accepted, changed, contents, filled, new_places, pairs
from helpers.processes import Processes
from oauth_mw import admin, open_store

pytestmark = pytest.mark.slow

PAIRS = [("sqlite", "postgresql"), ("postgresql", "redis"), ("redis", "sqlite")]
TOKENS = 2500

COPY = """
from oauth_mw import admin
target = open_store({!r}, create=True)


def told(count):
    print(count, flush=True)
    sys.stdin.readline()


admin.copy_store(store, target, told=told)
"""


@pytest.mark.parametrize("pair", pairs(PAIRS, SLOW))
def test_a_killed_copy_accepts_nothing_more_and_goes_on(request, tmp_path, pair, clock):
    with new_places(request, tmp_path) as place:
        urls = [place(kind) for kind in pair]
        drawn, source = open_store("memory://", clock=clock), open_store(urls[0], create=True)
        keys = changed(drawn, filled(drawn))
        drawn.add_client(registered("crowd"))
        keys += [issued(drawn, "crowd", 10_000 + number) for number in range(TOKENS)]
        admin.copy_store(drawn, source, clock=clock)
        with Processes(urls[0]) as processes:
            copying = processes(COPY.format(urls[1]))
            moved = int(copying.says())
            copying.hears()  # and works on, until the signal comes
            copying.kill()
        target = open_store(urls[1])
        here = accepted(target, keys)
        assert here <= accepted(source, keys)
        assert 0 < len(here) < TOKENS

        copied = admin.copy_store(source, target)

        assert copied.tokens.there >= moved
        assert contents(target) == contents(source)
        assert not admin.copy_store(source, target).changed
        source.close()
        target.close()
