"""A copy that is killed, kill -9, and made again."""

from __future__ import annotations

import pytest

from helpers.builders import issued, registered
from helpers.copying import accepted, changed, contents, each_pair, filled
from helpers.processes import Processes
from oauth_mw import admin, open_store

pytestmark = pytest.mark.slow

TOKENS = 2500

COPY = """
from oauth_mw import admin
target = open_store({!r}, create=True)


def progress(count):
    print(count, flush=True)
    sys.stdin.readline()


admin.copy_store(store, target, progress=progress)
"""


@each_pair
def test_a_killed_copy_accepts_nothing_more_and_goes_on(kinds, place, clock):
    urls = [place(kind) for kind in kinds]
    source = open_store(urls[0], create=True, clock=clock)
    keys = changed(source, filled(source))
    source.add_client(registered("crowd"))
    keys += [issued(source, "crowd", 10_000 + number) for number in range(TOKENS)]
    with Processes(urls[0]) as processes:
        copying = processes(COPY.format(urls[1]))
        copied = int(copying.says())
        copying.hears()  # and works on, until the signal comes
        copying.kill()
    target = open_store(urls[1])
    here = accepted(target, keys)
    assert here <= accepted(source, keys)
    assert 0 < len(here) < TOKENS

    again = admin.copy_store(source, target)

    assert again.tokens.present >= copied
    assert contents(target) == contents(source)
    assert not admin.copy_store(source, target).changed
    source.close()
    target.close()
