from __future__ import annotations

import plain_wsgi
import pytest
from webtest import TestApp


@pytest.fixture
def app():
    return plain_wsgi.application


def test_a_reader_reads_reports_and_files_none(oauth, app):
    client = TestApp(app)
    headers = {"Authorization": f"Bearer {oauth.token_for('reports:read', client='job')}"}

    assert client.get("/reports", headers=headers).text == "reports for job\n"
    client.post("/reports", headers=headers, status=403)


def test_only_the_health_check_is_open(oauth, app):
    client = TestApp(app)

    client.get("/health", status=200)
    client.get("/", status=401)
