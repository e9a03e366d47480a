from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest

from helpers.builders import API, BILLING
from helpers.support import CC, SECRET, basic, bearer, issue
from oauth_mw import admin

KEYS = set(
    "client_id name scope default_scope lifetime token_format audiences default_audience attributes public_attributes"
    " resource_server allowed_addresses allowed_requests rate_limit enabled not_after tokens_per_hour tokens_per_day"
    " quota_mode created_at last_used_at secrets revoked_secrets".split()
)


def test_add_shows_id_and_secret_in_aligned_lines(cli):
    answer = cli("client", "add", "Nightly report job", "--scope", "reports:read")

    assert re.fullmatch(
        r"client_id      [a-z0-9]{20}\n"
        r"client_secret  [A-Za-z0-9]{43}    \(shown once; only its hash is stored\)\n",
        answer.stdout,
    )


def test_add_answers_scripts_with_the_secret_and_all_else(app, registered):
    assert registered.keys() == KEYS | {"client_secret"}
    assert registered["scope"] == "read write"
    assert issue(app, "tester", registered["client_secret"])


def test_add_takes_every_field(cli, printed):
    words = "--id full --lifetime 60 --attribute n=3 --public-attribute tier=gold --resource-server".split()
    words += "--scope a --scope b --default-scope a --default-scope b".split()
    words += f"--audience {API} --audience {BILLING} --default-audience {BILLING} --token-format jwt".split()
    words += "--tokens-per-hour 10 --tokens-per-day 99 --quota-mode report".split()
    wanted = {
        "tokens_per_hour": 10, "tokens_per_day": 99, "quota_mode": "report",
        "scope": "a b", "default_scope": "a b", "lifetime": 60, "audiences": [API, BILLING], "token_format": "jwt",
        "default_audience": [BILLING], "attributes": {"n": 3}, "public_attributes": {"tier": "gold"},
        "resource_server": True,
    }  # fmt: skip

    made = printed("client", "add", "full", *words)
    shown = cli("client", "show", "full").stdout

    assert {name: made[name] for name in wanted} == wanted
    assert f"\naudiences          {API} {BILLING}\ndefault_audience   {BILLING}\n" in shown
    assert "\ntoken_format       jwt\n" in shown
    assert "\ntokens_per_hour    10\ntokens_per_day     99\nquota_mode         report\n" in shown


# What each field may be has tests of its own in tests/admin.
REFUSED = {
    "no equals sign": ["--attribute", "novalue"],
    "twice": ["--attribute", "a=1", "--attribute", "a=2"],
    "private and public": ["--attribute", "a=1", "--public-attribute", "a=2"],
    "several scopes in one": ["--scope", "a,b"],
    "an id that cannot be sent": ["--id", "ümlaut"],
}


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_with_one_line(cli, words):
    answer = cli("client", "add", "x", *words)

    assert answer.exit_code == 1
    assert answer.stderr.splitlines()[-1].startswith("Error: ")
    assert answer.stdout == ""


@pytest.mark.parametrize("name", ["", " "], ids=["empty", "a space"])
def test_a_client_without_a_name_is_refused(cli, registered, name):
    for words in (["add", name], ["update", "tester", "--name", name]):
        answer = cli("client", *words)
        assert (answer.exit_code, "the name of a client is empty" in answer.stderr) == (1, True)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"], ids=["none", "LF", "CR LF"])
def test_a_secret_is_imported_without_the_newline_at_its_end_and_not_shown(cli, app, tmp_path, ending):
    (tmp_path / "secret").write_bytes((SECRET + ending).encode())

    answer = cli("client", "add", "old", "--id", "old", "--secret-file", "secret")
    piped = cli("client", "add", "new", "--id", "new", "--secret-file", "-", "--json", input=SECRET + ending)

    assert '"client_secret": null' in piped.stdout
    assert issue(app, "old", SECRET) and issue(app, "new", SECRET)
    assert SECRET not in answer.output + piped.output


BAD = {"empty": "", "short": "hunter2", "bytes": "\xff" * 30, "long": "x" * 5000, "two line ends": SECRET + "\n\n"}


@pytest.mark.parametrize("secret", BAD.values(), ids=BAD)
def test_a_bad_secret_is_refused_and_not_shown(cli, secret):
    answer = cli("client", "add", "old", "--secret-file", "-", input=secret.encode("latin-1"))

    assert answer.exit_code == 1
    assert not secret or secret not in answer.stderr


def test_a_weak_secret_is_taken_when_allowed_and_marked(cli, printed):
    words = ["client", "add", "old", "--secret-file", "-", "--allow-weak-secret"]

    assert printed(*words, input="hunter2")["secrets"][0]["weak"] is True
    assert "warning: the secret is weak" in cli(*words, input="hunter2").stderr


@pytest.mark.parametrize("words", [["--secret-file", "nowhere"], ["--allow-weak-secret"]], ids=" ".join)
def test_a_secret_file_that_is_missing_is_wrong_usage(cli, words):
    assert cli("client", "add", "old", *words).exit_code == 2


def test_list_shows_a_line_for_each_client_and_scripts_what_show_does(cli, printed, registered):
    listed = printed("client", "list")
    cli("client", "add", "Отчёт 夜")

    lines = cli("client", "list").stdout.splitlines()

    assert listed == [printed("client", "show", "tester")]
    assert listed[0].keys() == KEYS
    assert len(lines) == 3 and "Отчёт 夜" in "".join(lines)
    assert {line.index("enabled") for line in lines[1:] if "tester" in line} == {lines[0].index("STATE")}


def test_show_lists_secrets_by_id_and_never_their_text_or_hash(cli, registered, opened):
    made = admin.add_secret(opened, "tester", label="spare", not_after=2**31, secret="hunter2", allow_weak_secret=True)

    shown = cli("client", "show", "tester").stdout
    texts = [shown, cli("client", "show", "tester", "--json").stdout]

    row = rf"^{made.record.secret_id}  spare  \S+Z  2038-01-19T03:14:08Z  -          weak$"
    assert re.search(row, shown, re.MULTILINE)
    for secret in admin.get_client(opened, "tester").secrets:
        for hidden in (registered["client_secret"], "hunter2", secret.digest.hex(), secret.salt.hex()):
            assert not any(hidden in text for text in texts)


def test_a_client_that_has_expired_is_shown_as_such(cli, registered, opened):
    opened.update_client("tester", lambda client: replace(client, not_after=1))

    assert " expired " in cli("client", "list").stdout
    assert re.search(r"^state +expired$", cli("client", "show", "tester").stdout, re.MULTILINE)


def test_the_last_use_is_shown_in_the_list_and_of_a_client(cli, printed, registered, opened):
    secret_id = registered["secrets"][0]["secret_id"]
    opened.note_uses({("tester", ""): 4_000_000_000, ("tester", secret_id): 3_999_999_999})

    heads, row = cli("client", "list").stdout.splitlines()
    shown = cli("client", "show", "tester").stdout
    view = printed("client", "show", "tester")

    assert row[heads.index("LAST_USED") :].startswith("2096-10-02T07:06:40Z")
    assert "\nlast_used          2096-10-02T07:06:40Z\n" in shown and "  2096-10-02T07:06:39Z  " in shown
    assert (view["last_used_at"], view["secrets"][0]["last_used_at"]) == (4_000_000_000, 3_999_999_999)


def test_list_shows_those_that_are_unused_for_so_long(cli, printed, registered, opened):
    now = int(time.time())
    for client_id, days in {"idle": 91, "busy": 89}.items():
        printed("client", "add", client_id, "--id", client_id)
        opened.note_uses({(client_id, ""): now - days * 86_400})

    listed = printed("client", "list", "--unused-for", "90d")

    assert [each["client_id"] for each in listed] == ["idle"]
    assert cli("client", "list", "--unused-for", "long").exit_code == 2


def test_the_list_of_unused_clients_says_since_when(cli, registered, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 4_000_000_000)

    listed = [cli("client", "list", "--unused-for", duration).stderr for duration in ("90", "90d")]

    assert listed == [
        "clients that were certainly not used since 2096-10-02T07:05:10Z: 1\n",
        "clients that were certainly not used since 2096-07-04T07:06:40Z: 1\n",
    ]


def test_an_attribute_cannot_act_on_the_terminal(cli, registered):
    cli("client", "update", "tester", "--attribute", 'a="\\u001b[2J\\u009b"')

    assert '"\\u001b[2J\\u009b"' in cli("client", "show", "tester").stdout


def test_an_id_that_begins_with_a_dash_follows_two(cli):
    cli("client", "add", "dash", "--id", "-x")

    assert cli("client", "show", "--", "-x").exit_code == 0


def test_an_odd_scope_is_kept_when_allowed(cli, printed):
    made = printed("client", "add", "x", "--id", "x", "--scope", "a,b c", "--allow-odd-scope")
    changed = printed("client", "update", "x", "--default-scope", "a,b", "--allow-odd-scope")

    assert made["scope"] == changed["scope"] == "a,b c"
    assert cli("client", "update", "x", "--scope", "a,b").exit_code == 1


# Changes


@pytest.fixture
def update(printed, registered):
    """Update the client with these words; what is printed for scripts."""
    return lambda words: printed("client", "update", "tester", *words.split())


CHANGES = [
    ("--name Renamed", "name", "Renamed"),
    ("--scope=", "scope", ""),
    ("--scope a --scope b --scope= --scope c", "scope", "a b c"),
    ("--default-scope read --default-scope write", "default_scope", "read write"),
    ("--default-scope=", "default_scope", ""),
    ("--lifetime 60", "lifetime", 60),
    ("--token-format jwt", "token_format", "jwt"),
    (f"--audience {API} --audience {BILLING}", "audiences", [API, BILLING]),
    (f"--default-audience {API}", "default_audience", [API]),
    ("--attribute a=1", "attributes", {"a": 1}),
    ("--public-attribute b=x", "public_attributes", {"b": "x"}),
    ("--resource-server", "resource_server", True),
    ("--not-after 4000000000", "not_after", 4_000_000_000),
]


@pytest.mark.parametrize(("words", "key", "value"), CHANGES, ids=[words for words, _, _ in CHANGES])
def test_update_changes_what_is_given_and_nothing_else(update, registered, words, key, value):
    del registered["client_secret"]

    assert update(words) == {**registered, key: value}


def test_update_removes_what_was_given(update, registered):
    del registered["client_secret"]
    given = f"--token-format jwt --audience {API} --default-audience {API} --default-scope read --lifetime 60"
    update(f"{given} --attribute a=1 --resource-server --not-after 2096-10-02")
    update("--tokens-per-hour 1 --tokens-per-day 2 --quota-mode report")

    cleared = "--no-token-format --no-audience --no-default-audience --no-default-scope --no-lifetime --no-not-after"

    cleared += " --no-tokens-per-hour --no-tokens-per-day --no-quota-mode"

    assert update(f"{cleared} --no-attributes --no-resource-server") == registered


# Which attributes remain has tests of its own in tests/admin/test_attributes.py.
ATTRIBUTES = {
    "new ones of a kind": ("--attribute c=3", {"c": 3}, {"b": 2}),
    "to public": ("--public-attribute a=x", {}, {"a": "x"}),
    "none but public ones": ("--no-attributes --public-attribute c=3", {}, {"c": 3}),
}


@pytest.mark.parametrize(("words", "private", "public"), ATTRIBUTES.values(), ids=ATTRIBUTES)
def test_attributes_that_are_given_replace_those_of_their_kind(update, words, private, public):
    update("--attribute a=1 --public-attribute b=2")

    changed = update(words)

    assert (changed["attributes"], changed["public_attributes"]) == (private, public)


CONFLICTS = ["", "--token-format JWT", "--lifetime long", "--attribute a=1 --no-attributes"]
CONFLICTS += [
    "--lifetime 5 --no-lifetime",
    "--default-scope read --no-default-scope",
    f"--audience {API} --no-audience",
]
CONFLICTS += [f"--default-audience {API} --no-default-audience", "--token-format jwt --no-token-format"]
CONFLICTS += ["--not-after tomorrow", "--not-after 2096-10-02 --no-not-after"]


@pytest.mark.parametrize("words", CONFLICTS)
def test_an_update_that_says_nothing_or_two_things_is_wrong_usage(cli, registered, words):
    assert cli("client", "update", "tester", *words.split()).exit_code == 2


@pytest.mark.parametrize("words", [["disable"], ["delete", "--yes"]], ids=["disable", "delete"])
def test_a_client_that_is_disabled_or_deleted_is_refused_with_its_tokens(cli, app, registered, token, words):
    app.get("/any", headers=bearer(token))

    cli("client", *words, "tester")

    app.get("/any", headers=bearer(token), status=401)
    app.post("/oauth/token", CC, headers=basic("tester", registered["client_secret"]), status=401)
    again = cli("client", "add", "again", "--id", "tester")
    assert (again.exit_code, "is in use, or was" in again.stderr) == (1, True)


def test_an_enabled_client_gets_tokens_again_and_its_old_ones_stay_revoked(cli, printed, app, registered, token):
    disabled = printed("client", "disable", "tester")
    assert " disabled " in cli("client", "list").stdout

    enabled = printed("client", "enable", "tester")

    assert [disabled, enabled] == [{"client_id": "tester", "enabled": False}, {"client_id": "tester", "enabled": True}]
    app.get("/any", headers=bearer(token), status=401)
    app.get("/any", headers=bearer(issue(app, "tester", registered["client_secret"])))


@pytest.mark.parametrize("typed", ["n\n", "\n", "", "y\n"])
def test_delete_needs_a_confirmation_or_yes(cli, registered, typed):
    unprompted = cli("client", "delete", "tester", "--json").exit_code
    answer = cli("client", "delete", "tester", input=typed)
    left = cli("client", "show", "tester").exit_code == 0
    forced = cli("client", "delete", "tester", "--json", "--yes")

    assert (unprompted, answer.exit_code, left) == ((2, 0, False) if typed == "y\n" else (2, 1, True))
    assert forced.exit_code == 3 if not left else '"deleted": true' in forced.stdout


LIMITS = ["--allow-address", "192.0.2.1", "--allow-address", "2001:db8::/32", "--only", "GET,POST /weather/*"]
LIMITS += ["--rate-limit", "100/minute"]


def test_limits_are_given_shown_and_removed(cli, printed):
    fields = ("allowed_addresses", "allowed_requests", "rate_limit")
    made = printed("client", "add", "limited", "--id", "limited", *LIMITS)
    shown = cli("client", "show", "limited").stdout
    changed = printed("client", "update", "limited", "--no-allow-address", "--no-only", "--rate-limit", "off")

    assert [made[name] for name in fields] == [["192.0.2.1/32", "2001:db8::/32"], ["GET,POST /weather/*"], "100/minute"]
    assert re.search(
        r"\nallowed_addresses +192.0.2.1/32 2001:db8::/32\nallowed_requests +GET,POST /weather/\*\n", shown
    )
    assert [changed[name] for name in fields] == [[], [], "off"]


BAD_LIMITS = {
    "an address": (["--allow-address", "here"], "expected networks, such as 192.0.2.0/24"),
    "a request": (["--only", "/weather"], "expected METHODS PATH"),
    "a rate": (["--rate-limit", "fast"], "expected a rate such as 100/minute"),
}


@pytest.mark.parametrize(("words", "says"), BAD_LIMITS.values(), ids=BAD_LIMITS)
def test_a_limit_that_cannot_be_read_is_refused_with_what_was_expected(cli, registered, words, says):
    answer = cli("client", "update", "tester", *words)

    assert answer.exit_code == 1
    assert says in answer.stderr


def test_a_limit_is_not_given_and_removed_at_once(cli, registered):
    assert cli("client", "update", "tester", "--only", "GET /x", "--no-only").exit_code == 2
