"""What we use of libraries beyond their documented names: each stands here, and its version is bounded above."""

from __future__ import annotations

import configparser
import inspect
import queue
import re
from pathlib import Path

import pytest
from joserfc.jws import JWSRegistry
from paste.deploy import loadwsgi
from psycopg import Connection as PostgresConnection
from psycopg import waiting
from redis import BlockingConnectionPool
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection

SETUP = configparser.ConfigParser()
SETUP.read(Path(__file__).parent.parent / "setup.cfg", encoding="utf-8")


@pytest.mark.parametrize(
    ("extra", "library"), [("redis", "redis"), ("jwt", "joserfc"), ("postgres", "psycopg"), ("paste", "PasteDeploy")]
)
def test_the_version_is_bounded_above(extra, library):
    assert re.search(rf"^{library}(\[\w+\])?>=[\d.]+,<[\d.]+$", SETUP["options.extras_require"][extra], re.MULTILINE)


@pytest.mark.parametrize("kind", [Connection, SSLConnection, UnixDomainSocketConnection])
def test_a_connection_to_redis_dials_by_connect_and_holds_its_limits_in_two_attributes(kind):
    made = kind(socket_timeout=3)

    assert list(inspect.signature(kind._connect).parameters) == ["self"]
    assert made.socket_timeout == 3 and (hasattr(made, "socket_connect_timeout") or kind is UnixDomainSocketConnection)


def test_a_pool_of_redis_lends_connections_through_a_queue():
    pool = BlockingConnectionPool(max_connections=1)

    assert isinstance(pool.pool, queue.LifoQueue) and pool.pool.get_nowait() is None
    assert isinstance(pool.pid, int) and "timeout" in vars(pool)


@pytest.mark.parametrize("name", ["ES256", "EdDSA", "RS256"])
def test_joserfc_verifies_by_message_signature_and_key(name):
    assert list(inspect.signature(JWSRegistry.algorithms[name].verify).parameters) == ["msg", "sig", "key"]


def test_psycopg_waits_by_one_method_for_a_socket():
    assert list(inspect.signature(PostgresConnection.wait).parameters)[:3] == ["self", "gen", "interval"]
    assert list(inspect.signature(waiting.wait).parameters)[:4] == ["gen", "fileno", "interval", "timeout"]


def test_pastedeploys_loader_has_its_parser_and_what_it_would_call(tmp_path):
    (tmp_path / "x.ini").write_text("[filter:x]\nuse = egg:oauth_mw\nrealm = a\nfilter-with = y\n[filter:y]\nuse = x\n")

    class Loader(loadwsgi.ConfigLoader):
        def filter_context(self, name=None, global_conf=None):
            return None

    loader = Loader(f"{tmp_path}/x.ini")
    context = loader.get_context(loadwsgi.FILTER, "x")

    assert loader.filename == f"{tmp_path}/x.ini" and isinstance(loader.parser, configparser.ConfigParser)
    assert (context.object_type, context.next_context.local_conf) == (loadwsgi.FILTER_WITH, {"realm": "a"})
    assert context.next_context.global_conf["here"] == str(tmp_path)
