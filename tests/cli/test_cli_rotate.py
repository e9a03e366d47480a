"""``oauth-mw client rotate``."""

from __future__ import annotations

import re

import pytest

from helpers.support import SECRET, issue


def test_both_secrets_work_and_the_old_one_has_an_end(printed, app, registered):
    rotated = printed("client", "rotate", "tester", "--overlap", "12h", "--label", "2027")

    old, new = rotated["secrets"]
    assert (new["label"], new["not_after"], old["not_after"] - new["created_at"]) == ("2027", None, 12 * 3600)
    assert new["secret_id"] == rotated["secret_id"]
    assert issue(app, "tester", registered["client_secret"]) and issue(app, "tester", rotated["client_secret"])


def test_people_are_shown_the_secret_this_once_and_all_ends(cli, registered):
    answer = cli("client", "rotate", "tester")

    assert re.search(
        r"^client_secret  [A-Za-z0-9]{43}    \(shown once; only its hash is stored\)$", answer.stdout, re.M
    )
    end = re.search(rf"^{registered['secrets'][0]['secret_id']}  -      \S+  (\S+Z)  ", answer.stdout, re.M)[1]
    assert answer.stderr == f"next, give the client the new secret: the others are refused from {end} on\n"


def test_an_existing_secret_is_taken_and_not_shown(printed, app, registered):
    rotated = printed("client", "rotate", "tester", "--overlap", "0", "--secret-file", "-", input=SECRET)

    assert rotated["client_secret"] is None
    assert issue(app, "tester", SECRET)


DURATIONS = {"0": 0, "90": 90, "90s": 90, "30m": 1800, "12h": 43_200, "7d": 604_800, "2w": 1_209_600}


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items())
def test_an_overlap_has_a_unit_or_is_seconds(printed, registered, text, seconds):
    old, new = printed("client", "rotate", "tester", "--overlap", text)["secrets"]

    assert old["not_after"] - new["created_at"] == seconds


def test_an_overlap_that_is_none_is_wrong_usage_and_one_that_cannot_be_is_refused(cli, registered):
    for exit_code, texts in {2: ["", "7 d", "-1d", "1.5h", "7days", "٣d", "d"], 1: ["9" * 12 + "w"]}.items():
        for text in texts:
            assert cli("client", "rotate", "tester", f"--overlap={text}").exit_code == exit_code, text
