"""No secret and no token in answers, logs, reprs, exceptions or files."""

from __future__ import annotations

import base64
import logging
from hashlib import sha256
from pathlib import Path

import pytest

from helpers.life import spellings
from helpers.support import SECRET, basic, issue, one_store
from helpers.wsgi_client import call, make_environ, post_form
from oauth_mw import AdminError, ConfigError, StoreUnavailable, admin, open_store
from oauth_mw.config import configure

CC = b"grant_type=client_credentials"
WRONG = "wr0ng-5ecret-of-tester"


def forms(text):
    """How a secret or token could be written down."""
    raw = text.encode()
    return [raw, *spellings(raw), raw[::-1], base64.b64encode(b"tester:" + raw), raw[5:-5]]


@pytest.fixture
def gauntlet(wrap, client):
    """Send requests of every kind; the tokens that were issued, and all answers but those that issued them."""

    def run(**options):
        app, answers = wrap(required_scopes=[("GET", "/ruled", "admin")], **options).app, []
        good = {"HTTP_AUTHORIZATION": basic("tester", SECRET)["Authorization"]}
        bad = {"HTTP_AUTHORIZATION": basic("tester", WRONG)["Authorization"]}
        tokens = [issue(wrap()) for _ in range(3)]
        for path in ("/oauth/token", "/oauth/revoke", "/oauth/introspect"):
            for form in (f"client_secret={WRONG}&client_id=tester", f"token={tokens[0]}", f"scope={SECRET}&token=%zz"):
                for keys in ({}, bad, {"HTTP_AUTHORIZATION": f"Bearer {tokens[0]}"}, {"CONTENT_TYPE": "text/plain"}):
                    answers.append(post_form(app, CC + b"&" + form.encode(), path, **keys))
            answers.append(post_form(app, f"token={tokens[1]}&token={SECRET}".encode(), path, **good))
            answers.append(call(app, make_environ("GET", path, QUERY_STRING=f"client_secret={SECRET}", **good)))
        for path in ("/oauth/revoke", "/oauth/introspect"):
            answers.append(post_form(app, f"token={tokens[1]}".encode(), path, **good))
        for value in (*tokens, tokens[2] + "x", f"{tokens[2]},{tokens[2]}", SECRET, WRONG):
            for path in ("/any", "/ruled", "/a//b"):
                answers.append(call(app, make_environ("GET", path, HTTP_AUTHORIZATION=f"Bearer {value}")))
        return tokens, answers

    return run


def found_in(text, tokens):
    return [each for each in (SECRET, WRONG, *tokens) for form in forms(each) if form in text]


@one_store
def test_no_answer_and_no_log_holds_a_secret_or_a_token(gauntlet, caplog, capfd):  # L-01, L-02, B-04b
    caplog.set_level(logging.DEBUG)
    tokens, answers = gauntlet()
    told = b"\n".join(answer.body + repr(answer.headers).encode() for answer in answers)
    logged = "\n".join([caplog.text, *map(repr, (vars(record) for record in caplog.records))]).encode()

    assert len(answers) > 50 and logged.count(b"issued a token to ") > 2 and logged.count(b"refused ") > 30
    assert found_in(told + logged, tokens) == []
    for mark in (b"Traceback", b".py", b"SELECT", b"sqlite", b"oauth.db", b"wrong secret", b"unknown client"):
        assert mark not in told
    assert {answer.environ["wsgi.errors"].getvalue() for answer in answers} == {""}
    assert tuple(capfd.readouterr()) == ("", "")


@one_store
def test_no_event_of_the_audit_trail_holds_a_secret_or_a_token(gauntlet, handler, lines):
    given = []
    tokens, _ = gauntlet(on_event=given.append, audit_accepted=True)
    kept = "\n".join([*lines(), *map(repr, (vars(record) for record in handler.records)), *map(repr, given)])

    names = {"client_refused", "token_refused", "request_refused", "token_revoked", "request_accepted"}
    assert {each.event for each in given} == names and len(given) > 50
    assert kept.count('"token_issued"') >= len(tokens) == 3
    assert found_in(kept.encode(), tokens) == []


@pytest.mark.parametrize("store_kind", ["sqlite"])
def test_no_file_and_no_log_of_the_database_holds_a_secret_or_a_token(gauntlet, store, caplog):  # A-21, L-02
    caplog.set_level(logging.DEBUG)
    logging.getLogger("sqlalchemy.engine").setLevel(logging.DEBUG)
    tokens, _ = gauntlet()
    logging.getLogger("sqlalchemy.engine").setLevel(logging.NOTSET)
    database = Path(store.url.removeprefix("sqlite:///"))
    files = {path.name: path.read_bytes() for path in database.parent.glob(database.name + "*")}
    content = b"".join(files.values())

    assert {"oauth.db", "oauth.db-wal"} <= files.keys()
    assert b"tester" in content
    assert sha256(tokens[0].encode()).digest()[:28] in content
    assert found_in(content + caplog.text.encode(), tokens) == []
    raw = [base64.urlsafe_b64decode(token)[4:] for token in tokens]
    assert not [each for each in raw if each in content]


def test_no_object_shows_a_secret_or_a_token(wrap, store, client):  # L-02
    app = wrap()
    token = issue(app)
    environ = make_environ("GET", "/any", HTTP_AUTHORIZATION=f"Bearer {token}")
    call(app.app, environ)
    record = store.find_client("tester")
    shown = repr([environ["oauth_mw.token"], record, record.secrets, app.app, store, vars(app.app)])
    shown += repr(configure({"store": store})) + str(environ["oauth_mw.token"])

    assert "tester" in shown
    assert not [form for each in (SECRET, token) for form in forms(each) if form.decode("latin-1") in shown]
    hidden = record.secrets[0].digest, record.secrets[0].salt
    assert not any(repr(each) in shown or each.hex() in shown for each in hidden)


@one_store
@pytest.mark.parametrize("secret", ["short-5ecret", "x" * 2000, "tab\tinside-of-the-5ecret", "abcabcabcabcabcabc"])
def test_no_exception_and_no_result_shows_a_secret(store, secret):  # L-02
    with pytest.raises(AdminError) as refusal:
        admin.add_client(store, "x", secret=secret)
    made = admin.add_client(store, "x", client_id="own")
    more = admin.add_secret(store, "own")

    assert secret not in f"{refusal.value} {refusal.value!r}"
    assert made.secret not in f"{made!r} {made}" and more.secret not in f"{more!r} {more}"


URLS = {
    "another engine": "mysql://user:hunter2@host/db",
    "no PostgreSQL there": "postgresql+psycopg://user:hunter2@127.0.0.1:1/db",
    "no such option of PostgreSQL": "postgresql+psycopg://user:hunter2@host/db?nonsense=1",
    "no Redis there": "redis://user:hunter2@127.0.0.1:1/0",
    "no such option of Redis": "redis://user:hunter2@host/0?nonsense=1",
    "no cluster there": "redis+cluster://user:hunter2@127.0.0.1:1",
}


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_no_exception_tells_a_password_in_a_store_url(url):  # L-02
    with pytest.raises((ConfigError, StoreUnavailable)) as refusal:
        open_store(url, timeout=2)

    assert "hunter2" not in f"{refusal.value!r} {refusal.value}"
