"""``oauth-mw key import`` and ``export``."""

from __future__ import annotations

import json
import stat

import pytest

from oauth_mw.keys.keypair import from_pem, make

SECRET = "correct horse battery"
PASSWORD = "a horse and a staple é"


@pytest.mark.parametrize("password", [None, "ab"], ids=["in the clear", "weakly encrypted"])
def test_a_key_is_imported(told, pem, password):
    made = make("ES256")
    words = ["--password-file", "-"] if password else []

    assert told("import", pem(made, password), *words, input=f"{password}\n")["kid"] == made.kid


def test_a_key_may_arrive_on_standard_input(told):
    made = make("EdDSA")

    assert told("import", "-", input=made.pem())["kid"] == made.kid


def test_what_cannot_be_imported_is_refused(key, told, pem):
    pem(make("ES256"), PASSWORD)
    from_file, with_password = ["key.pem"], ["--password-file", "-"]
    tries = [(from_file, "", 1), ([*from_file, *with_password], "wrong", 1), ([*from_file, *with_password], b"\xff", 1)]

    for words, typed, exit_code in (*tries, (["-", *with_password], "", 2), (["no.pem"], "", 2)):
        assert key("import", *words, input=typed).exit_code == exit_code
    assert told("list") == []


def test_the_public_halves_are_printed(key, told):
    made = [told("rotate")["kid"] for _ in range(2)]

    whole, one = json.loads(key("export").stdout), told("export", made[1])

    assert [each["kid"] for each in whole["keys"]] == made
    assert one == whole["keys"][1] and "d" not in one


def test_a_private_half_is_written_encrypted_to_a_file_of_its_own(key, told, tmp_path, monkeypatch):
    monkeypatch.setenv("OAUTH_MW_KEY_ENCRYPTION_SECRET", SECRET)
    kid = told("rotate")["kid"]

    answer = key("export", kid, "--private", "-o", "out.pem", "--password-file", "-", input=PASSWORD)

    written = tmp_path / "out.pem"
    assert answer.stdout == "wrote out.pem\n"
    assert from_pem(written.read_text(), PASSWORD).kid == kid
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_a_weak_password_is_refused_and_says_what_is_needed(key, told, tmp_path):
    kid = told("rotate")["kid"]

    answer = key("export", kid, "--private", "-o", "out.pem", "--password-file", "-", input="ab")

    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr.startswith("Error: the password is weak: ") and "16 characters" in answer.stderr
    assert not (tmp_path / "out.pem").exists()


def test_a_file_that_is_there_is_not_written_over(key, told, tmp_path):
    kid = told("rotate")["kid"]
    (tmp_path / "out.pem").write_text("mine")

    answer = key("export", kid, "--private", "-o", "out.pem", "--password-file", "-", input=PASSWORD)

    assert (answer.exit_code, answer.stderr) == (1, "Error: out.pem is there already\n")
    assert (tmp_path / "out.pem").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (["--private"], 2),
        (["--private", "-o", "out.pem"], 2),
        (["-o", "out.pem"], 2),
        (["--private", "-o", "out.pem", "--password-file", "-"], 1),
    ],
    ids=["to a terminal", "no password", "public", "empty password"],
)
def test_what_would_not_be_safe_is_refused(key, told, tmp_path, words, exit_code):
    answer = key("export", told("rotate")["kid"], *words, input="")

    assert (answer.exit_code, answer.stdout) == (exit_code, "")
    assert not (tmp_path / "out.pem").exists()


def test_a_password_is_prompted_for_twice_and_not_shown(on_terminal, told, tmp_path):
    kid = told("rotate")["kid"]
    words = ["key", "export", kid, "--private", "-o", "out.pem"]

    # The space behind each question is shown once the terminal does not echo any more.
    questions = b"Password: ", b"Repeat for confirmation: "
    exit_code, shown, _ = on_terminal(*words, answers=[(question, PASSWORD) for question in questions])

    assert exit_code == 0
    assert from_pem((tmp_path / "out.pem").read_text(), PASSWORD).kid == kid
    assert PASSWORD.encode() not in shown
