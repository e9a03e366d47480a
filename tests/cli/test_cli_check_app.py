"""``oauth-mw check MODULE:APP``, ``explain`` and ``--config`` find the middleware in an app, and make no store."""

from __future__ import annotations

import os
import sys

import pytest

GUARDED = """
from functools import partial
from oauth_mw import OAuthMiddleware, open_store

def site(environ, start_response):
    start_response("404 Not Found", [])
    return [b"MARKER"]

def guard(app=site, **options):
    return OAuthMiddleware(app, **{"store": "sqlite:///oauth.db", "required_scopes": ["GET /a a"], **options})

"""


@pytest.fixture
def write_app(tmp_path, monkeypatch):
    """Write a module ``guarded`` into the working directory."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(text):
        sys.modules.pop("guarded", None)
        (tmp_path / "guarded.py").write_text(GUARDED + text)

    yield write
    sys.modules.pop("guarded", None)


@pytest.fixture
def found(write_app, printed):
    """What a check of ``app`` in a module with these lines says about each middleware."""

    def found(text, name="app"):
        write_app(text)
        return printed("check", f"guarded:{name}", store=None)["middlewares"]

    return found


FLASK = "from flask import Flask\napp = Flask('x')\napp.wsgi_app = guard(app.wsgi_app)\n"
DISPATCHER = "from werkzeug.middleware.dispatcher import DispatcherMiddleware\n"
CLASS = """
class Wrapper:
    def __init__(self, app):
        self.app = app
    def run(self, environ, start_response):
        return self.app(environ, start_response)
"""
FUNCTION = """
def wrap(app):
    return lambda environ, start_response: app(environ, start_response)
"""
PLACES = {
    "the app itself": ("app = guard()", "app", ""),
    "Flask": (FLASK, "app.wsgi_app", ""),
    "around Flask": (
        "from werkzeug.middleware.proxy_fix import ProxyFix\n" + FLASK + "app.wsgi_app = ProxyFix(app.wsgi_app)",
        "app.wsgi_app.app",
        "",
    ),
    "Django": ("from django.core.handlers.wsgi import WSGIHandler\napp = guard(WSGIHandler)", "app", ""),
    "a closure": (FUNCTION + "app = wrap(guard())", "app:app", ""),
    "a global": (
        "inner = guard()\ndef app(environ, start_response):\n    return inner(environ, start_response)",
        "app:inner",
        "",
    ),
    "an unassigned variable": (
        "def wrap(app):\n    def run(environ, started):\n        return app(environ, started) or later\n"
        "    return run\n    later = 1\napp = wrap(guard())",
        "app:app",
        "",
    ),
    "a method": (CLASS + "app = Wrapper(guard()).run", "app.app", ""),
    "a partial": (
        "def call(inner, environ, started):\n    return inner(environ, started)\napp = partial(call, guard())",
        "app",
        "",
    ),
    "a mount of Werkzeug": (
        DISPATCHER + "app = DispatcherMiddleware(site, {'/v1': guard()})",
        "app.mounts['/v1']",
        "/v1",
    ),
    "a mount in a mount": (
        DISPATCHER + "app = DispatcherMiddleware(site, {'/v1': DispatcherMiddleware(site, {'/a': guard()})})",
        "app.mounts['/v1'].mounts['/a']",
        "/v1/a",
    ),
    "a mount of Bottle": (
        "from bottle import Bottle\napp = Bottle()\napp.mount('/v1', guard())",
        "app.routes[0].callback:app",
        "/v1",
    ),
    "a mount of Paste": (
        "from paste.urlmap import URLMap\napp = URLMap()\napp['/'] = site\napp['/v1'] = guard()",
        "app[(None, '/v1')]",
        "/v1",
    ),
    "a mount of CherryPy": (
        "from cherrypy import _cptree\napp = _cptree.Tree()\napp.graft(guard(), '/v1')",
        "app.apps['/v1']",
        "/v1",
    ),
}


@pytest.mark.parametrize(("text", "place", "mount"), PLACES.values(), ids=PLACES)
def test_a_middleware_is_found_and_a_request_to_its_token_path_confirms_it(found, text, place, mount):
    (report,) = found(text)

    assert (report["found"], report["mount"], report["confirmed"]) == (place, mount, "by GET on the token path")
    assert ["GET", "/a", "all of: a"] in [list(row.values()) for row in report["paths"]]


def test_the_request_that_confirms_it_is_not_logged(found, caplog):
    caplog.set_level("INFO", "oauth_mw")

    found(FLASK)

    assert caplog.records == []


def test_a_factory_is_called(found):
    (report,) = found(f"def make():\n    {FLASK.strip().replace(chr(10), chr(10) + '    ')}\n    return app", "make()")

    assert (report["found"], report["confirmed"]) == ("make().wsgi_app", "by GET on the token path")


def test_answers_as_apigee_gives_them_confirm_it_too(found):
    (report,) = found("app = guard(compatibility='apigee')")

    assert report["confirmed"] == "by GET on the token path"


UNSURE = {
    "answered by the app": (
        "def app(environ, start_response, inner=None):\n    return site(environ, start_response)\napp.app = guard()",
        "GET /oauth/token was answered 404 Not Found, not by it: requests may not reach it",
    ),
    "an exception": (
        "def app(environ, start_response):\n    raise KeyError('x')\napp.app = guard()",
        "GET /oauth/token raised KeyError, so it is not sure that requests reach it",
    ),
    "ASGI": (
        "from a2wsgi import WSGIMiddleware\napp = WSGIMiddleware(guard())",
        "the app is an ASGI app, so no request was sent: its own routes are answered without the middleware",
    ),
    "off": ("app = guard(token_path='off')", "token_path is off, so it was not tried whether requests reach it"),
}


@pytest.mark.parametrize(("text", "warning"), UNSURE.values(), ids=UNSURE)
def test_what_is_not_confirmed_is_a_warning(found, text, warning):
    (report,) = found(text)

    assert (report["confirmed"], warning in report["warnings"]) == ("no", True)


def test_views_do_not_run(found):
    (report,) = found("def view(environ, start_response):\n    raise SystemExit\napp = guard(view)")

    assert report["confirmed"] == "by GET on the token path"


SEVERAL = DISPATCHER + "app = DispatcherMiddleware(guard(), {'/v1': guard(required_scopes=['GET /b b'])})\n"


def test_several_are_listed_and_one_can_be_chosen_by_its_place_or_mount(found, printed):
    assert [report["found"] for report in found(SEVERAL)] == ["app.app", "app.mounts['/v1']"]

    for name in ("/v1", "app.mounts['/v1']"):
        (chosen,) = printed("check", f"guarded:app#{name}", store=None)["middlewares"]
        assert chosen["mount"] == "/v1"


def test_people_see_found_and_never_protected(write_app, cli):
    write_app(SEVERAL)

    answer = cli("check", "guarded:app", store=None)

    words = [line.split() for line in answer.stdout.splitlines()]
    assert (answer.exit_code, words[-2:]) == (0, [[], ["no", "faults"]])
    assert [line[1] for line in words if line[:1] == ["found"]] == ["app.app", "app.mounts['/v1']"]
    assert "protected" not in answer.stdout


def test_what_can_be_read_in_a_request_alone_is_passed_over(found):
    (report,) = found(
        "from flask import current_app\ninner = guard()\ndef app(environ, started):\n"
        "    return current_app(environ, started) if environ['PATH_INFO'] == '/a' else inner(environ, started)"
    )

    assert (report["found"], report["confirmed"]) == ("app:inner", "by GET on the token path")


OPENED = {
    "by its URL": "app = guard()",
    "by the app": "app = guard(store=open_store('sqlite:///oauth.db', create=True))",
}


@pytest.mark.parametrize("text", OPENED.values(), ids=OPENED)
def test_no_store_is_made(found, tmp_path, text):
    (report,) = found(text)

    assert (report["store"], os.listdir(tmp_path)) == (f"sqlite:///{tmp_path}/oauth.db", ["guarded.py"])
    assert [each.split(" at ")[0] for each in report["warnings"]] == ["store: there is no store"]


@pytest.mark.parametrize("store_kind", ["postgresql", "redis"])
def test_none_is_made_on_a_server(found, store_url, store_kind):
    text = f"app = guard(store={store_url!r})"

    warnings = [found(text)[0]["warnings"] for _ in range(2)]

    assert ["holds no oauth_mw store" in warned[0] for warned in warnings] == [True, True]


def test_a_store_that_is_there_is_read(found, registered, url):
    (report,) = found(f"app = guard(store={url!r})")

    assert (report["store"], report["warnings"]) == (url, [])


REFUSED = {
    "an ASGI app": ("from falcon.asgi import App\napp = App()", "app", "is an ASGI app, and no OAuthMiddleware was"),
    "none": ("app = site", "app", "no OAuthMiddleware was found in it; if it is a factory, write 'guarded:app()'\n"),
    "a factory of none": ("def make():\n    return site", "make()", "no OAuthMiddleware was found in it\n"),
    "no module": ("", "nothing", "cannot be imported: AttributeError"),
    "no such place": (SEVERAL, "app#/v2", "#/v2 names no middleware in it; these are: app.app, app.mounts['/v1']"),
    "a script that exits": ("raise SystemExit(0)", "app", "cannot be imported: SystemExit: 0"),
    "a factory that exits": ("def make():\n    raise SystemExit(0)", "make()", "cannot be called: SystemExit: 0"),
    "a factory that fails": ("def make():\n    raise KeyError('x')", "make()", "cannot be called: KeyError: 'x'"),
}


@pytest.mark.parametrize(("text", "name", "says"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_middleware_is_refused(write_app, cli, text, name, says):
    write_app(text)

    answer = cli("check", f"guarded:{name}", store=None)

    assert (answer.exit_code, answer.stdout, says in answer.stderr) == (2, "", True)


@pytest.mark.parametrize("text", ["app = {0}", "def make():\n    return {0}"], ids=["an app", "a factory"])
def test_every_fault_of_its_options_is_a_line(write_app, cli, text):
    write_app(text.format("guard(realm='', cache_size='many')"))

    answer = cli("check", "guarded:app" if "app =" in text else "guarded:make()", store=None)

    assert answer.exit_code == 2
    assert [line.split(": ")[1] for line in answer.stderr.splitlines()] == ["realm", "cache_size"]


# The same for ``explain``


def test_the_rules_of_an_app_are_explained(write_app, printed, registered, url):
    write_app(f"app = guard(store={url!r})")

    said = printed("explain", "GET", "/a", "--config", "guarded:app", "--client", "tester", store=None)

    assert (said["needs"], said["with_token"]) == ("all of: a", "403 Forbidden")


def test_clients_of_a_store_that_the_app_has_opened_are_read(write_app, printed):
    write_app(
        "from oauth_mw import admin\nstore = open_store('memory://')\n"
        "admin.add_client(store, 'job', client_id='job', scope='a')\napp = guard(store=store)"
    )

    said = printed("explain", "GET", "/a", "--config", "guarded:app", "--client", "job", store=None)

    assert said["with_token"] == "passed to the app"


def test_one_of_several_must_be_chosen(write_app, cli):
    write_app(SEVERAL)

    several = cli("explain", "GET", "/b", "--config", "guarded:app", store=None)
    chosen = cli("explain", "GET", "/b", "--config", "guarded:app#/v1", store=None)

    assert several.exit_code == 2 and "choose one of guarded:app#app.app, guarded:app#app.mounts" in several.stderr
    assert (chosen.exit_code, chosen.stderr) == (0, "") and "all of: b" in chosen.stdout


@pytest.mark.parametrize(("text", "warning"), UNSURE.values(), ids=UNSURE)
def test_where_it_is_not_confirmed_a_warning_says_so(write_app, cli, text, warning):
    write_app(text)

    answer = cli("explain", "GET", "/a", "--config", "guarded:app", store=None)

    assert (answer.exit_code, answer.stderr) == (0, f"warning: {warning}\n")


# The same for commands that work on the store


def test_clients_are_added_to_the_store_of_an_app(write_app, printed, url):
    write_app(f"made = []\ndef make():\n    made.append(1)\n    return guard(store={url!r})")

    added = printed("client", "add", "job", "--config", "guarded:make()", store=None)

    assert [each["client_id"] for each in printed("client", "list")] == [added["client_id"]]
    assert sys.modules["guarded"].made == [1]


def test_another_store_takes_the_place_of_that_of_the_app(write_app, printed, registered):
    write_app("app = guard(store='sqlite:///other.db')")

    assert [each["client_id"] for each in printed("client", "list", "--config", "guarded:app")] == ["tester"]


UNUSABLE = {
    "no store is made": ("app = guard()", "there is no store at sqlite:///"),
    "it is in memory": ("app = guard(store='memory://')", "store: memory:// is lost when the command ends"),
    "the app opened it": ("app = guard(store=open_store('memory://'))", "store: the app opens it by itself"),
}


@pytest.mark.parametrize(("text", "says"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_store_that_no_command_can_use_is_refused(write_app, cli, tmp_path, text, says):
    write_app(text)

    answer = cli("client", "list", "--config", "guarded:app", store=None)

    assert (answer.exit_code, says in answer.stderr, os.listdir(tmp_path)) == (2, True, ["guarded.py"])
