"""One SQLite store and several processes."""

from __future__ import annotations

import pytest

from helpers.builders import HOUR, issued, log_of, registered
from helpers.processes import WITHOUT_FCNTL
from helpers.support import HandClock, or_none
from oauth_mw.tokens.cache import POLL_SECONDS, TokenCache
from oauth_mw.tokens.opaque import OpaqueTokens


@pytest.fixture(params=["as it is", pytest.param("without fcntl", marks=pytest.mark.slow)])
def worker(start, request):
    """Call it with code to start a worker."""
    return start.fork if request.param == "as it is" else lambda code: start(code, WITHOUT_FCNTL)


# A worker whose clock for polls stands still, so that it has only the generation to learn from.
WORKER = """
import time
from oauth_mw.errors import TokenRefused
from oauth_mw.tokens.opaque import OpaqueTokens
from oauth_mw.tokens.cache import TokenCache
tokens = OpaqueTokens(store, time.time, "")
verified = TokenCache(tokens.read, store, size=10, lag=1, grace=0, timeout=5, monotonic=lambda: 0.0)

def accepts(text):
    try:
        return verified.find("Bearer " + text, text)
    except TokenRefused:
        return None

def do(verb, argument=""):
    if verb == "issue":
        return tokens.issue(store.find_client(argument), ("read",), 3600).text
    if verb == "accept":
        return accepts(argument) is not None
    if verb == "revoke":
        return tokens.revoke(tokens.read(argument))
    return end_client(store, argument, disable=verb == "disable", delete=verb == "delete")

for line in sys.stdin:
    print(do(*line.split()), flush=True)
"""


@pytest.fixture(autouse=True)
def other(store):
    store.add_client(registered("other"))


def test_every_revocation_is_seen_by_the_next_request_of_every_worker(worker):
    workers = [worker(WORKER) for _ in range(3)]
    ways = ["revoke", "end", "disable", "delete"]

    stale = []
    for turn, way in enumerate(ways):
        text, kept = (workers[turn % 3].answers(f"issue {client}") for client in ("tester", "other"))
        assert [each.answers(f"accept {token}") for each in workers for token in (text, kept)] == ["True"] * 6
        assert workers[turn % 2].answers(f"{way} {text if way == 'revoke' else 'tester'}") == "True"
        stale += [each.answers(f"accept {text}") for each in workers]
        assert [each.answers(f"accept {kept}") for each in workers] == ["True"] * 3
        if way == "disable":
            worker("from dataclasses import replace\n" + ENABLE).ends()

    assert stale == ["False"] * 3 * len(ways)


ENABLE = "store.update_client('tester', lambda client: replace(client, enabled=True))"


def test_a_revoker_that_is_killed_before_it_changes_the_counter_is_noticed_by_the_next_poll(store, start):
    pytest.importorskip("fcntl")
    clock, monotonic = HandClock(), HandClock()
    tokens = OpaqueTokens(store, clock, "")
    verified = TokenCache(tokens.read, store, size=10, lag=1, grace=0, timeout=5, monotonic=monotonic)
    text = tokens.issue(store.find_client("tester"), (), HOUR).text
    token = verified.find(text, text)

    revoker = start.fork(
        "from oauth_mw.stores.sql.sqlite.change_counter import CounterFile\n"
        "CounterFile.bump = lambda self: os._exit(9)\n" + END
    )
    assert revoker.ends() == 9
    assert verified.find(text, "") == token  # no worker has noticed

    monotonic.move(POLL_SECONDS)
    assert or_none(verified.find, text, "") is None


END = "end_client(store, 'tester')"


def test_a_revoker_that_is_killed_before_its_commit_has_revoked_nothing(store, start):
    key, before = issued(store, expires_at=2**32 - 1), log_of(store)

    revoker = start.fork("store._log.append = lambda *_: os._exit(9)\n" + END)

    assert revoker.ends() == 9
    assert (store.find_token(key).revoked, log_of(store)) == (False, before)
    assert store.revoke_token(key)


RACE = """
keys = [bytes.fromhex(each) for each in sys.stdin.readline().split()]
print(sum(map(store.revoke_token, keys)), flush=True)
"""


def test_of_all_processes_that_revoke_a_token_one_wins(store, worker):
    keys = [issued(store, number=number).hex() for number in range(20)]
    page = log_of(store)
    revokers = [worker(RACE) for _ in range(2)]
    for revoker in revokers:
        revoker.hears(" ".join(keys))

    assert sum(int(revoker.says()) for revoker in revokers) == len(keys)
    assert len(store.read_log(page.store_id, page.position).events) == len(keys)
