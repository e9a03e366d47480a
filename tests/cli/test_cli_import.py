"""``oauth-mw import``."""

from __future__ import annotations

import json

import pytest
from webtest import TestApp

from helpers.apigee import KEY, SECRET, app, credential, developer, operations, page, product
from helpers.support import bearer, echo, issue
from oauth_mw import OAuthMiddleware

WORDS = ("import", "apigee", "apigee.json", "--base-path", "weather-v1=/v1")
ODD = app(credential("odd", key="odd", secret="Rk9Tz4VbWpX7qLm2"), name="odd-app")


@pytest.fixture
def export(tmp_path):
    """Write what Apigee answers to a file."""

    def export(*apps, products=(), developers=None, **files):
        products = [
            product("weather", ("GET", "/forecast/*"), ("", "/alerts/**"), quota="9", quotaTimeUnit="day"),
            *products,
        ]
        content = page(*apps, products=products, developers=developers)
        (tmp_path / "apigee.json").write_text(json.dumps(content))
        (tmp_path / "apigee.json").chmod(0o600)

    export(app(credential("weather")), ODD, products=[product("odd", ("GET", "/a/**/b"))])
    return export


def test_a_dry_run_shows_all_of_it_in_80_columns_and_makes_nothing(cli, export, tmp_path):
    answer = cli(*WORDS, "--dry-run")

    assert (answer.exit_code, answer.stderr) == (0, "dry run: nothing was changed\n")
    assert [" ".join(line.split()) for line in answer.stdout.splitlines()] == [
        "PRODUCT IN APIGEE HERE",
        "weather GET /forecast/* of weather-v1 GET /v1/forecast/{}",
        "weather * /alerts/** of weather-v1 * /v1/alerts/{}/*",
        "",
        "QUOTA OF PRODUCT PROXY NOT CARRIED OVER NEAREST OPTION",
        "weather - 9 per day --rate-limit 9/day",
        "",
        "keys of apps: 2, enabled clients: 1",
        "carried over: ids, secrets, attributes; scopes of 0, ends of 0, paths of 1",
        "CLIENT_ID NAME STATE",
        f"{KEY} weather-app enabled",
        "odd odd-app disabled",
        "",
        "2 clients added",
        "",
        "cannot be expressed here, and so imported disabled (`client update` and `client",
        "enable` open what is right):",
        "the API product 'odd': GET /a/**/b of weather-v1: ** is not at its end",
        "odd",
    ]
    assert max(map(len, answer.stdout.splitlines())) <= 80
    assert not (tmp_path / "oauth.db").exists()


def test_a_client_goes_on_with_its_id_and_secret(cli, export, url):
    cli(*WORDS)

    protected = TestApp(OAuthMiddleware(echo, store=url))
    headers = bearer(issue(protected, KEY, SECRET))
    assert protected.get("/v1/forecast/paris", headers=headers).status_int == 200
    assert protected.get("/v1/forecast", headers=headers, status=403).json["error"] == "insufficient_scope"


def test_a_second_run_shows_what_has_changed_there(cli, export):
    cli(*WORDS)
    assert "\nnothing to change\n" in cli(*WORDS).stdout
    cli("client", "enable", "odd")
    assert "changed here:\n  enabled\n    odd\n" in cli(*WORDS).stdout

    export(app(credential("weather", scopes=["a"]), name="new name"))

    lines = [line.split() for line in cli(*WORDS).stdout.splitlines()]
    assert [KEY, "new", "name", "update", "name", "weather-app", "new", "name"] in lines


def test_what_stays_closed_is_said_and_opened_by_its_id(cli, export):
    cli(*WORDS)
    cli("client", "disable", KEY)
    cli("client", "delete", "odd", "--yes")
    export(app(credential("weather"), status="revoked"), ODD, products=[product("odd")])
    cli(*WORDS)
    export(app(credential("weather")), ODD, products=[product("odd")])

    again = cli(*WORDS)
    assert again.stderr.splitlines() == [
        f"client '{KEY}' stays disabled: --reopen would open it again",
        "client 'odd' was deleted here, and is not added again",
    ]
    assert [line.split()[-1] for line in again.stdout.splitlines() if "-app  " in line] == ["disabled", "deleted"]
    assert f"changed here:\n  disabled\n    {KEY}\n" in again.stdout
    assert "enabled" in cli(*WORDS, "--reopen", KEY).stdout
    assert "enabled" in cli("client", "show", KEY).stdout


def test_a_key_that_is_no_more_in_apigee_is_named_and_pruned(cli, export):
    cli(*WORDS)
    cli("client", "add", "by hand", "--id", "by-hand")
    export(ODD, products=[product("odd")])

    assert cli(*WORDS).stderr.splitlines() == [
        "client 'odd' stays disabled: --reopen would open it again",
        f"imported before, and not in these files, 1: {KEY} (--prune disables them)",
    ]
    lines = [line.split() for line in cli(*WORDS, "--prune").stdout.splitlines()]
    assert [KEY, "weather-app", "disable", "enabled", "true", "false"] in lines
    assert "by hand" in [each["name"] for each in json.loads(cli("client", "list", "--json").stdout) if each["enabled"]]
    assert cli(*WORDS).stderr == ""


def test_scripts_get_all_of_it_as_json_but_no_secret(cli, printed, export):
    found = printed(*WORDS)

    assert [(each["client_id"], each["enabled"]) for each in found["clients"]] == [(KEY, True), ("odd", False)]
    assert found["products"][1]["rules"][0]["requests"] == ["GET /v1/forecast/{}"]
    assert found["quotas"][0]["rate"] == "9/day"
    assert [each["action"] for each in found["changes"]] == ["add", "add"]
    assert SECRET not in json.dumps(found)


def test_all_faults_are_shown_and_no_store_is_made(cli, export, tmp_path):
    export(app(credential("weather", secret="hunter2")), ODD)

    weak = cli(*WORDS[:3])
    faulty = cli("import", "apigee", "apigee.json", "-", input="{")

    assert (weak.exit_code, faulty.exit_code) == (2, 2)
    assert [line.split(":")[1] for line in weak.stderr.splitlines()] == [" --base-path", f" client '{KEY}'"]
    assert "hunter2" not in weak.output
    assert faulty.stderr.startswith("Error: <stdin>: cannot be read as JSON")
    assert not (tmp_path / "oauth.db").exists()


def test_a_weak_secret_that_is_accepted_is_warned_of(cli, export):
    export(app(credential("weather", secret="hunter2")))

    assert cli(*WORDS, "--allow-weak-secret").stderr.endswith(f"warning: client '{KEY}' has a weak secret\n")


def test_what_could_control_the_terminal_is_escaped(cli, export):
    evil = "a\x1b[31m"
    open_to_all = product(evil, ("", f"/{evil}"))
    odd = product(evil, operationGroup=operations(("", "/"), proxy=evil), environments=[evil])
    export(app(credential(evil, key=f"k{evil}"), credential(evil), name=evil), products=[open_to_all])
    shown = cli(*WORDS)
    export(app(credential(key=evil), appId=evil), app(credential(key=evil), appId="b"), products=[odd])
    faulty = cli(*WORDS)
    export(app(credential(evil, "weather")), products=[odd])
    needing = [cli("import", "apigee", "apigee.json", *more) for more in ([], ["--environment", evil])]

    assert [each.exit_code for each in (shown, faulty, *needing)] == [0, 2, 2, 2]
    assert not any("\x1b" in each.output for each in (shown, faulty, *needing))


def test_a_bar_shows_the_progress_on_a_terminal(on_terminal, export, cli):
    code, shown, _ = on_terminal(*WORDS)

    assert (code, b"importing clients" in shown, b"100%" in shown) == (0, True, True)


@pytest.mark.parametrize("developers", [[], [developer(status="inactive")]], ids=["unknown", "inactive"])
def test_an_app_of_a_developer_that_is_not_active_is_no_enabled_client(cli, export, developers):
    export(app(credential("weather")), app(name="b", developerId="b"), developers=[developer("b"), *developers])

    assert "keys of apps: 1, enabled clients: 0" in cli(*WORDS).stdout


def test_a_client_of_which_a_page_is_missing_goes_on_and_is_named(cli, export, url):
    cli(*WORDS)
    export(app(credential("gone")), products=[product("another", ("GET", "/x"))])

    again = cli(*WORDS)

    assert "not complete in these files" in again.stdout
    assert "the API product 'gone' is not in the files" in again.stdout
    assert issue(TestApp(OAuthMiddleware(echo, store=url)), KEY, SECRET)


def test_a_file_that_others_can_read_is_warned_of(cli, export, tmp_path):
    (tmp_path / "apigee.json").chmod(0o644)

    assert "warning: every user of this machine can read apigee.json: chmod o-r" in cli(*WORDS).stderr


STATES = {
    "disabled": (app(credential("weather", status="revoked")), "the key is revoked"),
    "no path": (app(credential()), "enabled clients: 1"),
    "expired": (app(credential("weather", expiresAt="1694509200000")), "enabled clients: 0"),
    "not added": (app(credential("weather", key="k" * 256)), "no client id"),
}


@pytest.mark.parametrize(("state", "exported", "said"), [(state, *each) for state, each in STATES.items()], ids=STATES)
def test_the_state_of_each_key_is_shown_and_why(cli, export, state, exported, said):
    export(exported)

    shown = cli(*WORDS).stdout

    assert f"  weather-app  {state}\n" in shown
    assert said in shown
