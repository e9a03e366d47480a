from __future__ import annotations

import json

import pytest

from helpers.builders import given_secret
from helpers.support import CC, SECRET, basic, bearer, issue
from oauth_mw.credentials import hash_secret


def add(cli, *words, **options):
    answer = cli("secret", "add", "tester", *words, "--json", **options)
    assert answer.exit_code == 0
    return json.loads(answer.stdout)


def test_a_second_secret_works_beside_the_first(cli, app, registered):
    second = add(cli)["client_secret"]
    add(cli, "--secret-file", "-", input=SECRET + "\n")

    assert all(issue(app, "tester", each) for each in (registered["client_secret"], second, SECRET))


def test_add_shows_the_secret_this_once_and_refuses_a_weak_one_unless_allowed(cli, registered):
    lines = cli("secret", "add", "tester").stdout.splitlines()

    assert [line.split()[0] for line in lines] == ["client_id", "secret_id", "client_secret"]
    assert lines[2].endswith("(shown once; only its hash is stored)")
    assert cli("secret", "add", "tester", "--secret-file", "-", input="hunter2").exit_code == 1
    assert add(cli, "--secret-file", "-", "--allow-weak-secret", input="hunter2")["weak"] is True


TIMES = {
    "2096-10-02T07:06:40": 4_000_000_000,
    "2096-10-02T07:06:40Z": 4_000_000_000,
    "2096-10-02T09:06:40+02:00": 4_000_000_000,
    "2096-10-02 07:06:40": 4_000_000_000,
    "4000000000": 4_000_000_000,
    "2096-10-02": 4_000_000_000 // 86_400 * 86_400,  # its first moment in UTC
}


@pytest.mark.parametrize(("text", "seconds"), TIMES.items())
def test_not_after_is_iso_8601_or_unix_seconds(cli, registered, text, seconds):
    assert add(cli, "--not-after", text)["not_after"] == seconds


def test_an_end_that_no_secret_can_have_is_refused_and_one_that_is_no_time_is_wrong_usage(cli, registered):
    ends = {
        1: ["2020-01-01", "0", "99999999999", "9" * 30],
        2: ["tomorrow", "-5", "2096-13-01", "1e9", "", "٣٠٠٠٠٠٠٠٠٠"],
    }

    for exit_code, texts in ends.items():
        for text in texts:
            assert cli("secret", "add", "tester", "--not-after", text).exit_code == exit_code, text


def test_list_shows_ids_labels_and_ends_in_columns(cli, opened):
    secret_id = add(cli, "--label", "spare", "--not-after", "4000000000")["secret_id"]
    given_secret(opened, "tester", hash_secret(SECRET, created_at=1, not_after=2))

    heads, *rows = cli("secret", "list", "tester").stdout.splitlines()
    listed = json.loads(cli("secret", "list", "tester", "--json").stdout)

    assert heads.split() == ["SECRET_ID", "LABEL", "CREATED", "NOT_AFTER", "NOTE"]
    assert len(rows) == 3
    row = next(row for row in rows if row.startswith(secret_id))
    assert row[heads.index("LABEL") :].startswith("spare ")
    assert row[heads.index("NOT_AFTER") :].startswith("2096-10-02T07:06:40Z")
    assert rows[0].endswith("  expired")
    assert {each["label"] for each in listed} == {"", "spare"}
    assert listed[0].keys() == {"secret_id", "label", "created_at", "not_after", "weak"}


@pytest.mark.parametrize("and_tokens", [False, True])
def test_a_revoked_secret_is_refused_and_its_tokens_only_when_asked(cli, app, registered, token, and_tokens):
    app.get("/any", headers=bearer(token))
    secret_id = registered["secrets"][0]["secret_id"]

    answer = cli("secret", "revoke", "tester", secret_id, *["--and-tokens"] * and_tokens, "--json")

    wanted = {"client_id": "tester", "secret_id": secret_id, "revoked": True, "tokens_ended": and_tokens}
    assert json.loads(answer.stdout) == wanted
    app.post("/oauth/token", CC, headers=basic("tester", registered["client_secret"]), status=401)
    app.get("/any", headers=bearer(token), status=401 if and_tokens else 200)


NOT_THERE = ["add unknown", "list unknown", "revoke unknown 0", "revoke tester 0", "revoke tester \udcff"]


@pytest.mark.parametrize("words", NOT_THERE, ids=ascii)
def test_what_is_missing_is_not_found(cli, registered, words):
    assert cli("secret", *words.split()).exit_code == 3
