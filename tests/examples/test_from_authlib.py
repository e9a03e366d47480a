"""Moving from Authlib: both apps answer the same client alike, and the differences are those that the page names."""

from __future__ import annotations

import re
import runpy
import sys
from contextlib import redirect_stdout
from io import StringIO

import pytest
from running_example import EXAMPLES
from webtest import TestApp

from helpers.support import basic, bearer

FOLDER = EXAMPLES / "from-authlib"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
READER = "reader", "5hRk2wVx9QmTz7Lp4NcB"
CLIENTS = {
    READER: "reports:read",
    ("weak", "password"): "reports:read",
}


@pytest.fixture(scope="module")
def apps(tmp_path_factory):
    """The app before and after the move, whose clients were moved by the program; and what that printed."""
    folder = tmp_path_factory.mktemp("from-authlib")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", f"sqlite:///{folder}/app.db")
        patch.setenv("OAUTH_MW_STORE", f"sqlite:///{folder}/oauth.db")
        patch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
        patch.syspath_prepend(str(FOLDER))
        import before

        for (client_id, secret), scope in CLIENTS.items():
            client = before.Client(client_id=client_id, client_secret=secret)
            client.set_client_metadata({"scope": scope, "grant_types": ["client_credentials"]})
            before.session.add(client)
        before.session.commit()
        with redirect_stdout(StringIO()) as printed:
            runpy.run_path(str(FOLDER / "move_clients.py"))
        after = runpy.run_path(str(FOLDER / "after.py"))["app"]
        yield {"before": TestApp(before.app), "after": TestApp(after), "printed": printed.getvalue(), "folder": folder}
        before.session.remove()
        before.engine.dispose()
        del sys.modules["before"]


@pytest.fixture(params=["before", "after"])
def app(apps, request):
    return apps[request.param]


def issue(app, **form):
    form = {"grant_type": "client_credentials", "scope": "reports:read", **form}
    return app.post("/oauth/token", form, headers=basic(*READER)).json


def test_a_client_gets_the_same_answers(app):
    answer = issue(app, scope="reports:read reports:write")
    token = bearer(answer["access_token"])

    assert (answer["token_type"], answer["scope"], answer["expires_in"]) == ("Bearer", "reports:read", 864000)
    assert app.get("/reports", headers=token).text == "reports for reader"
    assert app.post("/reports", headers=token, status=403).json["error"] == "insufficient_scope"
    assert app.get("/health").text == "ok"


def test_a_client_revokes_its_token_alike(app):
    token = issue(app)["access_token"]
    app.post("/oauth/revoke", {"token": token}, headers=basic(*READER), status=200)

    assert app.get("/reports", headers=bearer(token), status=401).json["error"] == "invalid_token"


def refused(app, client_id, secret):
    form = {"grant_type": "client_credentials"}
    return app.post("/oauth/token", form, headers=basic(client_id, secret), status="4*").json["error_description"]


def wrong_and_unknown(app):
    return "same answer" if refused(app, "reader", "wrong") == refused(app, "other", "wrong") else "different answers"


DIFFERENCES = {
    "a path that has no route and is not public": lambda app: app.get("/nothing", status="*").status_int,
    "the scope, if the request names none": lambda app: issue(app, scope="").get("scope", "none"),
    "a wrong secret, and an unknown client": wrong_and_unknown,
    "the error code of a request without a token": lambda app: app.get("/reports", status=401).json.get(
        "error", "none"
    ),
}


@pytest.mark.parametrize("text", DIFFERENCES)
def test_the_page_names_what_differs(apps, text):
    before, after = (DIFFERENCES[text](apps[name]) for name in ("before", "after"))

    assert f"| {text} | {before} | {after} |" in PAGE, f"| {text} | {before} | {after} |"


def test_the_secret_is_in_the_old_database_alone(apps):
    old, new = ({*apps["folder"].glob(f"{name}.db*")} for name in ("app", "oauth"))

    assert [READER[1].encode() in b"".join(path.read_bytes() for path in files) for files in (old, new)] == [
        True,
        False,
    ]


def test_tokens_of_before_are_not_accepted_afterwards(apps):
    token = issue(apps["before"])["access_token"]

    assert apps["after"].get("/reports", headers=bearer(token), status=401).json["error"] == "invalid_token"


def test_the_program_prints_what_the_page_shows(apps):
    assert apps["printed"].count("\n") == 2
    assert f"python move_clients.py\n{apps['printed']}```" in PAGE


def test_the_page_shows_a_part_of_the_app():
    (shown,) = re.findall(r"```python shown\n(.*?)```", PAGE, re.DOTALL)

    assert shown in (FOLDER / "after.py").read_text(encoding="utf-8")
