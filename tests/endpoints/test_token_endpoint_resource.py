"""``resource`` at the token endpoint, and the audience of a token (RFC 8707)."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from webob import Request

from helpers.builders import API, BILLING
from helpers.support import SECRET, TESTER, one_store
from oauth_mw import admin
from oauth_mw.client_auth import ClientAuthentication
from oauth_mw.endpoints.token import TokenEndpoint
from oauth_mw.errors import InvalidRequest, InvalidTarget
from oauth_mw.tokens.opaque import OpaqueTokens

pytestmark = one_store

CC = ("grant_type", "client_credentials")
OTHER = "https://other.example.com"
MANY = [f"https://a.example/{number}" for number in range(21)]


@pytest.fixture
def events():
    return []


@pytest.fixture
def ask(store, clock, events):
    """The audience of a token that a server with an audience issues to a client with some."""

    def ask(*resources, audiences=(), default=None, server=(), query=(), grant_type_in=("body",)):
        admin.add_client(
            store, "", client_id="tester", secret=SECRET, audiences=audiences, default_audience=default, clock=clock
        )
        tokens = OpaqueTokens(store, clock, "")
        endpoint = TokenEndpoint(
            ClientAuthentication(store, ["client_secret_basic"], "api", clock).authenticate,
            tokens.issue,
            lifetime=60,
            default_scope=None,
            narrow=False,
            audience=server,
            grant_type_in=grant_type_in,
            emit=lambda event, environ: events.append(event),
            clock=clock,
        )
        form = urlencode([CC, *(("resource", each) for each in resources)])
        path = "/oauth/token?" + urlencode([("resource", each) for each in query])
        request = Request.blank(path, headers=TESTER, POST=form)
        answer = request.get_response(endpoint(request))
        return tokens.read(answer.json["access_token"]).audience

    return ask


GRANTED = {
    "one of the server's": ([BILLING], {"server": [API, BILLING]}, (BILLING,)),
    "several of the client's, as requested": ([BILLING, API], {"audiences": [API, BILLING]}, (BILLING, API)),
    "the client's, not the server's": ([API], {"audiences": [API, BILLING], "server": [OTHER]}, (API,)),
    "the client's default": ([BILLING], {"default": [BILLING], "server": [API]}, (BILLING,)),
    "twice": ([API, API], {"server": [BILLING, API]}, (API,)),
    "empty before": (["", API], {"server": [BILLING, API]}, (API,)),
    "twenty": (MANY[:20], {"server": MANY}, tuple(MANY[:20])),
}


@pytest.mark.parametrize(("resources", "who", "audience"), GRANTED.values(), ids=GRANTED)
def test_a_token_has_the_requested_audience(ask, events, resources, who, audience):  # N-01, N-03
    assert ask(*resources, **who) == audience
    assert [event.audience for event in events] == [audience]


DEFAULTS = {
    "none is named": ({}, ()),
    "the server's first": ({"server": [API, BILLING]}, (API,)),
    "the client's default": ({"server": [API], "default": [BILLING, OTHER]}, (BILLING, OTHER)),
    "the client's default, not the first": ({"audiences": [API, BILLING], "default": [BILLING]}, (BILLING,)),
    "the client's first": ({"audiences": [BILLING, API]}, (BILLING,)),
    "the server's first that the client may have": ({"audiences": [BILLING, API], "server": [OTHER, API]}, (API,)),
    "the client's first, where it may have none of the server's": ({"audiences": [API], "server": [OTHER]}, (API,)),
}


@pytest.mark.parametrize("resources", [(), ("",)], ids=["left out", "empty"])
@pytest.mark.parametrize(("who", "audience"), DEFAULTS.values(), ids=DEFAULTS)
def test_without_a_resource_a_token_has_the_default_audience(ask, resources, who, audience):  # J-04
    assert ask(*resources, **who) == audience


HERE = {"server": [API, BILLING]}
REFUSED = {
    "an audience is not known": ([API], {}),
    "unknown": ([OTHER], HERE),
    "the server's, but not the client's": ([API], {**HERE, "audiences": [BILLING]}),
    "one of two": ([API, OTHER], HERE),
    "too many": (MANY, {"server": MANY}),
}
SPELLINGS = [f"{API}/", API.replace("https", "HTTPS"), API.replace(".com", ".com:443"), API.replace("v1", "%76%31")]
NEAR = ["/v1", f"{API}#x", f"{API}#", *SPELLINGS, API[:-1], f"{API} {BILLING}", f"{API} ", f"{API}\n", "%%"]
NEAR += ["https://äpi.example.com", "https://" + "a" * 50_000]


@pytest.mark.parametrize(
    ("resources", "who"),
    [*REFUSED.values(), *(([text], HERE) for text in NEAR)],
    ids=[*REFUSED, *(text[:30] for text in NEAR)],
)
def test_another_resource_or_spelling_is_an_invalid_target(ask, resources, who):  # N-02, N-05
    with pytest.raises(InvalidTarget) as refused:
        ask(*resources, **who)

    assert refused.value.client_id == "tester"


@pytest.mark.parametrize(("places", "got"), [(["body"], (API,)), (["body", "query"], (BILLING, OTHER))], ids=len)
def test_resources_come_from_the_query_where_it_counts(ask, places, got):
    assert ask(query=[BILLING, OTHER], server=[API, BILLING, OTHER], grant_type_in=places) == got


def test_resources_in_two_places_are_invalid(ask):
    with pytest.raises(InvalidRequest, match="resource was sent in more than one place"):
        ask(API, query=[API], server=[API], grant_type_in=["body", "query"])


@pytest.fixture
def app(wrap, store):
    admin.add_client(store, "", client_id="tester", secret=SECRET, audiences=[API, BILLING])
    return wrap()


def test_resource_may_repeat_and_introspection_shows_it(app):  # N-01, N-03
    form = [CC, ("resource", API), ("resource", BILLING)]
    token = app.post("/oauth/token", form, headers=TESTER, status=200).json["access_token"]

    assert app.post("/oauth/introspect", {"token": token}, headers=TESTER).json["aud"] == [API, BILLING]


def test_a_refusal_is_the_same_for_all_and_echoes_nothing(app):  # N-02, T-03c, T-16
    answers = [
        app.post("/oauth/token", [CC, ("resource", each)], headers=TESTER, status=400)
        for each in (OTHER, '"><script>', "/v1")
    ]

    assert {answer.body for answer in answers} == {answers[0].body}
    assert answers[0].json["error"] == "invalid_target"
    assert answers[0].headers["Cache-Control"] == "no-store"


@pytest.fixture
def aud(wrap, store):
    """The audience of a token for these parameters where ``audience`` counts, or the error."""
    admin.add_client(store, "", client_id="tester", secret=SECRET, audiences=[API, BILLING])

    def aud(*parameters, query=(), **options):
        app = wrap(**{"audience_parameter": True, "audience": BILLING, **options})
        form = urlencode([CC, *parameters])
        answer = app.post("/oauth/token?" + urlencode(query), form, headers=TESTER, status=(200, 400)).json
        if "error" in answer:
            return answer["error"]
        return app.post("/oauth/introspect", {"token": answer["access_token"]}, headers=TESTER).json["aud"]

    return aud


QUERY = {"grant_type_in": ["body", "query"]}
FORMS = {
    "alone": ([("audience", API)], {}, API),
    "several times": ([("audience", BILLING), ("audience", API)], {}, [BILLING, API]),
    "empty": ([("audience", "")], {}, BILLING),
    "empty beside a resource": ([("audience", ""), ("resource", API)], {}, API),
    "beside an empty resource": ([("audience", API), ("resource", "")], {}, API),
    "equal": ([("audience", API), ("resource", API)], {}, API),
    "equal in another order": (
        [("audience", API), ("audience", BILLING), ("resource", BILLING), ("resource", API)],
        {},
        [BILLING, API],
    ),
    "different": ([("audience", API), ("resource", BILLING)], {}, "invalid_target"),
    "one of two": ([("audience", API), ("resource", API), ("resource", BILLING)], {}, "invalid_target"),
    "another spelling": ([("audience", API), ("resource", API + "/")], {}, "invalid_target"),
    "unknown": ([("audience", OTHER)], {}, "invalid_target"),
    "no URI": ([("audience", "reports")], {}, "invalid_target"),
    "in the query": ([], {"query": [("audience", API)], **QUERY}, API),
    "in the query, which does not count": ([], {"query": [("audience", API)]}, BILLING),
    "in two places": ([("audience", API)], {"query": [("audience", API)], **QUERY}, "invalid_request"),
    "equal in two places": ([("audience", API)], {"query": [("resource", API)], **QUERY}, API),
    "different in two places": ([("resource", API)], {"query": [("audience", BILLING)], **QUERY}, "invalid_target"),
    "off": ([("audience", API)], {"audience_parameter": False}, BILLING),
    "off, beside a resource": ([("audience", "reports"), ("resource", API)], {"audience_parameter": False}, API),
}


@pytest.mark.parametrize(("parameters", "options", "result"), FORMS.values(), ids=FORMS)
def test_audience_is_taken_as_resource_and_must_equal_it(aud, parameters, options, result):  # N-01, N-02, N-03
    assert aud(*parameters, **options) == result


def test_the_answer_says_that_both_differ(wrap, client):
    form = [CC, ("audience", API), ("resource", BILLING)]
    answer = wrap(audience_parameter=True).post("/oauth/token", form, headers=TESTER, status=400)

    assert answer.json["error_description"] == "The parameters resource and audience must be equal if both are sent"
