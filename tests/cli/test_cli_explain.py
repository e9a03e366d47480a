"""``oauth-mw explain`` says what the middleware does: what it says is compared with the answers of a real one."""

from __future__ import annotations

from contextlib import closing
from itertools import product
from urllib.parse import quote

import pytest
from paste.deploy import loadwsgi
from webtest import TestApp

from helpers.support import echo, issue
from helpers.wsgi_client import call, make_environ, wire
from oauth_mw import OAuthMiddleware, admin, open_store

RULES = """
public_paths = /health /docs/* /things/
required_scopes =
    GET /reports/*     reports:read
    POST /reports/*    any of reports:write admin
    GET /items/{id}    items
    GET /items/*       read
    * /any             -
"""
CONFIGURATIONS = {
    "no rules": "",
    "rules": RULES,
    "a rest": f"{RULES}    GET /* rest",
    "pass": f"ambiguous_paths = pass{RULES}",
    "CherryPy": f"ambiguous_paths = refuse cherrypy{RULES}",
    "delay": f"delay_auth_decision = on{RULES}",
    "an issuer": f"issuer = https://auth.example/x{RULES}",
    "own paths elsewhere": f"token_path = /y /x\nrevocation_path = off\nhealth_path = /health{RULES}",
}
LISTED = ["GET /items/{id}", "PUT /x", "* /docs/*", "GET /"]
PATHS = ["/", "/reports/1", "/items/", "/items/7", "/any", "/health", "/health/", "/things/", "/x", "/x//y"]
PATHS += ["/docs/%2e", "/docs/index", "/oauth/token", "/oauth/token/", "/oauth/revoke", "/oauth/jwks"]
PATHS += ["/.well-known/oauth-authorization-server/x", "/health/ready"]
REQUESTS = [*product(["GET"], PATHS)]
REQUESTS += [*product(["POST", "get", "DELETE"], ["/reports/1", "/items/7", "/x", "/oauth/token"])]
# A token plays a part only where rules or the list of the client name a path.
WITH_TOKEN = ["/", "/reports/1", "/items/", "/items/7", "/any", "/x//y", "/docs/index", "/things/", "/oauth/token"]
WITH_TOKEN = [*product(["GET"], WITH_TOKEN), *product(["PUT"], ["/items/7", "/any", "/x"])]


@pytest.fixture
def explained(printed, ini):
    """What is said about a request to an app with these lines in its ini."""
    return lambda words, *lines: printed("--config", ini(*lines), "explain", *words.split(), store=None)


@pytest.fixture
def tokens(url):
    """A store, and a token of each of its clients, by the id of the client."""
    store = open_store(url, create=True)
    app = TestApp(OAuthMiddleware(echo, store=store))
    found = {}
    for scope in ("items", "items read"):
        client_id = scope.replace(" ", "-")
        client = admin.add_client(store, scope, client_id=client_id, scope=scope)
        found[client_id] = issue(app, client_id, client.secret)
    listed = admin.add_client(store, "listed", client_id="listed", scope="items read", allowed_requests=LISTED)
    found["listed"] = issue(app, "listed", listed.secret)
    placed = admin.add_client(store, "placed", client_id="placed", scope="items read")
    found["placed"] = issue(app, "placed", placed.secret)
    admin.update_client(store, "placed", allowed_addresses=["192.0.2.0/24"])
    yield found
    store.close()


@pytest.fixture
def differences(explained, ini, tmp_path):
    """The requests for which the command says something else than a middleware with the same ini answers."""

    def differences(lines, requests, words, key, **headers):
        ini(lines)
        requests = list(requests)
        app = loadwsgi.loadfilter(f"config:{tmp_path}/app.ini", name="oauth")(echo)
        answers = {each: call(app, make_environ(each[0], wire(each[1]), **headers)) for each in requests}
        said = {each: explained(f"{each[0]} {quote(each[1])} {words}", lines)[key] for each in requests}
        return [(each, said[each], answers[each]) for each in requests if not is_meant(said[each], answers[each])]

    return differences


def is_meant(said, answer):
    """True if the words of the command are those for an answer of the middleware."""
    if said.startswith("passed to the app"):
        return answer.body.startswith(b"MARKER")
    if said == "that of the endpoint":
        return answer.status != 405 and not answer.body.startswith(b"MARKER")
    return said.split()[0] == str(answer.status)


@pytest.mark.parametrize("lines", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_what_is_said_of_requests_without_a_token_is_what_a_middleware_answers(differences, lines):
    assert differences(lines, REQUESTS, "", "without_token") == []


@pytest.mark.parametrize("lines", list(CONFIGURATIONS.values())[:-2], ids=list(CONFIGURATIONS)[:-2])
@pytest.mark.parametrize("client_id", ["items", "items-read", "listed"])
def test_what_is_said_of_the_tokens_of_a_client_is_what_a_middleware_answers(differences, tokens, lines, client_id):
    headers = {"HTTP_AUTHORIZATION": f"Bearer {tokens[client_id]}"}

    assert differences(lines, WITH_TOKEN, f"--client {client_id}", "with_token", **headers) == []


@pytest.mark.parametrize("address", ["192.0.2.9", "203.0.113.9", "::ffff:192.0.2.1"])
def test_what_is_said_of_an_address_is_what_a_middleware_answers(differences, tokens, address):
    headers = {"HTTP_AUTHORIZATION": f"Bearer {tokens['placed']}", "REMOTE_ADDR": address}
    words = f"--client placed --address {address}"

    assert differences(RULES, product(["GET"], PATHS), words, "with_token", **headers) == []


AUTHENTICATED = {
    "on its list": ("POST /oauth/token --client placed --address 192.0.2.9", "that of the endpoint"),
    "elsewhere": ("POST /oauth/token --client placed --address 203.0.113.9", "400 Bad Request"),
    "to revoke": ("POST /oauth/revoke --client placed --address 203.0.113.9", "400 Bad Request"),
    "disabled": ("POST /oauth/token --client items", "401 Unauthorized"),
}


@pytest.mark.parametrize(("words", "answer"), AUTHENTICATED.values(), ids=AUTHENTICATED)
def test_what_a_client_is_answered_where_it_authenticates_depends_on_its_address(explained, tokens, url, words, answer):
    with closing(open_store(url)) as store:
        admin.disable_client(store, "items")

    assert explained(words)["with_token"] == answer


DECIDING = {
    "a rule": ("POST /reports/7", ["POST /reports/* any of: reports:write admin"], "this rule is the first"),
    "any token": ("GET /any", ["* /any any token"], "this rule is the first"),
    "an empty name": (
        "GET /items/",
        ["GET /items/* all of: read", "GET /items/ all of: items (an empty {name})"],
        "so both rules count",
    ),
    "a public path": ("GET /docs/a?b=//", ["* /docs/* public"], "no rule names the path, and public_paths opens it"),
    "no rule": ("GET /x", ["* /* any token"], "no rule names the path"),
    "no method": ("PUT /reports", ["* /reports/* refused (no rule for the method)"], "only for GET, HEAD, POST"),
    "a spelling": ("get /reports", ["* /reports/* refused (no rule for the method)"], "some apps treat get as GET"),
    "ambiguous": ("GET /docs/%252e", [], "an app can read the path as another one than the rules do"),
    "an own path": ("GET /oauth/token", [], "token_path: own paths are answered before any rule; Only POST"),
}


@pytest.mark.parametrize(("words", "rows", "why"), DECIDING.values(), ids=DECIDING)
def test_the_rules_that_decide_are_shown_and_why(explained, words, rows, why):
    said = explained(words, RULES)

    assert [" ".join(row.values()) for row in said["rules"]] == rows
    assert why in said["why"]


SCOPES = {
    "enough": (["reports:read x"], "passed to the app", "this rule is the first that matches"),
    "given twice": (["x", "reports:read"], "passed to the app", "this rule is the first that matches"),
    "not enough": (["x"], "403 Forbidden", "the token lacks reports:read"),
    "none": ([""], "403 Forbidden", "the token lacks reports:read"),
}


@pytest.mark.parametrize(("scopes", "answer", "why"), SCOPES.values(), ids=SCOPES)
def test_scopes_can_be_judged_without_a_client(printed, ini, scopes, answer, why):
    words = [word for scope in scopes for word in ("--scope", scope)]
    said = printed("explain", "GET", "/reports", "--config", ini(RULES), *words, store=None)

    assert said["with_token"] == answer
    assert said["why"].endswith(why)


UNUSABLE = {
    "disabled": ({}, "the client is disabled"),
    "a resource server": ({"resource_server": True}, "is a resource server"),
    "expired": ({"not_after": 1_000_001}, "the client has expired"),
    "another audience": ({"audiences": ["https://other.example"]}, "for other audiences"),
}


@pytest.mark.parametrize(("fields", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_client_whose_tokens_are_not_accepted_is_named(explained, url, fields, why):
    store = open_store(url, create=True)
    admin.add_client(store, "job", client_id="job", clock=lambda: 1_000_000, **fields)
    if not fields:
        admin.disable_client(store, "job")
    store.close()

    said = explained("GET /any --client job", RULES)

    assert (said["with_token"], why in said["why"]) == ("401 Unauthorized", True)


def test_a_client_is_found_by_its_name(printed, explained, registered):
    said = printed("client", "update", "tester", "--name", "Nightly")
    answer = explained("GET /any --client Nightly", RULES)

    assert (said["name"], answer["with_token"]) == ("Nightly", "passed to the app")


def test_a_preflight_is_mentioned_where_it_needs_no_token(explained):
    said = [explained(f"{method} /any", "preflight = on", RULES)["why"] for method in ("OPTIONS", "GET")]

    assert ["a CORS preflight without a token is passed" in why for why in said] == [True, False]


@pytest.mark.parametrize("path", ["/any", "/reports", "/oauth/token"])
def test_a_preflight_is_mentioned_where_it_is_answered_here(explained, path):
    said = explained(f"OPTIONS {path}", "cors_origins = *", RULES)["why"]

    assert "a CORS preflight is answered here" in said


def test_people_see_the_same_in_lines_without_control_characters(cli, ini):
    answer = cli("--config", ini(RULES), "explain", "GET", "/reports/%1b[1m", store=None)

    assert answer.stdout.splitlines() == [
        r"request  GET /reports/\x1b[1m",
        "needs    refused (400)",
        "answer   400 Bad Request",
        "because  an app can read the path as another one than the rules do",
    ]


WRONG = {
    "no configuration": ("GET /x", 2, "name the ini file or MODULE:APP with --config"),
    "no path": ("GET https://a.example/x --config app.ini", 2, "PATH begins with a slash"),
    "both": ("GET /x --config app.ini --client job --scope a", 2, "--client and --scope exclude each other"),
    "an address alone": ("GET /x --config app.ini --address 192.0.2.7", 2, "needs --client"),
    "no address": ("GET /x --config app.ini --client job --address here", 2, "--address is an address, such as"),
    "an unknown client": ("GET /any --config app.ini --client job", 3, "there is no client 'job'"),
}


@pytest.mark.parametrize(("words", "exit_code", "says"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_explained_is_refused(cli, ini, url, words, exit_code, says):
    open_store(url, create=True).close()
    ini(RULES)

    answer = cli("explain", *words.split(), store=None)

    assert (answer.exit_code, says in answer.stderr) == (exit_code, True)


def test_no_store_is_made_and_every_fault_is_a_line(cli, ini, tmp_path):
    assert cli("--config", ini(RULES), "explain", "GET", "/x", store=None).exit_code == 0
    assert [each.name for each in tmp_path.iterdir()] == ["app.ini"]

    answer = cli("--config", ini("realm =", "public_path = /x"), "explain", "GET", "/x", store=None)
    assert (answer.exit_code, answer.stderr.count("\n")) == (2, 2)


def test_the_limits_of_a_client_are_named(explained, url):
    lists = {"allowed_requests": ["GET /any", "* /x"], "rate_limit": "5/minute", "allowed_addresses": ["192.0.2.0/24"]}
    with closing(open_store(url, create=True)) as opened:
        admin.add_client(opened, "partner", client_id="partner", **lists)

    refused, passed = (explained(f"GET {path} --client partner") for path in ("/other", "/x"))

    assert refused["with_token"] == "403 Forbidden"
    assert refused["why"].endswith("; the client may send only GET /any, * /x")
    assert passed["with_token"] == "passed to the app"
    assert passed["why"].endswith("; the client may send only from 192.0.2.0/24; the client may send at most 5/minute")


def test_the_rate_is_that_of_the_server_unless_the_client_is_free_of_it(explained, url):
    with closing(open_store(url, create=True)) as opened:
        admin.add_client(opened, "any", client_id="any")
        admin.add_client(opened, "free", client_id="free", rate_limit="off")

    limited, free = (explained(f"GET /any --client {each}", "rate_limit = 3/hour", RULES) for each in ("any", "free"))

    assert limited["why"].endswith("; the client may send at most 3/hour")
    assert free["why"] == "this rule is the first that matches"
