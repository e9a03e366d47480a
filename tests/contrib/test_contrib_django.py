"""``require_scope`` in Django: under ASGI, and with a request that is not Django's own."""

from __future__ import annotations

import asyncio
import inspect
from types import SimpleNamespace

import django.test
import pytest

from helpers.frameworks import django_app
from helpers.guarded_apps import guarded_django
from oauth_mw import AccessToken, ConfigError

TOKEN = AccessToken("tester", "read write", frozenset(["read", "write"]), "00", 0, 2**32 - 1)


@pytest.fixture(autouse=True)
def settings():
    django_app()


@pytest.fixture
def ran():
    return []


@pytest.fixture
def view(ran):
    return guarded_django(lambda *args: ran.append(args))


@pytest.fixture
def async_view(ran):
    @guarded_django
    async def view(*args):
        ran.append(args)

    return view


def test_under_asgi_a_view_does_not_run(view, ran):
    with pytest.raises(ConfigError, match="under ASGI"):
        view(django.test.AsyncRequestFactory().get("/"))

    assert ran == []


def test_under_asgi_an_async_view_does_not_run(async_view, ran):
    with pytest.raises(ConfigError, match="under ASGI"):
        asyncio.run(async_view(django.test.AsyncRequestFactory().get("/")))

    assert ran == []


def test_an_async_view_stays_one(view, async_view):
    assert [inspect.iscoroutinefunction(each) for each in (view, async_view)] == [False, True]


def test_a_request_of_django_rest_framework_is_djangos_within(view, ran):
    request = SimpleNamespace(_request=django.test.RequestFactory().get("/", **{"oauth_mw.token": TOKEN}))

    view("self", request)

    assert ran == [("self", request)]


def test_the_environ_of_another_argument_is_not_read(view, ran):
    with pytest.raises(ConfigError):
        view("self", SimpleNamespace(environ={"oauth_mw.token": TOKEN}))

    assert ran == []
