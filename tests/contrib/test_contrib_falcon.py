"""``require_scope`` in Falcon: its ASGI app, and a responder that nothing has requested."""

from __future__ import annotations

import falcon.asgi
import pytest
from falcon.testing import TestClient

from helpers.guarded_apps import guarded_falcon
from oauth_mw import ConfigError


@pytest.fixture
def ran():
    return []


@pytest.fixture
def resource(ran):
    class Resource:
        @guarded_falcon
        async def on_get(self, req, resp):
            ran.append(req)

    return Resource()


def test_under_asgi_a_responder_does_not_run(resource, ran):
    app, errors = falcon.asgi.App(), []

    async def keep(req, resp, error, params):
        errors.append(error)

    app.add_error_handler(ConfigError, keep)
    app.add_route("/", resource)
    TestClient(app).simulate_get("/")

    assert (ran, [type(error) for error in errors]) == ([], [ConfigError])


def test_without_a_request_a_responder_does_not_run(ran):
    with pytest.raises(ConfigError, match="under ASGI"):
        guarded_falcon(lambda *args: ran.append(args))()

    assert ran == []
