"""``sandbox`` replaces store and clock of a middleware, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from paste.urlmap import URLMap

from helpers.support import CC, SECRET, TESTER, echo, issue
from helpers.wsgi_client import CheckedApp, answering, challenge_of
from oauth_mw import OAuthMiddleware, admin, current_token, open_store
from oauth_mw.stores.memory import MemoryStore
from oauth_mw.testing import HandClock, sandbox


def shows_token(environ, start_response):
    token = current_token(environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{token.client_id} {token.scope!r} {dict(token.attributes)}".encode()]


# Tokens


def test_a_token_has_what_its_rule_needs(oauth, get):
    assert get(oauth.middleware, oauth.token_for(scope="reports:read")).status_int == 200


def test_a_token_without_the_scope_of_the_rule_is_refused(oauth, get):
    answer = get(oauth.middleware, oauth.token_for(scope="reports:write"))

    assert (answer.status_int, challenge_of(answer).parameters["scope"]) == (403, "reports:read")


def test_the_app_receives_client_scope_and_attributes(production, get):
    with sandbox(production(shows_token)) as oauth:
        token = oauth.token_for(scope="reports:read", client="nightly", tenant="acme", level=3)

        assert get(oauth.middleware, token).text == "nightly 'reports:read' {'tenant': 'acme', 'level': 3}"


def test_a_token_has_exactly_the_scope_that_it_was_issued_for(production, get):
    with sandbox(production(shows_token)) as oauth:
        oauth.token_for(scope="reports:read reports:write")

        assert get(oauth.middleware, oauth.token_for(), "/any").text == "job '' {}"


def test_a_client_keeps_its_attributes(production, get):
    with sandbox(production(shows_token)) as oauth:
        oauth.token_for(tenant="acme", level=3)

        assert get(oauth.middleware, oauth.token_for(level=4), "/any").text == "job '' {'tenant': 'acme', 'level': 4}"


def test_a_registered_client_keeps_what_its_record_says(oauth):
    admin.add_client(oauth.store, "Nightly", client_id="nightly", lifetime=60, public_attributes={"tenant": "acme"})

    key = admin.token_key(oauth.token_for("reports:read", client="nightly", level=3))

    token = admin.inspect_token(oauth.store, key)

    assert token.expires_at - oauth.clock.now < 62
    assert oauth.store.find_client("nightly").public_attributes == {"tenant"}


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        pytest.param({"scope": "a,b"}, "did you mean 'a b'", id="a list with commas"),
        pytest.param({"scope": 'a"b'}, "is not a scope", id="a character that no scope has"),
        pytest.param({"a\n": 1}, "printable characters", id="an attribute of no name"),
        pytest.param({"client": "off"}, "'off' is disabled", id="a disabled client"),
        pytest.param({"client": "api"}, "the token endpoint refuses the client 'api'", id="a resource server"),
        pytest.param({"client": "often"}, "the quota of tokens per day is used up", id="a client beyond its quota"),
    ],
)
def test_what_no_token_can_have_is_refused(oauth, refused, words):
    admin.add_client(oauth.store, "off", client_id="off")
    admin.disable_client(oauth.store, "off")
    admin.add_client(oauth.store, "api", client_id="api", resource_server=True)
    admin.add_client(oauth.store, "often", client_id="often", tokens_per_day=1)
    oauth.token_for(client="often")

    with pytest.raises(ValueError, match=words):
        oauth.token_for(**refused)


def test_a_revoked_token_is_refused_at_once(oauth, get):
    token = oauth.token_for(scope="reports:read")
    assert get(oauth.middleware, token).status_int == 200

    admin.revoke_all_tokens(oauth.store, "job")

    assert get(oauth.middleware, token).status_int == 401


def test_a_client_of_the_test_requests_tokens_itself(oauth, get):
    admin.add_client(oauth.store, "tester", scope="reports:read", client_id="tester", secret=SECRET)

    assert get(oauth.middleware, issue(CheckedApp(oauth.middleware))).status_int == 200


# Clock


@pytest.mark.parametrize(("seconds", "status"), [(3599, 200), (3602, 401)])
def test_a_token_expires_by_the_clock_of_the_test(oauth, get, seconds, status):
    token = oauth.token_for(scope="reports:read")

    oauth.clock.move(seconds)

    assert get(oauth.middleware, token).status_int == status


def test_the_clock_stands_where_the_test_puts_it(middleware):
    with sandbox(middleware, now=1_900_000_000) as oauth:
        token = admin.inspect_token(oauth.store, admin.token_key(oauth.token_for()))

        assert token.issued_at == 1_900_000_000
        assert repr(oauth.clock) == "HandClock(1900000000)" == repr(HandClock(1_900_000_000))


# What is kept, and what is replaced


OPTIONS = {
    "a path": {"token_path": "/token"},
    "two token paths": {"token_path": ["/oauth/token", "/token"]},
    "no token path": {"token_path": "off"},
    "no grant type in the body": {"grant_type_in": "header"},
    "lifetime": {"access_token_lifetime": 60},
    "a public path": {"public_paths": ["/health"], "realm": "reports"},
    "one method of authentication": {"client_auth_methods": "client_secret_post"},
    "an audience": {"audience": "https://api.example.com"},
    "JWTs": {"issuer": "https://example.com", "token_format": "jwt"},
    "CherryPy": {"ambiguous_paths": "refuse cherrypy"},
    "leeway": {"leeway_seconds": 5, "remote_user": True, "strip_authorization": True},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_all_options_but_the_store_are_those_of_production(production, get, options):
    middleware = production(**options)
    before = middleware.parts.settings

    with sandbox(middleware) as oauth:
        assert replace(middleware.parts.settings, store=before.store) == before
        assert isinstance(middleware.parts.settings.store, MemoryStore)
        assert get(middleware, oauth.token_for(scope="reports:read")).status_int == 200


def test_the_format_of_tokens_is_that_of_production(production):
    with sandbox(production(token_prefix="acme-")) as oauth:
        assert oauth.token_for().startswith("acme-")


def test_the_store_of_production_is_neither_read_nor_written(middleware, store_url, get):
    store = open_store(store_url)
    admin.add_client(store, "tester", scope="reports:read", client_id="tester", secret=SECRET)
    issued, before = issue(CheckedApp(middleware)), admin.stats(store)

    with sandbox(middleware) as oauth:
        in_sandbox = oauth.token_for(scope="reports:read", client="tester")
        assert [get(middleware, token).status_int for token in (issued, in_sandbox)] == [401, 200]

    assert [get(middleware, token).status_int for token in (issued, in_sandbox)] == [200, 401]
    assert admin.stats(store) == before
    store.close()


@pytest.mark.parametrize("options", [{}, OPTIONS["JWTs"]], ids=["opaque", "JWTs"])
def test_several_on_one_store_take_the_same_tokens_and_expire_them_together(production, get, options):
    status = production(token_path="off", **options)
    site = URLMap()
    site["/status"], site["/"] = status, production(**options)

    with sandbox(site) as oauth:
        token = oauth.token_for(scope="reports:read")
        assert [get(site, token, path).status_int for path in ("/status/reports", "/reports")] == [200, 200]

        oauth.clock.move(3602)
        assert [get(site, token, path).status_int for path in ("/status/reports", "/reports")] == [401, 401]

    assert not isinstance(status.parts.settings.store, MemoryStore)


@pytest.mark.parametrize("urls", [("memory://", "memory://"), ("memory://", None)], ids=["in memory", "different"])
def test_several_without_a_store_in_common_are_refused(store_url, urls):
    site = URLMap()
    site["/status"], site["/"] = (OAuthMiddleware(echo, store=url or store_url) for url in urls)

    with pytest.raises(LookupError, match="several OAuthMiddleware objects with different stores: pass the one to"):
        sandbox(site).__enter__()


def test_an_error_in_the_block_restores_production(middleware):
    parts = middleware.parts

    with pytest.raises(RuntimeError), sandbox(middleware) as oauth:
        assert oauth.middleware.parts is not parts
        raise RuntimeError

    assert middleware.parts is parts


def test_a_sandbox_in_another_one_has_a_store_of_its_own(middleware, get):
    with sandbox(middleware) as outer:
        token = outer.token_for(scope="reports:read")
        with sandbox(middleware):
            assert get(middleware, token).status_int == 401
        assert get(middleware, token).status_int == 200


def test_an_environ_that_names_several_processes_is_served(oauth, get):
    token = oauth.token_for(scope="reports:read")

    assert get(oauth.middleware, token, **{"wsgi.multiprocess": True}).status_int == 200


def test_the_apps_own_401_is_challenged_once(production):
    with sandbox(production(answering("401 Unauthorized"), delay_auth_decision=True)) as oauth:
        answer = CheckedApp(oauth.middleware).get("/any", status=401)

    assert challenge_of(answer).scheme == "Bearer"


def test_the_token_endpoint_refuses_unknown_clients_as_in_production(oauth):
    answer = CheckedApp(oauth.middleware).post("/oauth/token", CC, headers=TESTER, status=401)

    assert answer.json["error"] == "invalid_client"


def test_no_framework_and_no_test_runner_is_imported():
    others = "{'flask', 'werkzeug', 'django', 'rest_framework', 'webtest', 'pytest', '_pytest'}"
    code = f"import sys, oauth_mw.testing; print(sorted({others} & set(sys.modules)))"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"
