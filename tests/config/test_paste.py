"""``use = egg:oauth_mw`` through PasteDeploy."""

from __future__ import annotations

import configparser
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest
from paste.deploy import loadapp

from helpers.support import CC, SECRET, TESTER, bearer, echo, issue
from helpers.wsgi_client import CheckedApp, challenge_of
from oauth_mw import ConfigError, admin, open_store
from oauth_mw.config import OPTIONS
from oauth_mw.errors import Faults
from oauth_mw.paste import filter_app_factory, filter_factory, ini_options

CONFIGS = Path(__file__).parents[1] / "sample_configs"


@pytest.fixture
def load(tmp_path):
    """The app of a sample ini that lies in a folder of its own, with a client in the store beside it."""

    def start(name, section="main", database="oauth.db"):
        shutil.copy(CONFIGS / f"{name}.ini", tmp_path)
        store = open_store(f"sqlite:///{tmp_path / database}", create=True)
        admin.add_client(store, "tester", scope="read write reports%read", client_id="tester", secret=SECRET)
        store.close()
        return CheckedApp(f"config:{tmp_path / name}.ini#{section}")

    return start


@pytest.mark.parametrize("name", ["filter_with#main", "pipeline", "filter_app", "entry_points"])
def test_every_way_of_filtering_issues_guards_and_has_the_path_rules(load, tmp_path, monkeypatch, name):
    monkeypatch.chdir("/")  # the store lies beside the ini
    app = load(*name.split("#"))
    token = issue(app, scope="read")

    assert (tmp_path / "oauth.db").is_file()
    assert challenge_of(app.get("/any", status=401)).scheme == "Bearer"
    assert app.get("/any", headers=bearer(token)).text == "MARKER tester read"
    assert app.get("/health").text == app.get("/docs/a/b").text == "MARKER None None"
    app.get("/reports/1", headers=bearer(token), status=200)
    app.post("/reports/1", headers=bearer(token), status=403)
    app.get("/reports/1", status=401)


def test_a_percent_sign_is_written_twice(load, tmp_path):
    app = load("percent", database="100%.db")
    token = issue(app)

    assert challenge_of(app.get("/any", status=401)).parameters == {"realm": "100% of it"}
    assert app.get("/50%/x", headers=bearer(issue(app, scope="read")), status=403).json["error"] == "insufficient_scope"
    app.get("/50%/x", headers=bearer(token), status=200)


def test_every_option_may_stand_in_an_ini(load):
    app = load("every_option")
    app.get("/health", status=200)  # what stands in the default section is no option
    headers = {"X-Token": TESTER["Authorization"]}
    answer = app.post("/v1/token", {**CC, "scope": "read nope"}, headers=headers)

    assert (answer.json["scope"], answer.json["expires_in"]) == ("read", "600")  # as text, for Apigee
    assert answer.json["access_token"].startswith("acme_")
    assert challenge_of(app.get("/oauth/introspect", status=401)).parameters["realm"] == "the vault"
    assert app.get("/v1/jwks").json == {"keys": []}


def test_the_sample_has_every_option():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(CONFIGS / "every_option.ini")

    named = set(parser["filter:oauth"]) - set(parser["DEFAULT"]) - {"use"}
    assert named == OPTIONS.keys() - {"signing_key_files"}  # which exclude another


@pytest.mark.parametrize("name", ["app", "self", "global_conf"])
def test_an_unknown_option_may_have_the_name_of_a_parameter(name):
    with pytest.raises(ConfigError, match=f"^{name}: unknown option"):
        filter_app_factory(echo, {}, store="memory://", **{name: "x"})


def test_relative_files_lie_beside_the_ini():
    section = {"store": "sqlite:///oauth.db", "signing_key_files": "new.pem /etc/old.pem"}

    assert ini_options({"here": "/the folder"}, section, Faults()) == {
        "store": "sqlite:////the folder/oauth.db",
        "signing_key_files": ["/the folder/new.pem", "/etc/old.pem"],
    }


APP = "[app:main]\npaste.app_factory = helpers.wsgi_client:echo_factory\nfilter-with = oauth\n"
FILTER = "[filter:oauth]\nuse = egg:oauth_mw\nstore = memory://\n"
RULE = "required_scopes = * /* write\n"
RULED, BASED = f"[DEFAULT]\n{RULE}", "[filter:oauth]\nuse = config:base.ini#oauth\n"
BY_FACTORY = FILTER.replace("use = egg:oauth_mw", "paste.filter_app_factory = oauth_mw.paste:filter_app_factory")
ECHO = APP.replace("main", "echo")
PIPELINE = f"[pipeline:main]\npipeline = oauth echo\n{ECHO}{FILTER}"
FILTER_APP = FILTER.replace("filter:oauth", "filter-app:main") + RULE + "next = echo\n"


# PasteDeploy drops the filter's own rule in the first four, and would let every request in.
DROPPED = {
    "in both": (RULED + APP + FILTER + RULE, "required_scopes"),
    "through another file": (RULED + APP + BASED, "required_scopes"),
    "set for another file": (APP + "set " + RULE + BASED, "required_scopes"),
    "in the defaults alone": ("[DEFAULT]\nstore = memory://\n" + APP + FILTER, "store"),
    "an old name": ("[DEFAULT]\nodd_paths = refuse\n" + APP + FILTER + "odd_paths = refuse cherrypy\n", "odd_paths"),
    "set in the app": (APP + "set realm = x\n" + FILTER, "realm"),
    "set in the filter": (APP + FILTER + "set realm = x\n", "realm"),
    "a filter's name": ("[DEFAULT]\nfilter-with = x\n" + PIPELINE, "filter-with"),
    "the filter by its factory": (RULED + APP + BY_FACTORY + RULE, "required_scopes"),
    "a filter-app": (RULED + FILTER_APP + ECHO.replace("filter-with = oauth", ""), "required_scopes"),
}


@pytest.mark.parametrize(("text", "option"), DROPPED.values(), ids=DROPPED)
def test_a_variable_with_the_name_of_an_option_stops_the_start(tmp_path, text, option):
    (tmp_path / "app.ini").write_text(text)
    (tmp_path / "base.ini").write_text(FILTER + RULE)

    with pytest.raises(ConfigError, match=rf"^{option}: .*rename the variable in \[DEFAULT\]"):
        loadapp(f"config:{tmp_path}/app.ini")


def test_a_variable_of_an_inherited_file_or_the_loader_with_the_name_of_an_option_stops_the_start(tmp_path):
    (tmp_path / "app.ini").write_text(APP + BASED + RULE)
    (tmp_path / "base.ini").write_text("[DEFAULT]\nrealm = x\n" + FILTER + "realm = shop\n")
    with pytest.raises(ConfigError, match="^realm: "):
        loadapp(f"config:{tmp_path}/app.ini")

    (tmp_path / "app.ini").write_text(APP + FILTER + RULE)
    with pytest.raises(ConfigError, match="^required_scopes: "):
        loadapp(f"config:{tmp_path}/app.ini", global_conf={"required_scopes": "x"})


COMMENTED = [
    ("realm", "shop ; its name", "shop"),
    ("token_path", "/oauth/token # here", "/oauth/token"),
    ("public_paths", "\n    /health\n    /docs/*  ; for all", "/docs/*"),
    ("required_scopes", "GET /* read # all", "GET /* read"),
    ("signing_key_files", "new.pem # old.pem", "new.pem"),
    ("leeway_seconds", "0.5\t; half", "0.5"),
    ("issuer", "https://a.example # us", "https://a.example"),
]


@pytest.mark.parametrize(("name", "value", "meant"), COMMENTED)
def test_a_comment_behind_a_value_is_refused_with_what_was_meant(name, value, meant):
    with pytest.raises(ConfigError, match=f"^{name}: a comment after a value") as refusal:
        filter_factory({}, store="memory://", **{name: value})

    assert str(refusal.value).endswith(f"did you mean {meant!r}?")


def test_what_was_meant_beside_the_ini_is_shown_with_its_folder(tmp_path):
    with pytest.raises(ConfigError, match=f"did you mean '{tmp_path}/a.pem'.$"):
        filter_factory({"here": str(tmp_path)}, store="memory://", signing_key_files=f"{tmp_path}/a.pem # b")


@pytest.mark.parametrize("name", ["store", "issuer", "public_url"])
def test_a_comment_behind_a_url_is_refused_without_its_password(name):
    with pytest.raises(ConfigError, match=f"^{name}: a comment after a value .* line of its own$"):
        filter_factory({}, **{"store": "memory://", name: "https://user:hidden@host # hidden"})


@pytest.mark.parametrize("value", ["{} # hidden", "{}\t; hidden", "# {}", "\n  {}\n  ;{}"])
def test_a_comment_behind_the_secret_is_refused_without_either(value):
    with pytest.raises(ConfigError, match="^key_encryption_secret: a comment after a value") as refusal:
        filter_factory({}, store="memory://", key_encryption_secret=value.replace("{}", "correcthorsestaple"))

    assert "hidden" not in str(refusal.value) and "horse" not in str(refusal.value)


def test_a_secret_and_a_folder_may_hold_any_mark(tmp_path, monkeypatch):
    monkeypatch.setenv("KEY_SECRET", "correct # horse ; staple")
    filter_factory({}, store="memory://", key_encryption_secret="${KEY_SECRET}")(echo)
    folder = tmp_path / "a #1 ;b ${C} ${d"
    folder.mkdir()
    own = FILTER.replace("memory://", "sqlite:///%(here)s/oauth.db")
    (folder / "app.ini").write_text(f"{APP}{own}key_encryption_secret = correct#horse;staple\n")

    loadapp(f"config:{quote(str(folder))}/app.ini")

    assert (folder / "oauth.db").is_file()
