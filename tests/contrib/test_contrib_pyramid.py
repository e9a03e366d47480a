"""``require_scope`` in Pyramid: a request within the app, and views that nothing has requested."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pyramid.request import Request
from pyramid.testing import DummyRequest

from helpers.guarded_apps import Configurator, Response, guarded_pyramid, with_request
from helpers.support import bearer, issue
from oauth_mw import AccessToken, ConfigError

STORE_KINDS = ["memory"]

ENVIRON = {"oauth_mw.token": AccessToken("tester", "read write", frozenset(["read", "write"]), "00", 0, 2**32 - 1)}


def test_a_request_that_the_app_makes_itself_has_no_token(wrap, client):
    """Its environ is another one, which the guard has never seen."""
    with Configurator() as config:
        config.add_view(with_request, name="guarded")
        config.add_view(lambda request: request.invoke_subrequest(Request.blank("/guarded")), name="outer")
        app = wrap(config.make_wsgi_app())

    assert app.get("/outer", headers=bearer(issue(app)), status=401).json == {
        "message": "A bearer access token is needed"
    }


def test_a_view_is_tested_with_pyramids_request_for_tests():
    assert with_request(DummyRequest(environ=ENVIRON)).status_int == 200
    assert with_request(DummyRequest()).status_int == 401


ELSE = {
    "no argument": (),
    "an object without a request": (object(),),
    "another request": (SimpleNamespace(environ=ENVIRON),),
    "a method's other request": (SimpleNamespace(request=SimpleNamespace(environ=ENVIRON)),),
    "a request that is not the last": (DummyRequest(environ=ENVIRON), object()),
}


@pytest.mark.parametrize("args", ELSE.values(), ids=ELSE)
def test_without_a_request_of_pyramid_a_view_does_not_run(args):
    ran = []

    with pytest.raises(ConfigError, match="no request with a WSGI environ"):
        guarded_pyramid(lambda *args: ran.append(args) or Response())(*args)

    assert ran == []
