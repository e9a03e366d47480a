from __future__ import annotations

import pyramid_traversal
import pytest
from webtest import TestApp

from oauth_mw.testing import assert_closed


@pytest.fixture
def app():
    return pyramid_traversal.app


@pytest.mark.parametrize("path", ["/reports", "/reports/", "/reports/2026/q3"])
def test_the_rule_is_for_all_paths_that_the_view_serves(oauth, app, path):
    oauth.authorize(TestApp(app), scope="reports:read").get(path, status=200)
    oauth.authorize(TestApp(app)).get(path, status=403)


def test_a_request_that_moves_the_root_is_refused(oauth, app):
    client = oauth.authorize(TestApp(app), scope="reports:read")

    client.get("/q3", headers={"X-Vhm-Root": "/reports"}, status=400)


def test_only_the_health_check_is_open(oauth, app):
    client = TestApp(app)

    client.get("/health", status=200)
    client.get("/health/more", status=401)
    client.get("/", status=401)


def test_no_view_has_an_open_route(app):
    assert_closed(app, public=["/* (traversal)"])  # which the tests above request
