"""Whom introspection tells about tokens that are for somebody (RFC 7662 §2.2, §4)."""

from __future__ import annotations

import pytest
from webob import Request

from helpers.builders import API, BILLING, HOUR
from helpers.support import SECRET, basic, one_store
from oauth_mw import admin
from oauth_mw.client_auth import ClientAuthentication
from oauth_mw.endpoints.introspection import IntrospectionEndpoint
from oauth_mw.tokens.opaque import OpaqueTokens

pytestmark = one_store

OTHER = "https://other.example.com"


@pytest.fixture
def ask(store, clock, client):
    """What a server with an audience tells ``who`` about a token of the client."""

    def ask(meant_for, *, who="rs", registered=(), server=(), resource_server=True):
        admin.add_client(
            store, "", client_id="rs", secret=SECRET, audiences=registered, resource_server=resource_server, clock=clock
        )
        tokens = OpaqueTokens(store, clock, "", "Bearer")
        authenticate = ClientAuthentication(store, ["client_secret_basic"], "api", clock)
        text, _ = tokens.issue(store.find_client("tester"), (), HOUR, meant_for)
        endpoint = IntrospectionEndpoint(authenticate, tokens.read, server)
        return endpoint(Request.blank("/", headers=basic(who, SECRET), POST={"token": text})).json

    return ask


@pytest.mark.parametrize(("meant_for", "aud"), [([API], API), ([BILLING, API], [BILLING, API])], ids=["one", "several"])
def test_whom_a_token_is_for_is_told(ask, meant_for, aud):  # I-02
    assert ask(meant_for, who="tester")["aud"] == aud


def test_nothing_is_told_of_a_token_that_is_for_nobody_in_particular(ask):  # I-02
    assert "aud" not in ask([], who="tester", server=[API])


def test_the_subject_is_the_client(ask):  # I-02
    assert ask([])["sub"] == "tester"


SEEN = {
    "nobody says anything": ([], {}),
    "nobody is registered": ([API], {}),
    "for a registered one": ([API], {"registered": [API, BILLING]}),
    "also for a registered one": ([OTHER, API], {"registered": [API]}),
    "for the registered one, not the server's": ([BILLING], {"registered": [BILLING], "server": [API]}),
    "for the server's": ([API], {"server": [BILLING, API]}),
    "for nobody in particular": ([], {"server": [API]}),
    "for nobody in particular, and the server's registered": ([], {"registered": [API], "server": [API]}),
}


@pytest.mark.parametrize(("meant_for", "how"), SEEN.values(), ids=SEEN)
def test_a_resource_server_sees_tokens_that_are_for_it(ask, meant_for, how):  # I-09
    assert ask(meant_for, **how)["active"] is True


UNSEEN = {
    "for another one": ([BILLING], {"registered": [API]}),
    "for the server's, and another registered": ([API], {"registered": [BILLING], "server": [API]}),
    "for another one than the server's": ([BILLING], {"server": [API]}),
    "a slash more": ([f"{API}/"], {"registered": [API]}),
    "for nobody in particular, and another registered": ([], {"registered": [BILLING], "server": [API]}),
    "for nobody in particular, and nobody known": ([], {"registered": [API]}),
    "a client, not a resource server": ([API], {"registered": [API], "resource_server": False}),
}


@pytest.mark.parametrize(("meant_for", "how"), UNSEEN.values(), ids=UNSEEN)
def test_other_tokens_are_inactive_and_nothing_else(ask, meant_for, how):  # I-03, I-09
    assert ask(meant_for, **how) == {"active": False}


def test_a_client_sees_its_own_tokens_whoever_they_are_for(ask):  # I-09
    assert ask([OTHER], who="tester", server=[API])["active"] is True
