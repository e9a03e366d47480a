"""``use = egg:oauth_mw`` through PasteDeploy."""

from __future__ import annotations

import configparser
import shutil
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from paste.deploy import loadapp
from support import SECRET, basic, bearer, echo, issue
from wsgi_client import CheckedApp, challenge_of

from oauth_mw import ConfigError, OAuthMiddleware, admin, open_store
from oauth_mw.config import OPTIONS
from oauth_mw.paste import beside_ini, filter_app_factory, filter_factory

CONFIGS = Path(__file__).parent / "sample_configs"
FILTERS = ["filter_with", "pipeline", "filter_app", "entry_points"]
CC = {"grant_type": "client_credentials"}


@pytest.fixture(autouse=True)
def closed(monkeypatch):
    """Close at the end what the loaded apps opened."""
    opened = []

    def remember(*args, **options):
        opened.append(open_store(*args, **options))
        return opened[-1]

    monkeypatch.setattr("oauth_mw.assembly.open_store", remember)
    yield
    for store in opened:
        store.close()


@pytest.fixture
def load(tmp_path):
    """The app of a sample ini that lies in a folder of its own, with a client in the store beside it."""

    def start(name, database="oauth.db", section=""):
        shutil.copy(CONFIGS / f"{name}.ini", tmp_path)
        store = open_store(f"sqlite:///{tmp_path / database}", create=True)
        admin.add_client(store, "tester", scope="read write reports%read", client_id="tester", secret=SECRET)
        store.close()
        return CheckedApp(f"config:{tmp_path / name}.ini{section}")

    return start


@pytest.mark.parametrize("name", FILTERS)
def test_every_way_of_filtering_issues_and_guards(load, name):  # T-01, B-01, B-02
    app = load(name)

    assert challenge_of(app.get("/any", status=401)).scheme == "Bearer"
    assert app.get("/any", headers=bearer(issue(app, scope="read"))).text == "MARKER tester read"


@pytest.mark.parametrize("name", FILTERS)
def test_every_way_of_filtering_has_the_path_rules(load, name):  # S-11, P-01
    app = load(name, section="#main")
    token = issue(app, scope="read")

    assert app.get("/health").text == app.get("/docs/a/b").text == "MARKER None None"
    app.get("/reports/1", headers=bearer(token), status=200)
    app.post("/reports/1", headers=bearer(token), status=403)
    app.get("/reports/1", status=401)


@pytest.mark.parametrize("name", FILTERS)
def test_a_relative_store_lies_beside_the_ini(load, tmp_path, name, monkeypatch):
    monkeypatch.chdir("/")
    load(name).get("/any", status=401)

    assert (tmp_path / "oauth.db").is_file()


def test_a_percent_sign_is_written_twice(load, tmp_path):
    app = load("percent", "100%.db")
    token = issue(app)

    assert challenge_of(app.get("/any", status=401)).parameters == {"realm": "100% of it"}
    assert app.get("/50%/x", headers=bearer(issue(app, scope="read")), status=403).json["error"] == "insufficient_scope"
    app.get("/50%/x", headers=bearer(token), status=200)


def test_a_single_percent_sign_is_an_error_of_the_ini(tmp_path):
    (tmp_path / "x.ini").write_text((CONFIGS / "percent.ini").read_text().replace("100%% of", "100% of"))

    with pytest.raises(configparser.InterpolationSyntaxError):
        loadapp(f"config:{tmp_path}/x.ini")


def test_every_option_may_stand_in_an_ini(load):
    app = load("every_option")
    answer = app.post("/v1/token", {**CC, "scope": "read nope"}, headers=basic("tester", SECRET))

    assert (answer.json["scope"], answer.json["expires_in"]) == ("read", 600)
    assert answer.json["access_token"].startswith("acme_")
    assert challenge_of(app.get("/oauth/introspect", status=401)).parameters["realm"] == "the vault"
    assert app.get("/v1/jwks").json == {"keys": []}


def test_the_sample_has_every_option():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(CONFIGS / "every_option.ini")

    named = set(parser["filter:oauth"]) - set(parser["DEFAULT"]) - {"use"}
    assert named == OPTIONS.keys() - {"signing_key_files"}  # which exclude another


def test_relative_files_lie_beside_the_ini():
    options = beside_ini({"store": "sqlite:///oauth.db", "signing_key_files": "new.pem /etc/old.pem"}, "/the folder")

    assert options == {
        "store": "sqlite:////the folder/oauth.db",
        "signing_key_files": ["/the folder/new.pem", "/etc/old.pem"],
    }


def test_what_stands_in_the_default_section_is_no_option(load):
    load("every_option").get("/health", status=200)


def test_an_unknown_option_stops_the_start():
    with pytest.raises(ConfigError, match="public_path: unknown option, did you mean public_paths"):
        loadapp(f"config:{CONFIGS}/unknown_option.ini")


def test_a_filter_without_a_store_stops_the_start():
    with pytest.raises(ConfigError, match="^store: "):
        filter_factory({})(echo)


def test_the_entry_points_are_those_of_the_package():
    found = {each.group: each.load() for each in entry_points(name="main") if each.value.startswith("oauth_mw")}

    assert found["paste.filter_factory"] is filter_factory
    assert found["paste.filter_app_factory"] is filter_app_factory


def test_one_filter_may_wrap_several_apps():  # B-20
    wrap = filter_factory({"here": "/nowhere"}, store="memory://")

    assert type(wrap(echo)) is type(wrap(echo)) is OAuthMiddleware


def test_options_of_an_ini_are_those_of_the_keyword_arguments():
    app = CheckedApp(filter_app_factory(echo, {}, store="memory://", realm="r", public_paths="/a /b"))

    app.get("/b", status=200)
    assert challenge_of(app.get("/c", status=401)).parameters == {"realm": "r"}
