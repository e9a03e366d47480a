from __future__ import annotations

import pyramid_app
import pytest
from webtest import TestApp

from oauth_mw.testing import assert_closed


@pytest.fixture
def app():
    return pyramid_app.app


def test_a_reader_reads_reports_and_files_none(oauth, app):
    client = oauth.authorize(TestApp(app), scope="reports:read", client="job")

    assert client.get("/reports").text == "reports for job\n"
    client.post("/reports", status=403)


def test_the_audit_needs_its_scope(oauth, app):
    oauth.authorize(TestApp(app)).get("/audit", status=403)
    oauth.authorize(TestApp(app), scope="audit").get("/audit", status=200)


def test_a_token_expires(oauth, app):
    client = oauth.authorize(TestApp(app), client="job")
    assert client.get("/").text == "hello job, you may \n"

    oauth.clock.move(2 * 3600)

    client.get("/", status=401)


def test_only_the_health_check_is_open(app):
    assert_closed(app, public=["/health"])
