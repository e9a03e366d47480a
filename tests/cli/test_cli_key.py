from __future__ import annotations

import json
import stat

import pytest
from webtest import TestApp

from helpers.support import bearer, echo, issue
from oauth_mw import OAuthMiddleware
from oauth_mw.keys import JWKS_MAX_AGE, lead_seconds
from oauth_mw.keys.keypair import from_pem, make

pytestmark = pytest.mark.usefixtures("few_rounds")

SECRET, OTHER = "correct horse battery", "another horse battery"
PASSWORD = "a horse and a staple é"
VARIABLE = "OAUTH_MW_KEY_ENCRYPTION_SECRET"


@pytest.fixture
def key(cli, registered):
    """Run a command on keys, in a store that is there."""
    return lambda *words, **options: cli("key", *words, **options)


@pytest.fixture
def printed(printed, registered):
    """What a command on keys prints for scripts."""
    return lambda *words, **options: printed("key", *words, **options)


@pytest.fixture
def pem(tmp_path):
    """The file of a key, with a password where one is given."""

    def pem(key, password=None):
        (tmp_path / "key.pem").write_text(key.pem(password))
        return "key.pem"

    return pem


def test_keys_are_listed_for_people_and_for_scripts(key, printed):
    made = [printed("rotate") for _ in range(2)]

    heads, *rows = (line.split() for line in key("list").stdout.splitlines())

    assert heads == ["KEY", "ALGORITHM", "STATE", "CREATED", "SIGNS_FROM", "NEEDED_UNTIL", "PRIVATE"]
    assert [row[:3] for row in rows] == [[made[0]["kid"], "ES256", "signing"], [made[1]["kid"], "ES256", "next"]]
    assert rows[0][5:] == ["-", "unencrypted"]
    assert printed("list") == made
    assert made[0].keys() == {"kid", "algorithm", "state", "created_at", "signs_from", "needed_until", "encrypted"}
    assert (made[0]["state"], made[0]["needed_until"], made[0]["encrypted"]) == ("signing", None, False)


def test_a_rotation_says_when_the_key_signs_and_that_it_is_unencrypted(key, printed):
    printed("rotate")

    answer = key("rotate")

    (made,) = (each for each in printed("list") if each["state"] == "next")
    assert answer.stdout.split()[:6] == ["kid", made["kid"], "algorithm", "ES256", "state", "next"]
    assert made["signs_from"] == made["created_at"] + lead_seconds(1) > JWKS_MAX_AGE
    assert answer.stderr.startswith("warning: key_encryption_secret: is not set")


def test_the_secret_and_the_algorithm_come_from_the_ini(cli, registered, opened, ini, monkeypatch):
    place = ini(f"key_encryption_secret = {SECRET}", "signing_algorithm = EdDSA", "revocation_lag_seconds = 100")
    monkeypatch.setenv(VARIABLE, OTHER)
    for _ in range(2):
        assert cli("--config", place, "key", "rotate", store=None).exit_code == 0

    first, second = opened.read_keys().keys
    assert from_pem(first.private, SECRET).algorithm == "EdDSA"
    assert second.signs_from - second.created_at == lead_seconds(100)


def test_an_algorithm_that_workers_would_not_keep_is_refused(cli, registered, ini, pem):
    place = ini("signing_algorithm = EdDSA", f"key_encryption_secret = {SECRET}")
    file = pem(make("ES256"))

    answers = [
        cli("--config", place, "key", *words, store=None)
        for words in (["rotate", "--algorithm", "ES256"], ["import", file])
    ]

    assert [answer.exit_code for answer in answers] == [1, 1]
    assert "EdDSA" in answers[0].stderr and "EdDSA" in answers[1].stderr


def test_where_files_sign_no_key_is_added_to_the_store(cli, printed, registered, ini, pem):
    place = ini("signing_key_files = key.pem", "issuer = https://auth.example")
    pem(make("ES256"))

    answer = cli("--config", place, "key", "rotate", store=None)

    assert (answer.exit_code, printed("list")) == (1, [])
    assert answer.stderr == "Error: signing_key_files is set: the keys in the store do not sign\n"


def test_in_an_emergency_a_key_signs_at_once(printed):
    printed("rotate")

    made = printed("rotate", "--now")

    assert made["signs_from"] - made["created_at"] <= 1


# Retirement


def test_a_retired_key_is_removed_with_its_tokens_and_a_new_one_signs(key, printed, registered, url):
    app = TestApp(OAuthMiddleware(echo, store=url, issuer="https://auth.example", token_format="jwt"))
    token = issue(app, "tester", registered["client_secret"])
    app.get("/", headers=bearer(token), status=200)
    kid = printed("list")[0]["kid"]

    lines = key("retire", kid, input="y\n").stdout.splitlines()

    (left,) = printed("list")
    assert lines[-2:] == [
        f"retired {kid}; all tokens that it has signed are revoked",
        f"{left['kid']} signs in its place",
    ]
    app.get("/", headers=bearer(token), status=401)
    app.get("/", headers=bearer(issue(app, "tester", registered["client_secret"])), status=200)


@pytest.mark.slow
def test_scripts_learn_of_the_key_that_signs_in_place_of_a_retired_one(printed):
    kid = printed("rotate")["kid"]

    answer = printed("retire", kid, "--yes")

    assert (answer["kid"], answer["retired"], answer["new"]) == (kid, True, printed("list")[0])


@pytest.mark.parametrize("typed", ["n\n", ""], ids=["no", "nothing"])
def test_without_confirmation_the_key_is_kept(key, printed, typed):
    kid = printed("rotate")["kid"]

    answer = key("retire", kid, input=typed)

    assert (answer.exit_code, [each["kid"] for each in printed("list")]) == (1, [kid])
    assert kid in answer.stderr


# Import and export


@pytest.mark.parametrize("password", [None, "ab"], ids=["unencrypted", "weakly encrypted"])
def test_a_key_is_imported_from_a_file_or_standard_input(printed, pem, password):
    made, other = make("ES256"), make("EdDSA").pem()
    words = ["--password-file", "-"] if password else []

    assert printed("import", pem(made, password), *words, input=f"{password}\n")["kid"] == made.kid
    assert printed("import", "-", "--now", input=other)["kid"] == from_pem(other).kid


def test_what_cannot_be_imported_is_refused(key, printed, pem):
    pem(make("ES256"), PASSWORD)
    from_file, with_password = ["key.pem"], ["--password-file", "-"]
    tries = [(from_file, "", 1), ([*from_file, *with_password], "wrong", 1), ([*from_file, *with_password], b"\xff", 1)]

    for words, typed, exit_code in (*tries, (["-", *with_password], "", 2), (["no.pem"], "", 2)):
        assert key("import", *words, input=typed).exit_code == exit_code
    assert printed("list") == []


def test_an_encrypted_key_needs_its_password(key, pem):
    answer = key("import", pem(make("ES256"), PASSWORD))

    assert (answer.exit_code, "--password-file" in answer.stderr) == (1, True)


def test_the_password_of_an_encrypted_key_is_prompted_for_and_not_shown(on_terminal, printed, pem):
    made = make("ES256")

    exit_code, shown, _ = on_terminal("key", "import", pem(made, PASSWORD), answers=[(b"Password: ", PASSWORD)])

    assert (exit_code, [each["kid"] for each in printed("list")]) == (0, [made.kid])
    assert PASSWORD.encode() not in shown


def test_the_public_keys_are_printed(key, printed):
    made = [printed("rotate")["kid"] for _ in range(2)]

    whole, one = json.loads(key("export").stdout), printed("export", made[1])

    assert [each["kid"] for each in whole["keys"]] == made
    assert one == whole["keys"][1] and "d" not in one


def test_a_private_key_is_written_encrypted_to_a_new_file_and_over_none(key, printed, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, SECRET)
    rotated = key("rotate")
    (made,) = printed("list")
    words = ["export", made["kid"], "--private", "-o", "out.pem", "--password-file", "-"]

    answer, again = key(*words, input=PASSWORD), key(*words, input=PASSWORD)

    written = tmp_path / "out.pem"
    assert (rotated.exit_code, rotated.stderr, made["encrypted"]) == (0, "", True)
    assert answer.stdout == "wrote out.pem\n"
    assert from_pem(written.read_text(), PASSWORD).kid == made["kid"]
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert (again.exit_code, again.stderr) == (1, "Error: out.pem already exists\n")


PRIVATE = ["--private", "-o", "out.pem"]
UNSAFE = {
    "to a terminal": (["--private"], "", 2, "--private needs KEY and -o FILE"),
    "no password": (PRIVATE, "", 2, "--private needs --password-file"),
    "public": (["-o", "out.pem"], "", 2, "need --private"),
    "empty password": ([*PRIVATE, "--password-file", "-"], "", 1, "Error: the password is weak: "),
    "weak password": ([*PRIVATE, "--password-file", "-"], "ab", 1, "it needs 16 characters"),
}


@pytest.mark.parametrize(("words", "typed", "exit_code", "says"), UNSAFE.values(), ids=UNSAFE)
def test_an_export_that_would_not_be_safe_is_refused(key, printed, tmp_path, words, typed, exit_code, says):
    answer = key("export", printed("rotate")["kid"], *words, input=typed)

    assert (answer.exit_code, answer.stdout) == (exit_code, "")
    assert says in " ".join(answer.stderr.split())
    assert not (tmp_path / "out.pem").exists()


def test_a_password_is_prompted_for_twice_and_not_shown(on_terminal, printed, tmp_path):
    kid = printed("rotate")["kid"]
    words = ["key", "export", kid, "--private", "-o", "out.pem"]

    # The space behind each question is shown once the terminal does not echo any more.
    questions = b"Password: ", b"Repeat for confirmation: "
    exit_code, shown, _ = on_terminal(*words, answers=[(question, PASSWORD) for question in questions])

    assert exit_code == 0
    assert from_pem((tmp_path / "out.pem").read_text(), PASSWORD).kid == kid
    assert PASSWORD.encode() not in shown
