from __future__ import annotations

import time

import pytest

from helpers.builders import given_secret
from helpers.support import CC, SECRET, basic, bearer, issue
from oauth_mw.credentials import hash_secret


@pytest.fixture
def add(printed, registered):
    """What `secret add` prints for scripts."""
    return lambda *words, **options: printed("secret", "add", "tester", *words, **options)


def test_a_second_secret_works_beside_the_first(add, app, registered):
    second = add()["client_secret"]
    add("--secret-file", "-", input=SECRET + "\n")

    assert all(issue(app, "tester", each) for each in (registered["client_secret"], second, SECRET))


def test_add_shows_the_secret_this_once_and_refuses_a_weak_one_unless_allowed(cli, add):
    lines = cli("secret", "add", "tester").stdout.splitlines()

    assert [line.split()[0] for line in lines] == ["client_id", "secret_id", "client_secret"]
    assert lines[2].endswith("(shown once; only its hash is stored)")
    assert cli("secret", "add", "tester", "--secret-file", "-", input="hunter2").exit_code == 1
    assert add("--secret-file", "-", "--allow-weak-secret", input="hunter2")["weak"] is True


TIMES = {
    "2096-10-02T07:06:40": 4_000_000_000,
    "2096-10-02T07:06:40Z": 4_000_000_000,
    "2096-10-02T09:06:40+02:00": 4_000_000_000,
    "2096-10-02 07:06:40": 4_000_000_000,
    "4000000000": 4_000_000_000,
    "2096-10-02": 4_000_000_000 // 86_400 * 86_400,  # its first moment in UTC
}


@pytest.mark.parametrize(("text", "seconds"), TIMES.items())
def test_not_after_is_iso_8601_or_unix_seconds(add, text, seconds):
    assert add("--not-after", text)["not_after"] == seconds


def test_an_end_that_no_secret_can_have_is_refused_and_one_that_is_no_time_is_wrong_usage(cli, registered):
    ends = {
        1: ["2020-01-01", "0", "99999999999", "9" * 30],
        2: ["tomorrow", "-5", "2096-13-01", "1e9", "", "٣٠٠٠٠٠٠٠٠٠"],
    }

    for exit_code, texts in ends.items():
        for text in texts:
            assert cli("secret", "add", "tester", "--not-after", text).exit_code == exit_code, text


def test_list_shows_ids_labels_and_ends_in_columns(cli, printed, add, opened):
    secret_id = add("--label", "spare", "--not-after", "4000000000")["secret_id"]
    given_secret(opened, "tester", hash_secret(SECRET, created_at=1, not_after=2))

    heads, *rows = cli("secret", "list", "tester").stdout.splitlines()
    listed = printed("secret", "list", "tester")

    assert heads.split() == ["SECRET_ID", "LABEL", "CREATED", "NOT_AFTER", "LAST_USED", "NOTE"]
    assert len(rows) == 3
    row = next(row for row in rows if row.startswith(secret_id))
    assert row[heads.index("LABEL") :].startswith("spare ")
    assert row[heads.index("NOT_AFTER") :].startswith("2096-10-02T07:06:40Z")
    assert rows[0].endswith("  expired")
    assert {each["label"] for each in listed} == {"", "spare"}
    assert listed[0].keys() == {"secret_id", "label", "created_at", "not_after", "weak", "last_used_at"}


@pytest.mark.parametrize("and_tokens", [False, True])
def test_a_revoked_secret_is_refused_and_its_tokens_only_with_the_option(printed, app, registered, token, and_tokens):
    app.get("/any", headers=bearer(token))
    secret_id = registered["secrets"][0]["secret_id"]

    answer = printed("secret", "revoke", "tester", secret_id, "--force", *["--and-tokens"] * and_tokens)

    wanted = {"client_id": "tester", "secret_id": secret_id, "revoked": True, "tokens_ended": and_tokens}
    assert answer == wanted
    app.post("/oauth/token", CC, headers=basic("tester", registered["client_secret"]), status=401)
    app.get("/any", headers=bearer(token), status=401 if and_tokens else 200)


def test_a_secret_that_was_used_today_is_only_revoked_by_force(cli, printed, opened, registered):
    secret_id, now = registered["secrets"][0]["secret_id"], int(time.time())
    opened.note_uses({("tester", secret_id): now, ("tester", ""): now})

    refused = cli("secret", "revoke", "tester", secret_id)
    listed = printed("secret", "list", "tester")
    forced = printed("secret", "revoke", "tester", secret_id, "--force")

    assert (refused.exit_code, f"secret '{secret_id}' was used at 20" in refused.stderr) == (1, True)
    assert listed[0]["last_used_at"] == now
    assert forced["revoked"] is True
