from __future__ import annotations

import fastapi_app
import pytest
from webtest import TestApp


@pytest.fixture
def app():
    return fastapi_app.app


def test_a_reader_reads_reports_and_files_none(oauth, app):
    client = oauth.authorize(TestApp(app), scope="reports:read", client="job")

    assert client.get("/reports").text == "reports for job\n"
    client.post("/reports", status=403)


def test_a_token_expires(oauth, app):
    client = oauth.authorize(TestApp(app), client="job")
    assert client.get("/").text == "hello job, you may \n"

    oauth.clock.move(2 * 3600)

    client.get("/", status=401)


def test_only_the_health_check_is_open(oauth, app):
    client = TestApp(app)

    client.get("/health", status=200)
    for path in ("/", "/docs", "/openapi.json"):
        client.get(path, status=401)
