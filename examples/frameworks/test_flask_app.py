from __future__ import annotations

import pytest
from flask_app import create_app

from oauth_mw.testing import assert_closed


@pytest.fixture
def app():
    return create_app()


def test_a_reader_reads_reports_and_files_none(oauth, app):
    client = oauth.authorize(app.test_client(), scope="reports:read", client="job")

    assert client.get("/reports").text == "reports for job\n"
    assert client.post("/reports").status_code == 403


def test_the_audit_needs_its_scope(oauth, app):
    assert oauth.authorize(app.test_client()).get("/audit").status_code == 403
    assert oauth.authorize(app.test_client(), scope="audit").get("/audit").status_code == 200


def test_a_token_expires(oauth, app):
    client = oauth.authorize(app.test_client(), client="job")
    assert client.get("/").text == "hello job, you may \n"

    oauth.clock.move(2 * 3600)

    assert client.get("/").status_code == 401


def test_only_the_health_check_is_open(app):
    assert_closed(app, public=["/health"])
