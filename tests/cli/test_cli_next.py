"""The next step after a client is added, and a warning."""

from __future__ import annotations

import pytest

from helpers.support import CC, basic

URL = "http://127.0.0.1:8080/oauth"
STEPS = {
    "client": ("plain", [], f"  curl -u plain -d grant_type=client_credentials {URL}/token"),
    "quoted": ("it's", [], f"""  curl -u 'it'"'"'s' -d grant_type=client_credentials {URL}/token"""),
    "encoded": ("a:b", [], f"  curl -u a%3Ab -d grant_type=client_credentials {URL}/token"),
    "server": ("billing", ["--resource-server"], f"  curl -u billing -d token=TOKEN {URL}/introspect"),
}


@pytest.mark.parametrize(("client_id", "words", "step"), STEPS.values(), ids=STEPS)
def test_add_shows_the_line_that_uses_the_client(cli, client_id, words, step):
    answer = cli("client", "add", "x", "--id", client_id, *words)

    assert answer.stderr.splitlines()[-1] == step
    assert "curl" not in answer.stdout


def test_the_line_has_the_urls_of_the_ini(cli, ini):
    config = ini("public_url = https://api.example.com/v1", "token_path = /token /oauth/token")

    answer = cli("client", "add", "x", "--config", config, store=None)

    assert answer.stderr.splitlines()[-1].endswith(" -d grant_type=client_credentials https://api.example.com/v1/token")


@pytest.mark.parametrize("line", ["authorization_header = X-Token", "client_auth_methods = client_secret_post"])
def test_the_line_has_the_credentials_in_the_body_where_basic_is_not_read(cli, ini, line):
    answer = cli("client", "add", "x", "--id", "a b", "--config", ini(line), store=None)

    form = "-d client_id=a+b -d client_secret=SECRET -d grant_type=client_credentials"
    assert answer.stderr.splitlines()[-1] == f"  curl {form} {URL}/token"


UNREAD = "authorization_header = X-Token\nclient_auth_methods = client_secret_basic"


@pytest.mark.parametrize("line", ["token_path = off", UNREAD])
def test_no_line_is_shown_where_curl_gets_no_token(cli, ini, line):
    answer = cli("client", "add", "x", "--config", ini(*line.splitlines()), store=None)

    assert (answer.exit_code, "curl" in answer.stderr) == (0, False)


def test_scripts_are_shown_no_line(cli):
    assert "curl" not in cli("client", "add", "x", "--json").stderr


@pytest.mark.parametrize("words", [[], ["--json"]], ids=["people", "scripts"])
def test_a_colon_in_an_id_is_warned_of(cli, words):
    plain, odd = (cli("client", "add", "x", "--id", client_id, *words).stderr for client_id in ("plain", "a:b"))

    assert ("a colon" in plain, "warning: the client id has a colon" in odd) == (False, True)


def test_an_id_with_a_colon_is_accepted_as_the_line_sends_it(app, printed):
    secret = printed("client", "add", "x", "--id", "a:b")["client_secret"]

    app.post("/oauth/token", CC, headers=basic("a%3Ab", secret, raw=True), status=200)
