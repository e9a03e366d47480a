"""A fail-over to a replica that lacks the end of the log. See also tests/outages/test_outages_failover.py."""

from __future__ import annotations

from contextlib import closing

import pytest

from helpers.builders import log_of
from helpers.changes import end_client
from helpers.engines_base import wait_until
from helpers.engines_redis_cluster import Cluster
from helpers.engines_redis_sentinels import Sentinels, client_of
from helpers.support import SECRET, echo, issue
from helpers.wsgi_client import CheckedApp
from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.tokens.opaque import storage_key

pytestmark = pytest.mark.slow

ELECTION = 90.0  # seconds for the engines to agree on a primary


@pytest.fixture(params=[Cluster, Sentinels], ids=lambda kind: kind.__name__.lower())
def engine(request):
    with request.param() as engine:
        yield engine


@pytest.fixture
def tail(engine):
    """A store whose changes wait for no replica."""
    with closing(open_store(f"{engine.url}?replicas=0&prefix=tail", create=True)) as store:
        for client_id in ("tester", "other"):
            admin.add_client(store, client_id, client_id=client_id, secret=SECRET)
        yield store


@pytest.fixture
def app(tail):
    """A worker with a token in its cache. It reads the log at each request."""
    app = CheckedApp(OAuthMiddleware(echo, store=tail, revocation_lag_seconds=0))
    app.authorization = ("Bearer", issue(app))
    app.get("/", status=200)
    return app


def row_of(app):
    return f"tail:t:{storage_key(app.authorization[1]).hex()}"


def lose_tail(engine, write):
    """Replace a primary by its replica, which lacks only what ``write`` wrote."""
    primary = engine.primary_of("{tail}:log")
    with client_of(primary) as client:
        written = client.info("replication")["master_repl_offset"]
        wait_until(lambda: client.info("replication")["slave0"]["offset"] >= written, "the replica to have all")
        (replica,) = [node for node in engine.nodes if node.port == client.info("replication")["slave0"]["port"]]
        replica.pause()
        # Otherwise the replica would find what follows on its side of the connection.
        client.execute_command("CLIENT", "KILL", "TYPE", "replica")
        write()
    primary.kill()
    replica.resume()
    wait_until(lambda: engine.primary_of("{tail}:log") is replica, "the other primary", ELECTION)


def test_a_log_whose_tail_was_lost_empties_every_cache(engine, tail, app):
    seen, statuses = [], []
    lose_tail(engine, lambda: (end_client(tail, "other"), app.get("/", status=200), seen.append(log_of(tail))))
    # A worker that still had the token in its cache would accept it.
    with client_of(engine.primary_of(row_of(app))) as client:
        assert client.delete(row_of(app)) == 1

    wait_until(lambda: statuses.append(app.get("/", status="*").status_int) or statuses[-1] != 503, "an answer")

    assert statuses[-1] == 401
    now = log_of(tail)
    assert now.position < seen[0].position and not tail.read_log(now.store_id, seen[0].position).complete
