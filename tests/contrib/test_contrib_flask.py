"""``require_scope`` in Flask: views that are coroutine functions, and views that nothing has requested."""

from __future__ import annotations

import inspect

import flask
import pytest

from helpers.guarded_apps import RAN, guarded_flask
from helpers.support import bearer, issue

STORE_KINDS = ["memory"]


@guarded_flask
async def async_view():
    return RAN


@pytest.fixture
def app(wrap, client):
    inner = flask.Flask(__name__)
    inner.add_url_rule("/async", view_func=async_view)
    return wrap(inner)


def test_an_async_view_stays_one_and_is_guarded(app):
    pytest.importorskip("asgiref")  # by which Flask runs it
    statuses = [app.get("/async", headers=bearer(issue(app, scope=scope)), status="*").status_int for scope in SCOPES]

    assert inspect.iscoroutinefunction(async_view) and statuses == [200, 403]


SCOPES = ["read write", "read"]


def test_without_a_request_the_view_does_not_run():
    ran = []

    with pytest.raises(RuntimeError, match="request context"):
        guarded_flask(lambda: ran.append(1))()

    assert ran == []
