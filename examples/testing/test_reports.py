"""Tests with the fixture ``oauth``: which client may do what, for how long, and what is open."""

from __future__ import annotations

import reports

from oauth_mw import admin
from oauth_mw.testing import assert_closed, environ_keys, make_token


def test_a_reader_may_not_write(oauth, app):
    client = oauth.authorize(app.test_client(), scope="reports:read")

    assert client.get("/reports").status_code == 200
    assert client.post("/reports").status_code == 403


def test_a_writer_is_known_by_its_id(oauth, app):
    client = oauth.authorize(app.test_client(), scope="reports:write", client="importer")

    assert client.post("/reports").text == "written by importer\n"


def test_a_client_sees_reports_of_its_tenant(oauth, app):
    client = oauth.authorize(app.test_client(), scope="reports:read", tenant="acme")

    assert client.get("/reports").text == "reports of acme\n"


def test_a_token_expires_after_an_hour(oauth, app):
    client = oauth.authorize(app.test_client(), scope="reports:read")
    oauth.clock.move(3601)

    assert client.get("/reports").status_code == 401


def test_a_revoked_token_is_refused(oauth, app):
    client = oauth.authorize(app.test_client(), scope="reports:read", client="job")
    admin.revoke_all_tokens(oauth.store, "job")

    assert client.get("/reports").status_code == 401


def test_the_view_alone(app):
    token = make_token("reports:read", tenant="acme")

    with app.test_request_context("/reports", environ_base=environ_keys(token)):
        assert reports.reports() == "reports of acme\n"


def test_no_route_is_open_by_mistake(app):
    assert_closed(app, public=["/health"])
