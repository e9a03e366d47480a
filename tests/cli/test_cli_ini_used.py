"""Sections that use others, variables, and what the environment holds: as PasteDeploy starts it, so `check` says."""

from __future__ import annotations

import json
import sys
from configparser import InterpolationError

import pytest
from click.testing import CliRunner
from paste.deploy import loadwsgi

from helpers.support import echo
from oauth_mw import ConfigError
from oauth_mw.cli import main
from oauth_mw.cli.ini import read_section
from oauth_mw.errors import Faults

BASE = "[filter:oauth]\nuse = egg:oauth_mw\nstore = memory://\nrealm = base\npublic_paths = /health\n"

USED = {
    "another section": (BASE + "[filter:mine]\nuse = oauth\nrealm = mine\n", {}),
    "a section of a section": (BASE + "[filter:b]\nuse = oauth\nrealm = b\n[filter:mine]\nuse = b\n", {}),
    "another file": ("[filter:mine]\nuse = config:other.ini#oauth\nrealm = mine\n", {"other.ini": BASE}),
    "its main": ("[filter:mine]\nuse = config:other.ini\n", {"other.ini": BASE.replace("oauth]", "main]")}),
    "a file in a folder": ("[filter:mine]\nuse = config:%(here)s/a%%20b/other.ini#oauth\n", {"a b/other.ini": BASE}),
    "a file that uses a file": (
        "[filter:mine]\nuse = config:sub/b.ini#oauth\nrealm = mine\n",
        {"sub/b.ini": "[filter:oauth]\nuse = config:c.ini#oauth\ncache_size = 5\n", "sub/c.ini": BASE},
    ),
    "variables of both": (
        "[DEFAULT]\na = 1\n[filter:mine]\nuse = config:other.ini#oauth\n",
        {"other.ini": "[DEFAULT]\na = 2\nb = 3\n" + BASE + "token_prefix = %(a)s_%(b)s\n"},
    ),
    "set for another file": (
        "[filter:mine]\nuse = config:other.ini#oauth\nset a = mine\n",
        {"other.ini": "[DEFAULT]\na = base\n" + BASE.replace("realm =", "get realm =").replace("= base", "= a")},
    ),
}


def read(place: str, **variables: str):
    faults = Faults()
    section = read_section(place, variables, faults)
    faults.raise_all()
    return section


def run(*words: str):
    return CliRunner().invoke(main, words)


@pytest.mark.parametrize(("text", "others"), USED.values(), ids=USED)
def test_what_a_section_uses_is_what_pastedeploy_hands_over(write, tmp_path, text, others):
    write(text, others)
    theirs = loadwsgi.loadcontext(loadwsgi.FILTER, f"config:{tmp_path}/app.ini", name="mine").local_conf

    assert read("app.ini#mine").options == theirs


def test_a_used_section_alone_needs_no_name(write):
    write("[filter:mine]\nuse = config:other.ini#oauth\n", {"other.ini": BASE})
    assert read("app.ini").options["realm"] == "base"

    write(BASE + "[filter-app:main]\nuse = oauth\nnext = shop\nrealm = mine\n[app:shop]\nuse = egg:shop\n")
    assert read("app.ini#main").options == {"store": "memory://", "realm": "mine", "public_paths": "/health"}


@pytest.mark.parametrize(
    "use", ["mine", "nothing", "config:app.ini#mine", "config:app.ini#nothing", "config:b.ini#mine"]
)
def test_what_leads_nowhere_is_none_of_ours(write, use):
    write(f"[filter:mine]\nuse = {use}\n", {"b.ini": "[filter:mine]\nuse = config:app.ini#mine\n"})

    with pytest.raises(ConfigError, match="no .filter:"):
        read("app.ini")


@pytest.mark.parametrize("use", ["config:gone.ini", "config:broken.ini", "5%", "egg:nothing", "call:nothing:nothing"])
def test_a_filter_of_others_is_not_looked_into(write, use):
    write(f"[filter:theirs]\nuse = {use}\n{BASE}", {"broken.ini": "nothing"})

    assert read("app.ini").options["realm"] == "base"


def test_an_option_that_pastedeploy_drops_is_refused(write, tmp_path):
    write(BASE + "filter-with = egg:oauth_mw\n[filter:mine]\nuse = oauth\nrequired_scopes = * /* write\n")
    loaded = loadwsgi.loadcontext(loadwsgi.FILTER, f"config:{tmp_path}/app.ini", name="mine")

    with pytest.raises(ConfigError, match="^required_scopes: .*PasteDeploy drops this option"):
        read("app.ini#mine")
    assert "required_scopes" not in loaded.next_context.local_conf


def test_a_section_that_uses_this_one_changes_none_of_its_options(write):
    apps = "".join(f"[app:{name}]\nuse = egg:x\nfilter-with = {name}\n" for name in ("mine", "oauth"))
    mounts = "[composite:main]\nuse = egg:Paste#urlmap\n/mine = mine\n/ = oauth\n"
    write(mounts + apps + BASE + "[filter:mine]\nuse = oauth\nrealm = mine\n")

    assert [read(f"app.ini#{name}").options["realm"] for name in ("oauth", "mine")] == ["base", "mine"]


FAULTS = {
    "missing": (None, "other.ini: cannot be read"),
    "a byte order mark": ("\ufeff[filter:oauth]\n", "other.ini: is not a Paste ini: it begins with a byte order mark"),
    "no section": ("realm = k33p\n", "other.ini: is not a Paste ini: line 1 is before"),
    "%": (BASE + "token_prefix = 5%k33p\n", "other.ini: is not a Paste ini: .filter:oauth. token_prefix"),
    "%(name)s": (BASE + "token_prefix = %(k33p)s\n", "other.ini: .*: a variable .* --set NAME=VALUE"),
    "no value": (BASE + "\nk33p\n", "other.ini: is not a Paste ini: no 'name = value' in line 7"),
}


@pytest.mark.parametrize(("other", "says"), FAULTS.values(), ids=FAULTS)
def test_a_fault_of_a_used_file_is_shown_with_its_name(write, tmp_path, other, says):
    write("[filter:mine]\nuse = config:other.ini#oauth\n", {"other.ini": other} if other else {})

    with pytest.raises(ConfigError, match=f"^{tmp_path}/{says}") as refusal:
        read("app.ini")
    assert "k33p" not in str(refusal.value)


FACTORIES = "".join(f"paste.filter{each}_factory = oauth_mw.paste:k33p\n" for each in ("", "_app"))
UNLOADABLE = {
    "require": (BASE + "require = k33p\n", "'require' or 'use' names is not installed"),
    "no factory": (BASE.replace("egg:oauth_mw", "call:oauth_mw.paste:k33p"), "nothing to load"),
    "no filter": (BASE.replace("egg:oauth_mw", "call:oauth_mw.paste:ini_options"), "not lead to"),
    "two of a name": (BASE + "[filter: oauth]\nuse = egg:oauth_mw\n", "nothing to load"),
    "no such factory": (BASE.replace("use = egg:oauth_mw", FACTORIES), "nothing to load"),
}


@pytest.mark.parametrize(("text", "says"), UNLOADABLE.values(), ids=UNLOADABLE)
def test_what_cannot_be_loaded_is_refused_without_values(write, text, says):
    write(text)

    with pytest.raises(ConfigError, match=says) as refusal:
        read("app.ini#filter:oauth")
    assert "k33p" not in str(refusal.value)


# The app around the filter


def shop(global_conf, **local_conf):
    return echo


def composite(loader, global_conf, **apps):
    return [loader.get_app(name, global_conf=global_conf) for name in apps.values()][0]


def wrapping(global_conf, **local_conf):
    return lambda app: app


HERE = __name__
SHOP = f"{BASE}[app:shop]\npaste.app_factory = {HERE}:shop\n"
OTHER = f"[filter:other]\npaste.filter_factory = {HERE}:wrapping\n"
MAIN = "[pipeline:main]\npipeline = oauth shop\n"
WEB = MAIN.replace("main", "web")
REFUSED = {
    "set in the pipeline": SHOP + MAIN + "set realm = x\n",
    "a filter set in the pipeline": SHOP + MAIN + "set filter-with = x\n",
    "a folder set in the pipeline": SHOP.replace("memory://", "sqlite:///x.db") + MAIN + "set here = /nowhere\n",
    "set in an app with filter-with": SHOP.replace("app:shop", "app:main") + "filter-with = oauth\nset realm = x\n",
    "set in an app that uses another": SHOP + "filter-with = oauth\n[app:main]\nuse = shop\nset realm = x\n",
    "set in an app that uses the pipeline": SHOP + WEB + "[app:main]\nuse = web\nset realm = x\n",
    "set in a composite": (
        SHOP + WEB + f"[composite:main]\npaste.composite_factory = {HERE}:composite\n/ = web\nset realm = x\n"
    ),
    "set in a filter-app before it": SHOP
    + WEB
    + OTHER.replace("filter:other", "filter-app:main")
    + "next = web\nset realm = x\n",
    "set in an app of another name": SHOP + WEB + "set realm = x\n",
    "use in DEFAULT": "[DEFAULT]\nuse = egg:oauth_mw\n" + SHOP + MAIN,
    "pipeline in DEFAULT": "[DEFAULT]\npipeline = oauth shop\n" + SHOP + "[pipeline:main]\n",
    "pipeline in DEFAULT, too": "[DEFAULT]\npipeline = oauth shop\n" + SHOP + MAIN,
    "next in DEFAULT": "[DEFAULT]\nnext = shop\n" + SHOP.replace("filter:oauth", "filter-app:main"),
    "no such filter": SHOP + "[pipeline:main]\npipeline = oauth gone shop\n",
    "no such app": SHOP + "[pipeline:main]\npipeline = oauth gone\n",
    "no such file": SHOP.replace("paste.app_factory", "use = config:gone.ini\nx") + MAIN,
    "two of a name": SHOP + MAIN + "[app:main]\nuse = shop\n",
    "no factory": SHOP.replace("paste.app_factory", "x") + MAIN,
    "an option in a pipeline": SHOP + MAIN + "realm = x\n",
    "a variable in a pipeline": SHOP + MAIN + "get x = gone\n",
    "a percent sign": SHOP + "[pipeline:main]\npipeline = oauth %(gone)s shop\n",
    "a circle": BASE + MAIN + "[app:shop]\nuse = b\n[app:b]\nuse = shop\n",
}
ACCEPTED = {
    "set behind the filter": SHOP + "set realm = x\n" + MAIN,
    "set in a filter before it": SHOP + OTHER + "set realm = x\n" + MAIN.replace("=", "= other"),
    "set in another pipeline": SHOP + MAIN + OTHER + "[pipeline:web]\npipeline = other shop\nset realm = x\n",
    "another pipeline that cannot be loaded": SHOP + MAIN + "[pipeline:web]\npipeline = gone shop\n",
    "used twice": SHOP + MAIN + "[pipeline:web]\npipeline = oauth main\n",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_check_refuses_what_a_start_refuses(write, tmp_path, text):
    write(text)
    with pytest.raises((ConfigError, LookupError, OSError, RecursionError, InterpolationError)) as refusal:
        loadwsgi.loadapp(f"config:{tmp_path}/app.ini", "main" if "main]" in text else "web")

    answer = run("check", "app.ini")

    assert (answer.exit_code, answer.output[:7]) == (2, "Error: ")
    if isinstance(refusal.value, ConfigError):
        assert answer.output == f"Error: {refusal.value}\n"


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_check_accepts_what_a_start_accepts(write, tmp_path, text):
    write(text)

    assert loadwsgi.loadapp(f"config:{tmp_path}/app.ini")
    assert run("check", "app.ini").exit_code == 0


@pytest.mark.parametrize("app", [WEB.replace("web", "main"), "[app:main]\nuse = config:other.ini#web\n"])
def test_a_filter_that_main_does_not_load_is_read_only_by_its_name(write, tmp_path, app):
    write(SHOP + app.replace("oauth", "config:other.ini#oauth"), {"other.ini": SHOP + WEB})

    with pytest.raises(ConfigError, match=f"does not load .filter:oauth., but the filter of {tmp_path}/other.ini"):
        read("app.ini")
    assert read("app.ini#oauth").options["realm"] == "base"


def test_a_variable_that_the_pipeline_sets_is_read_from_it(write):
    write(SHOP.replace("realm =", "get realm =") + MAIN + "set base = shop\n")

    assert read("app.ini").options["realm"] == "shop"


def test_check_imports_nothing_of_other_packages(write):
    text = SHOP + OTHER + "[filter:b]\nuse = egg:gone\n" + MAIN.replace("=", "= other b")
    write(text.replace(HERE, "gone"))

    assert run("check", "app.ini").exit_code == 0


# Variables


def test_variables_are_set_as_pserve_takes_them(write, tmp_path):
    write(BASE.replace("= base", "= %(name)s").replace("memory://", "sqlite:///%(here)s/x.db"))
    run("--store", f"sqlite:///{tmp_path}/x.db", "client", "add", "job")

    answers = [
        run("check", "app.ini", "--set", "name=shop"),
        run("--set", "name=shop", "check", "app.ini"),
        run("--config", "app.ini", "--set", "name=a=b", "client", "list"),
    ]

    assert [answer.exit_code for answer in answers] == [0, 0, 0]
    assert read("app.ini", name="shop").options["realm"] == "shop"
    assert run("check", "app.ini").exit_code == 2


def test_a_variable_of_the_ini_is_kept_and_one_with_the_name_of_an_option_refused(write):
    write("[DEFAULT]\nname = theirs\n" + BASE.replace("= base", "= %(name)s"))

    assert read("app.ini", name="mine").options["realm"] == "theirs"
    with pytest.raises(ConfigError, match="^realm: .*rename the variable"):
        read("app.ini", realm="mine")


@pytest.mark.parametrize("words", [["check", "app.ini", "--set", "hidden"], ["--set", "=hidden", "client", "list"]])
def test_what_is_no_variable_is_refused_without_it(write, words):
    answer = run(*words)

    assert (answer.exit_code, "expected NAME=VALUE" in answer.output, "hidden" in answer.output) == (2, True, False)


BY_VARIABLE = {
    "a secret": ("key_encryption_secret = %(x)s", "hidden1 hidden2 hidden3", "key_encryption_secret"),
    "through a variable": (
        "get key_encryption_secret = y\n[DEFAULT]\ny = %(x)s",
        "hidden1 hidden2 hidden3",
        "key_encryption_secret",
    ),
    "a password": ("store = redis://u:a-%(x)s@127.0.0.1:1/0", "hidden", "store"),
    "a password in the query": ("store = redis+sentinel://h/a?sentinel_password=%(x)s", "hidden", "store"),
    "a URL": ("store = %(x)s", "redis://:hidden@127.0.0.1:1/0", "store"),
}


@pytest.mark.parametrize(("line", "value", "option"), BY_VARIABLE.values(), ids=BY_VARIABLE)
def test_a_variable_that_ends_up_in_a_secret_is_refused_without_it(write, line, value, option):
    write(f"[filter:oauth]\nuse = egg:oauth_mw\n{line}\n")

    answers = [
        run("check", "app.ini", "--set", f"x={value}"),
        run("--config", "app.ini", "--set", f"x={value}", "client", "list"),
    ]

    for answer in answers:
        assert answer.exit_code == 2 and "hidden" not in answer.output
        assert f"{option}: --set x shows a secret to other users: write ${{NAME}} in the ini" in answer.output


BESIDE = ["realm = %(x)s", "store = sqlite:///%(x)s.db", "store = redis://%(x)s:p@h/0"]


@pytest.mark.parametrize("line", [*BESIDE, "store = redis://u:${A_%(x)s}@h/0"])
def test_a_variable_beside_a_secret_is_accepted(write, monkeypatch, line):
    for name in ("A", "A_shop"):
        monkeypatch.setenv(name, "correct horse battery")
    write(BASE.replace("realm = base", "key_encryption_secret = ${A}").replace("store = memory://", "") + line)

    assert read("app.ini", x="shop")


def test_without_pastedeploy_it_says_what_to_install(write, monkeypatch):
    write(BASE)
    monkeypatch.delitem(sys.modules, "oauth_mw.cli.ini")
    monkeypatch.setitem(sys.modules, "paste.deploy", None)

    answers = [run("check", "app.ini"), run("--config", "app.ini", "client", "list")]

    wanted = "Error: app.ini: reading it needs PasteDeploy: pip install 'oauth_mw[paste]'\n"
    assert [(answer.exit_code, answer.output) for answer in answers] == [(2, wanted)] * 2


VALUES = {
    "alone": ("realm", "${A}", {"A": "x ${B} # y"}, "x ${B} # y"),
    "in a word": ("token_prefix", "a_${A}_${B}", {"A": "1", "B": "2"}, "a_1_2"),
    "a URL alone": ("store", "${A}", {"A": "redis://:p@h/0"}, "redis://:p@h/0"),
    "in a URL": ("store", "redis://:${A}@${B}/0", {"A": "p@:/%# s", "B": "h"}, "redis://:p%40%3A%2F%25%23%20s@h/0"),
    "bytes in a URL": ("store", "redis://:${A}@h", {"A": "\udcff"}, "redis://:%FF@h"),
    "in a file": ("store", "sqlite:///${A}/x.db", {"A": "/a b%"}, "sqlite:////a b%/x.db"),
    "a relative file": ("store", "${A}", {"A": "sqlite:///x.db"}, "sqlite:///{here}/x.db"),
    "some words": ("audience", "urn:a https://${A}/x ${B}", {"A": "h/", "B": "urn:b"}, "urn:a https://h%2F/x urn:b"),
    "lines": ("required_scopes", "\n  GET /${A} a\n  * /b b", {"A": "x"}, "\nGET /x a\n* /b b"),
    "nothing": ("realm", "a${A}", {"A": ""}, "a"),
    "a dollar sign twice": ("realm", "$${A} $$${A} $$A", {"A": "x"}, "${A} $${A} $$A"),
    "a literal in a URL": ("store", "redis://:$${A}@h", {}, "redis://:${A}@h"),
    "not again": ("realm", "${A}", {"A": "${B} $${C} %(here)s %%"}, "${B} $${C} %(here)s %%"),
    "no variable": ("realm", "$A {A} $ {A} $(A)", {"A": "x"}, "$A {A} $ {A} $(A)"),
    "files": ("signing_key_files", "${A} b.pem", {"A": "/k/a.pem"}, ["/k/a.pem", "{here}/b.pem"]),
    "a secret": ("key_encryption_secret", "${A}", {"A": "correct # horse ${battery}"}, "correct # horse ${battery}"),
}


@pytest.mark.parametrize(("name", "written", "environ", "value"), VALUES.values(), ids=VALUES)
def test_a_value_is_taken_from_the_environment(write, tmp_path, monkeypatch, name, written, environ, value):
    lines = {"use": "egg:oauth_mw", "store": "memory://", name: written}
    write("[filter:oauth]\n" + "".join(f"{key} = {text}\n" for key, text in lines.items()))
    for variable, text in environ.items():
        monkeypatch.setenv(variable, text)

    assert repr(read("app.ini").options[name]) == repr(value).replace("{here}", str(tmp_path))


MISSING = {
    "one": ("realm = ${GONE}", "realm: not set in the environment: ${GONE}"),
    "two": ("store = redis://${GONE}:${LOST}@h", "store: not set in the environment: ${GONE}, ${LOST}"),
    "empty": ("required_scopes =\n    ${EMPTY}", "required_scopes: ${EMPTY} is empty in the environment"),
    "an empty line": ("required_scopes =\n    GET /x a\n    ${EMPTY}", "required_scopes: ${EMPTY} is empty in the env"),
    "an empty scope": ("required_scopes = GET /x a ${EMPTY}", "required_scopes: ${EMPTY} is empty in the environment"),
    "no name": ("realm = ${}", "realm: expected ${NAME}"),
    "a default": ("realm = ${GONE:-x}", "realm: expected ${NAME}"),
    "not closed": ("realm = ${GONE", "realm: expected ${NAME}"),
}


@pytest.mark.parametrize(("line", "says"), MISSING.values(), ids=MISSING)
def test_a_variable_that_is_missing_is_named(write, tmp_path, monkeypatch, line, says):
    monkeypatch.delenv("GONE", raising=False)
    monkeypatch.setenv("EMPTY", " ")
    store = "" if "store" in line else "store = memory://\n"
    write(f"[filter:oauth]\nuse = egg:oauth_mw\n{line}\ncache_size = many\n{store}")

    answer = run("check", "app.ini")

    with pytest.raises(ConfigError) as refusal:
        loadwsgi.loadfilter(f"config:{tmp_path}/app.ini", "oauth")
    assert [line.removeprefix("Error: ") for line in answer.output.splitlines()] == str(refusal.value).splitlines()
    assert str(refusal.value).startswith(says) and [name for name, _ in refusal.value.faults][1:] == ["cache_size"]


@pytest.mark.parametrize("words", [["check", "app.ini"], ["--config", "app.ini", "client", "list"]])
def test_a_fault_of_a_command_names_the_variable_and_not_its_value(write, monkeypatch, words):
    monkeypatch.setenv("A", "/hidden")
    write(BASE + "token_path = /hidden\nrevocation_path = ${A}\n")

    assert run(*words).output == "Error: revocation_path: ${A}: ${A} is taken by token_path\n"


def test_an_ini_whose_secrets_are_in_the_environment_may_be_read_by_all(write, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "correct horse # battery")
    monkeypatch.setenv("PASSWORD", "p")
    write(BASE.replace("memory://", "redis://u:${PASSWORD}@127.0.0.1:1/0") + "key_encryption_secret = ${SECRET}\n")
    (tmp_path / "app.ini").chmod(0o644)
    tmp_path.chmod(0o755)

    answer = run("--store", f"sqlite:///{tmp_path}/x.db", "check", "app.ini", "--json")

    assert [each for each in json.loads(answer.output)["warnings"] if not each.startswith("store: ")] == []
