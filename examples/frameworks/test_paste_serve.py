"""The app of paste_app.ini, and the two of paste_site.ini."""

from __future__ import annotations

from pathlib import Path

import pytest
from paste.deploy import loadapp
from webtest import TestApp

from oauth_mw.testing import sandbox

HERE = str(Path(__file__).parent)


@pytest.fixture(scope="module")
def app():
    return loadapp("config:paste_app.ini", relative_to=HERE, global_conf={"port": "0"})


@pytest.fixture(scope="module")
def site():
    return loadapp("config:paste_site.ini", relative_to=HERE, global_conf={"port": "0"})


def test_a_reader_reads_reports_and_files_none(oauth, app):
    client = oauth.authorize(TestApp(app), scope="reports:read", client="job")

    assert client.get("/reports").text == "reports for job\n"
    client.post("/reports", status=403)


def test_an_app_at_a_mount_inherits_the_rules(site):
    with sandbox(site["/api"]) as oauth:
        client = oauth.authorize(TestApp(site), scope="reports:read", client="job")

        assert client.get("/api/reports").text == "reports for job\n"
        client.post("/api/reports", status=403)


def test_an_app_at_another_mount_has_rules_of_its_own(site):
    with sandbox(site["/admin"]) as oauth:
        oauth.authorize(TestApp(site), scope="reports:read").get("/admin/reports", status=403)
        oauth.authorize(TestApp(site), scope="admin").get("/admin/reports", status=200)


def test_only_the_health_check_of_one_app_is_open(site):
    client = TestApp(site)

    client.get("/api/health", status=200)
    client.get("/api/reports", status=401)
    client.get("/admin/health", status=401)
