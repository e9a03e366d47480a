"""The site of ``examples/discovery/`` passes the documents of an app at a mount."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from helpers.pages import fence, program, read
from helpers.support import CC, SECRET, basic
from helpers.wsgi_client import CheckedApp, challenge_of
from oauth_mw import admin
from oauth_mw.testing import sandbox

PROGRAM = "examples/discovery/mounts.py"


@pytest.fixture
def site():
    names = program(PROGRAM)
    with sandbox(names["guarded"]) as oauth:
        admin.add_client(oauth.store, "tester", client_id="tester", secret=SECRET)
        yield CheckedApp(names["application"])


def test_a_mounted_app_is_found_by_its_documents(site):  # M-01, M-03, G-01, G-03
    resource = site.get(challenge_of(site.get("/auth/reports", status=401)).parameters["resource_metadata"]).json
    issuer = urlsplit(resource["authorization_servers"][0])
    server = site.get(f"/.well-known/oauth-authorization-server{issuer.path}").json

    assert site.post(server["token_endpoint"], CC, headers=basic("tester", SECRET)).json["token_type"] == "Bearer"


def test_the_site_has_no_documents_of_its_own(site):
    assert site.get("/.well-known/oauth-authorization-server").text == "the site\n"


def test_the_page_shows_the_program():
    shown = fence("examples/discovery/README.md", "python")

    assert shown[shown.index("guarded = ") :] in read(PROGRAM)
