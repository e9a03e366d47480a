"""What we use of libraries beyond their documented names: each stands here, and its version is bounded above."""

from __future__ import annotations

import configparser
import inspect
import queue
import re
from pathlib import Path

import bottle
import django.urls
import pytest
from django.test import Client as DjangoClient
from django.test.client import ClientHandler
from django.test.testcases import LiveServerTestCase, LiveServerThread
from django.urls.resolvers import LocalePrefixPattern
from paste.deploy import loadwsgi
from prometheus_client import Histogram, values
from psycopg import Connection as PostgresConnection
from psycopg import waiting
from pyramid.config.views import isexception
from pyramid.interfaces import IExceptionResponse
from redis import BlockingConnectionPool
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from werkzeug.routing import Map, Rule
from werkzeug.test import Client

from helpers.wsgi_client import answering

SETUP = configparser.ConfigParser()
SETUP.read(Path(__file__).parent.parent / "setup.cfg", encoding="utf-8")


@pytest.mark.parametrize(
    ("extra", "library"),
    [
        ("redis", "redis"),
        ("jwt", "joserfc"),
        ("postgres", "psycopg"),
        ("paste", "PasteDeploy"),
        ("metrics", "prometheus-client"),
        ("test", "Werkzeug"),
        ("test", "pytest"),
        ("examples", "djangorestframework"),
        ("examples", "Django"),
        ("examples", "Pyramid"),
        ("examples", "bottle"),
    ],
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


def test_psycopg_waits_by_one_method_for_a_socket():
    assert list(inspect.signature(PostgresConnection.wait).parameters)[:3] == ["self", "gen", "interval"]
    assert list(inspect.signature(waiting.wait).parameters)[:4] == ["gen", "fileno", "interval", "timeout"]


def test_werkzeugs_client_keeps_its_app_in_an_attribute():
    first, second = answering("200 OK"), answering("404 Not Found")
    client = Client(first)
    assert client.application is first

    client.application = second

    assert client.get("/").status_code == 404


def test_a_rule_of_werkzeug_has_its_parts_and_their_converters():
    rule = Rule("/a/<int:x>.csv")
    Map([rule])

    assert rule._trace == [(False, "|"), *((False, text) for text in "/a/"), (True, "x"), (False, ".csv")]
    assert rule._converters["x"].regex == r"\d+"


def test_bottles_router_reads_rules_and_has_the_expression_of_each_filter():
    router = bottle.Bottle().router

    assert list(router._itertokens("/a/<x:int>")) == [("/a/", None, None), ("x", "int", None), ("", None, None)]
    assert list(router._itertokens("<x>"))[0] == ("x", "default", None)
    assert (router.filters["re"](None)[0], router.strict_order) == ("[^/]+", False)


def test_a_mount_of_bottle_is_in_the_configuration_of_its_routes():
    app, mounted = bottle.Bottle(), answering("200 OK")
    app.mount("/a/", mounted)

    (route,) = app.routes
    assert (route.config["mountpoint.prefix"], route.config["mountpoint.target"]) == ("/a/", mounted)


def test_pyramid_tells_the_contexts_of_exception_views():
    assert [isexception(each) for each in (ValueError, IExceptionResponse, dict, None)] == [True, True, False, False]


def test_patterns_of_django_have_their_expression_and_what_is_below():
    first, second = django.urls.path("a/<int:x>", len), django.urls.path("b/", django.urls.include([]))

    assert first.pattern.regex.pattern.startswith("^a/(?P<x>[0-9]+)") and not hasattr(first, "url_patterns")
    assert (second.pattern.regex.pattern, second.url_patterns) == ("^b/", [])
    assert isinstance(LocalePrefixPattern.language_prefix, property)


def test_djangos_client_keeps_its_handler_and_its_defaults_in_attributes():
    client = DjangoClient(HTTP_X="a")

    assert isinstance(client.handler, ClientHandler) and client.defaults == {"HTTP_X": "a"}
    assert list(inspect.signature(ClientHandler.__call__).parameters) == ["self", "environ"]


def test_djangos_live_server_keeps_its_server_in_an_attribute():
    assert {"httpd", "set_app"} <= set(LiveServerThread.run.__code__.co_names)
    assert "server_thread" in LiveServerTestCase._start_server_thread.__func__.__code__.co_names


def test_pytest_says_which_fixture_is_missing(request):
    with pytest.raises(pytest.FixtureLookupError) as caught:
        request.getfixturevalue("no_such_fixture")

    assert caught.value.argname == "no_such_fixture"


def test_a_histogram_has_a_number_for_each_bucket_and_one_for_the_sum():
    child = Histogram("h", "Of a test.", ["x"], buckets=[1, 2], registry=None).labels("a")

    child._buckets[1].inc(3)
    child._sum.inc(4.5)

    found = {(name, *labels.values()): value for name, labels, value, *_ in child._samples()}
    assert (found["_bucket", "2.0"], found["_count",], found["_sum",]) == (3, 3, 4.5)
    assert values.ValueClass is values.MutexValue  # outside the multiprocess mode


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
