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


SEEN = {
    "for nobody in particular": ([], {}),
    "for one, of a server that names none": ([API], {}),
    "for the registered one": ([API], {"registered": [API, BILLING]}),
    "also for the registered one": ([OTHER, API], {"registered": [API]}),
    "for the registered one, not the server's": ([BILLING], {"registered": [BILLING], "server": [API]}),
    "for the server's": ([API], {"server": [BILLING, API]}),
    "for nobody in particular, at the server": ([], {"server": [API]}),
    "for nobody in particular, and the server's registered": ([], {"registered": [API], "server": [API]}),
}
UNSEEN = {
    "for another one": ([BILLING], {"registered": [API]}),
    "for the server's, and another registered": ([API], {"registered": [BILLING], "server": [API]}),
    "for another one than the server's": ([BILLING], {"server": [API]}),
    "a slash more": ([f"{API}/"], {"registered": [API]}),
    "for nobody in particular, and another registered": ([], {"registered": [BILLING], "server": [API]}),
    "for nobody in particular, and no server named": ([], {"registered": [API]}),
    "a client, not a resource server": ([API], {"registered": [API], "resource_server": False}),
}


@pytest.mark.parametrize(("meant_for", "how"), [*SEEN.values(), *UNSEEN.values()], ids=[*SEEN, *UNSEEN])
def test_a_resource_server_sees_tokens_that_are_for_it_and_no_others(ask, meant_for, how):  # I-03, I-09
    if (meant_for, how) in SEEN.values():
        assert ask(meant_for, **how)["active"] is True
    else:
        assert ask(meant_for, **how) == {"active": False}


def test_a_client_sees_its_own_tokens_whoever_they_are_for(ask):  # I-09
    assert ask([OTHER], who="tester", server=[API])["active"] is True
