"""The section of an ini is read as PasteDeploy reads it."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from paste.deploy import loadwsgi

from oauth_mw import ConfigError
from oauth_mw.cli import main
from oauth_mw.cli.ini import Section
from oauth_mw.cli.ini import read_section as read
from oauth_mw.errors import Faults

HEAD = "[filter:oauth]\nuse = egg:oauth_mw\n"
STORE = "store = sqlite:///x.db\n"

TEXTS = {
    "plain": HEAD + STORE + "realm = shop\n",
    "here": HEAD + "store = sqlite:///%(here)s/sub/x.db\n",
    "rules on lines": HEAD + STORE + "required_scopes =\n    GET /a read\n\n    * /a write\n",
    "names of defaults": "[DEFAULT]\ndb = x.db\n" + HEAD + "store = sqlite:///%(db)s\n",
    "a default has another value here": "[DEFAULT]\ndb = x.db\n" + HEAD + "db = y.db\nstore = sqlite:///%(db)s\n",
    "get": "[DEFAULT]\ndb = sqlite:///x.db\n" + HEAD + "get store = db\n",
    "set in the defaults": "[DEFAULT]\nset shop = a\n" + HEAD + STORE + "get realm = shop\n",
    "comments": HEAD + STORE + "; one\n# two\nrealm =\n    # three\n    a;b#c\n",
    "require": HEAD + STORE + "require = click\n",
    "named entry point": "[filter:oauth]\nuse = egg:oauth_mw#main\n" + STORE,
    "dashed name": "[filter:oauth]\nuse = egg:oauth-mw\n" + STORE,
    "call": "[filter:oauth]\nuse = call:oauth_mw.paste:filter_factory\n" + STORE,
    "filter factory": "[filter:oauth]\npaste.filter_factory = oauth_mw.paste:filter_factory\n" + STORE,
    "filter app factory": "[filter:oauth]\npaste.filter_app_factory = oauth_mw.paste:filter_app_factory\n" + STORE,
    "space in the brackets": "[filter: oauth]\nuse = egg:oauth_mw\n" + STORE,
    "beside others": "[app:main]\nuse = egg:shop\nfilter-with = oauth\nrealm = x\n\n" + HEAD + STORE,
}


def read_section(place: str, **variables: str) -> Section:
    faults = Faults()
    section = read(place, variables, faults)
    faults.raise_all()
    return section


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_options_are_those_that_pastedeploy_hands_over(write, tmp_path, text):
    write(text)
    theirs = loadwsgi.loadcontext(loadwsgi.FILTER, f"config:{tmp_path}/app.ini", name="oauth").local_conf

    ours = dict(read_section("app.ini").options)

    file = theirs["store"].removeprefix("sqlite:///")
    assert ours == {**theirs, "store": f"sqlite:///{tmp_path / file}"}


@pytest.mark.parametrize("text", ["[filter-app:main]\nuse = egg:oauth_mw\nnext = shop\n", HEAD], ids=["app", "filter"])
def test_what_chains_filters_is_no_option(write, text):
    write(text + "filter-with = gzip\n" + STORE + "[filter:gzip]\nuse = egg:gzip\n[app:shop]\nuse = egg:shop\n")
    assert read_section("app.ini").options.keys() == {"store"}

    write(HEAD + STORE + "next = shop\n")  # only a filter-app has a next
    assert "next" in read_section("app.ini").options


def test_a_name_chooses_one_of_several(write):
    strict = "[filter-app:main]\nuse = egg:oauth_mw\nnext = shop\nrealm = strict\n" + STORE
    write(f"{HEAD}{STORE}{strict}[app:shop]\nuse = egg:shop\n")

    for name in ("main", "filter-app:main"):
        assert read_section(f"app.ini#{name}").options["realm"] == "strict"
    with pytest.raises(ConfigError, match=r"several .*\[filter:oauth\], \[filter-app:main\].*app.ini#filter:oauth"):
        read_section("app.ini")


REFUSED = {
    "no file": (HEAD, "other.ini", "cannot be read"),
    "a folder": (HEAD, ".", "cannot be read"),
    "no such section": (HEAD, "app.ini#strict", "not a section that loads"),
    "an app is no filter": ("[app:main]\nuse = egg:oauth_mw\n", "app.ini", "no .filter"),
    "another filter": ("[filter:x]\nuse = egg:other\n", "app.ini", "no .filter"),
    "a longer name": ("[filter:x]\nuse = egg:oauth_mw_more\n", "app.ini", "no .filter"),
    "no section": ("realm = x\n", "app.ini", "not a Paste ini"),
    "an option twice": (HEAD + "realm = a\nrealm = b\n", "app.ini", "not a Paste ini"),
    "a single percent sign": (HEAD + "realm = 50% off\n", "app.ini", "not a Paste ini"),
    "whose percent": (HEAD + "realm = 5% off\n", "app.ini", r"\[filter:oauth\] realm: a % .* written %%"),
    "a line without value": (HEAD + STORE + "\nrealm\n", "app.ini", "in line 5$"),
    "a default filter": ("[DEFAULT]\nfilter-with = oauth\n" + HEAD + STORE, "app.ini", "^filter-with: .*rename"),
    "an unknown name": (HEAD + "realm = %(unknown)s\n", "app.ini", "not a Paste ini"),
    "get of nothing": (HEAD + "get store = unknown\n", "app.ini", "store: 'get' names 'unknown'"),
    "not UTF-8": ("[filter:x]\nrealm = \udcff\n", "app.ini", "not a Paste ini"),
}


@pytest.mark.parametrize(("text", "place", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused(write, text, place, says):
    write(text)

    with pytest.raises(ConfigError, match=says):
        read_section(place)


PASSWORD = "k33p-th1s-0ff-the-screen"

LEAKS = {
    "a percent sign": f"store = postgresql+psycopg://u:%{PASSWORD}@h/d\n",
    "a percent sign at the end": f"key_encryption_secret = {PASSWORD}%\n",
    "a name in parentheses": f"store = redis://:%({PASSWORD})s@h/0\n",
    "an open parenthesis": f"store = redis://:%({PASSWORD}@h/0\n",
    "a default": f"[DEFAULT]\npassword = 5%{PASSWORD}\n",
    "a name of itself": f"password = {PASSWORD}%(password)s\n",
    "a line without name": f"{PASSWORD}\n",
    "a line before all": f"\n[filter:other]\n[filter:other]\n{PASSWORD} = x\n",
    "not UTF-8": f"key_encryption_secret = {PASSWORD}\udcff{PASSWORD}\n",
    "a get": f"get store = redis://:{PASSWORD}@h/0\n",
    "a get of the secret": f"get key_encryption_secret = {PASSWORD.replace('-', '_')}\n",
    "a comment behind a URL": f"store = redis://:{PASSWORD}@h/0 # {PASSWORD}\n",
}


@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS)
def test_a_fault_is_shown_without_what_may_be_a_password(write, text):
    write(HEAD + text)

    checked = CliRunner().invoke(main, ["check", "app.ini"])
    listed = CliRunner().invoke(main, ["--config", "app.ini", "client", "list"])

    assert (checked.exit_code, listed.exit_code, listed.output) == (2, 2, checked.output)
    assert checked.output.startswith("Error: ") and checked.output.count("\n") == 1
    assert "k33p" not in checked.output and "0ff" not in checked.output
