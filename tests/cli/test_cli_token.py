from __future__ import annotations

import json
import sqlite3
import time

import pytest
from webtest import TestApp

from helpers.builders import API, BILLING
from helpers.changes import remove_key
from helpers.jwts import ISSUER, signed_elsewhere
from helpers.support import bearer, echo, issue
from oauth_mw import OAuthMiddleware, admin
from oauth_mw.admin.tokens import PURGE_ROWS
from oauth_mw.cli.token import LONG_WORK
from oauth_mw.model import LOG_KEEP_SECONDS, TokenRecord
from oauth_mw.stores.sql.store import SQLStore
from oauth_mw.tokens.jws import MAX_JWS_LENGTH
from oauth_mw.tokens.opaque import OpaqueTokens


@pytest.fixture
def token_id(token):
    return admin.token_key(token).hex()


@pytest.fixture
def expired(opened):
    """The id of a token that expired, and whose row is still there."""
    key = (int(time.time()) - LOG_KEEP_SECONDS).to_bytes(4) + bytes(28)
    opened.add_token(key, TokenRecord("tester", "read", 1, opened.find_client("tester").revoked_before))
    return key.hex()


def test_inspect_by_id_in_any_case_shows_what_the_store_has(cli, printed, token, token_id):
    found = printed("token", "inspect", token_id.upper())
    lines = cli("token", "inspect", token_id).stdout.splitlines()

    lifetime = found.pop("expires_at") - found.pop("issued_at")
    assert lifetime in (3600, 3601)  # the whole seconds around an hour
    assert found == {
        "token_id": token_id, "client_id": "tester", "scope": "read write", "audience": [], "state": "live",
        "attributes": {},
    }  # fmt: skip
    names = ["token_id", "client_id", "scope", "audience", "state", "issued", "expires", "attributes"]
    assert [line.split()[0] for line in lines] == names
    assert lines[4].split() == ["state", "live"]


@pytest.mark.parametrize(
    ("words", "ending"), [([], ""), ([], "\n"), (["-"], "\r\n")], ids=["bare", "LF", "dash, CR LF"]
)
def test_the_token_itself_is_read_from_standard_input(printed, token, token_id, words, ending):
    found = printed("token", "inspect", *words, input=token + ending)

    assert found["token_id"] == token_id


def test_inspect_shows_the_audience_of_a_token(cli, printed, opened):
    text = OpaqueTokens(opened, time.time, "").issue(opened.find_client("tester"), (), 60, [API, BILLING]).text

    assert printed("token", "inspect", input=text)["audience"] == [API, BILLING]
    assert f"\naudience    {API} {BILLING}\n" in cli("token", "inspect", input=text).stdout


def test_inspect_shows_that_a_token_was_revoked_or_expired(cli, printed, opened, token, expired):
    client = opened.find_client("tester")
    text = OpaqueTokens(opened, lambda: time.time() - 7200, "").issue(client, ["read"], 60).text
    cli("token", "revoke", input=token)

    answers = [printed("token", "inspect", input=each) for each in (token, text)]
    answers.append(printed("token", "inspect", expired))
    assert [answer["state"] for answer in answers] == ["revoked", "expired", "expired"]


WORDS = [
    "inspect {token}",
    "inspect --{token}",
    "inspect -{token}",
    "inspect short",
    "inspect \udcff",
    "revoke {token}",
]


@pytest.mark.parametrize("words", [*WORDS, "inspect {token_id} {token}"], ids=ascii)
def test_a_token_as_an_argument_is_refused_and_not_shown(cli, token, token_id, words):
    answer = cli("token", *words.format(token=token, token_id=token_id).split())

    assert answer.exit_code == 2
    assert "on standard input" in " ".join(answer.stderr.split())
    assert token not in answer.stdout + answer.stderr


@pytest.mark.parametrize("by", ["id", "text"])
def test_a_revoked_token_is_refused_by_the_next_request(cli, printed, app, token, token_id, by):
    app.get("/any", headers=bearer(token))

    answer = cli("token", "revoke", token_id) if by == "id" else cli("token", "revoke", input=token)
    again = printed("token", "revoke", token_id)

    assert answer.stdout == f"revoked {token_id}\n"
    assert again == {"token_id": token_id, "revoked": False}
    app.get("/any", headers=bearer(token), status=401)


def test_an_expired_token_cannot_be_revoked(cli, expired):
    assert cli("token", "revoke", expired).stdout == f"{expired} was revoked or expired before\n"


def test_a_token_without_a_row_is_not_found_and_the_answer_says_what_can_be_done(cli, opened, token_id):
    opened.sweep(2**32 - 1, 1)
    answer = cli("token", "revoke", token_id)

    assert (answer.exit_code, "revoke all tokens of its client" in answer.stderr) == (3, True)


NO_TOKENS = ["", "x", "Bearer x", "0" * 47, "0" * 81, "a" * 64, "A" * 48, "\xff" * 48, "y" * 9000]


@pytest.mark.parametrize("command", ["inspect", "revoke"])
@pytest.mark.parametrize("text", NO_TOKENS)
def test_a_text_that_is_no_token_is_not_found(cli, registered, command, text):
    assert cli("token", command, input=text.encode("latin-1")).exit_code == 3


@pytest.fixture
def several(opened, registered):
    """The ids of five live tokens of the client, in the order of their expiry."""
    tokens = OpaqueTokens(opened, time.time, "")
    client = opened.find_client("tester")
    return [tokens.issue(client, ("read",), lifetime).token_id for lifetime in range(1000, 6000, 1000)]


def test_list_shows_live_tokens_in_the_order_of_their_expiry(cli, printed, several, expired):
    printed("token", "revoke", several[1])

    listed = printed("token", "list", "tester")
    answer = cli("token", "list", "tester")

    assert [each["token_id"] for each in listed] == [several[0], *several[2:]]
    assert listed[0].keys() == {"token_id", "scope", "audience", "issued_at", "expires_at"}
    heads, first, *others = answer.stdout.splitlines()
    assert (heads.split(), len(others)) == (["TOKEN_ID", "SCOPE", "ISSUED", "EXPIRES"], 3)
    assert first.split()[:2] == [several[0], "read"]
    assert answer.stderr == "opaque tokens only: JWTs have no rows in the store\n"


def test_list_shows_a_page_and_what_the_next_one_begins_after(cli, printed, several):
    answer = cli("token", "list", "tester", "--limit", "2")

    assert answer.stdout.count("\n") == 3
    assert answer.stderr.startswith(f"more follow: --after {several[1]}\n")
    following = [printed("token", "list", "tester", "--limit", "2", "--after", each) for each in several[1::2]]
    assert [[each["token_id"] for each in page] for page in following] == [several[2:4], several[4:]]


def test_list_shows_no_tokens_of_other_clients(cli, printed, several):
    printed("client", "add", "other", "--id", "other")

    assert printed("token", "list", "other") == []


@pytest.mark.parametrize("words", [["--after", "x"], ["--limit", "0"]], ids=" ".join)
def test_a_page_that_cannot_be_is_wrong_usage(cli, registered, words):
    assert cli("token", "list", "tester", *words).exit_code == 2


def test_revoke_all_ends_the_tokens_and_lets_new_ones_live(printed, app, registered, token):
    app.get("/any", headers=bearer(token))

    answer = printed("token", "revoke-all", "tester")

    assert answer == {"client_id": "tester", "tokens_ended": True}
    app.get("/any", headers=bearer(token), status=401)
    app.get("/any", headers=bearer(issue(app, "tester", registered["client_secret"])))


def test_revoke_all_before_a_moment_spares_what_was_issued_since(printed, app, registered, token, opened):
    now = int(time.time())
    old = (now + 60).to_bytes(4) + bytes(28)
    opened.add_token(old, TokenRecord("tester", "read", now - 7200, opened.find_client("tester").revoked_before))

    answer = printed("token", "revoke-all", "tester", "--before", "1h")

    assert answer == {"client_id": "tester", "tokens_ended": True, "issued_before": pytest.approx(now - 3600, abs=30)}
    assert printed("token", "inspect", old.hex())["state"] == "revoked"
    app.get("/any", headers=bearer(token))


@pytest.mark.parametrize(("before", "said"), [("1h", "before 20"), ("2026-01-31", "2026-01-31T00:00:00Z")])
def test_revoke_all_says_before_which_moment(cli, registered, before, said):
    assert said in cli("token", "revoke-all", "tester", "--before", before).stdout


@pytest.mark.parametrize(
    ("before", "code", "said"), [("2090-01-31", 1, "future"), ("90x", 2, "like 2030-01-31T12:00:00Z or 2h")]
)
def test_a_moment_that_cannot_be_revokes_nothing(cli, registered, opened, before, code, said):
    answer = cli("token", "revoke-all", "tester", "--before", before)

    assert (answer.exit_code, said in answer.stderr) == (code, True)
    assert opened.find_client("tester").revoked_before == 0


@pytest.mark.parametrize("command", ["revoke-all", "list"])
def test_an_unknown_client_is_not_found_and_not_shown(cli, token, command):
    answer = cli("token", command, token)

    assert answer.exit_code == 3
    assert token not in answer.stderr


# A JWT lies in no store


@pytest.fixture
def jwt(opened, registered):
    app = TestApp(OAuthMiddleware(echo, store=opened, issuer=ISSUER, token_format="jwt"))
    return issue(app, "tester", registered["client_secret"])


def test_a_jwt_is_inspected_and_revoked_by_itself(printed, jwt):
    found = printed("token", "inspect", input=jwt)
    revoked = [printed("token", "revoke", input=jwt)["revoked"] for _ in range(2)]

    assert (found["client_id"], found["state"], found["audience"]) == ("tester", "live", [ISSUER])
    assert revoked == [True, False]
    assert printed("token", "inspect", input=jwt)["state"] == "revoked"


@pytest.mark.parametrize("ahead", [-30, 600])
def test_a_jwt_that_was_signed_elsewhere_is_revoked_whenever_it_is_good(printed, jwt, opened, ahead):
    other = signed_elsewhere(opened, jwt, nbf=int(time.time()) + ahead)

    assert printed("token", "revoke", input=other)["revoked"] is True


def test_a_jwt_of_a_key_that_was_removed_is_not_found_and_none_is_an_argument(cli, jwt, opened):
    refused = cli("token", "inspect", jwt)
    remove_key(opened, opened.read_keys().keys[0].kid)

    assert (refused.exit_code, jwt[:20] in refused.stderr) == (2, False)
    assert cli("token", "inspect", input=jwt).exit_code == 3


def test_a_jwt_as_long_as_they_may_be_is_read_whole(cli, opened, registered):
    attributes = {f"a{number}": "x" * 100 for number in range(15)}
    many = [f"https://a.example/{number}/{'x' * 100}" for number in range(20)]
    changes = {"audiences": [ISSUER, *many[:19]], "default_audience": [ISSUER, *many[:19]]}
    admin.update_client(opened, "tester", public_attributes=attributes, **changes)
    app = TestApp(OAuthMiddleware(echo, store=opened, issuer=ISSUER, token_format="jwt"))
    long = issue(app, "tester", registered["client_secret"])

    assert 4096 < len(long) <= MAX_JWS_LENGTH
    assert cli("token", "revoke", input=long).stdout.startswith("revoked ")


# Purge

OLD = int(time.time()) - 600


@pytest.fixture
def old_tokens(opened, tmp_path):
    """Put this many expired tokens into the store."""

    def put(count):
        with sqlite3.connect(tmp_path / "oauth.db") as database:
            rows = [(OLD.to_bytes(4) + number.to_bytes(28), 1, "", 1, 0, False) for number in range(count)]
            columns = "key, client, scope, issued_at, position, revoked"
            database.executemany(f"insert into oauth_mw_tokens ({columns}) values (?, ?, ?, ?, ?, ?)", rows)
        database.close()

    return put


def test_purge_removes_what_expired_and_keeps_what_lives(cli, opened, old_tokens, token):
    old_tokens(1201)

    answer = cli("purge")

    assert answer.stdout == "removed 1201 expired tokens\n"
    assert opened.count_tokens() == 1


def test_long_work_shows_a_bar_beside_the_answer(cli, old_tokens):
    old_tokens(LONG_WORK + PURGE_ROWS)

    answer = cli("purge", "--json")

    assert "purging" in answer.stderr
    assert json.loads(answer.stdout) == {"removed": LONG_WORK + PURGE_ROWS}


@pytest.mark.parametrize("count", [0, PURGE_ROWS - 1])
def test_short_work_counts_nothing_and_shows_no_bar(cli, old_tokens, monkeypatch, count):
    old_tokens(count)
    monkeypatch.setattr(SQLStore, "count_tokens", lambda store, before=None: 1 / 0)

    answer = cli("purge", "--json")

    assert (json.loads(answer.stdout), answer.stderr) == ({"removed": count}, "")
