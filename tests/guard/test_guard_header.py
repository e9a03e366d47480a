"""``authorization_header``: another header in the place of Authorization, at the guard and at the endpoints."""

from __future__ import annotations

import pytest

from helpers.support import CC, SECRET, TESTER, basic, bearer, one_store
from helpers.wsgi_client import PREFLIGHT, answering, call, make_environ, showing
from oauth_mw import OAuthMiddleware, admin, forbidden

pytestmark = one_store

NAME, KEY = "X-Api-Token", "HTTP_X_API_TOKEN"
PROXY = basic("proxy", "its password")["Authorization"]

show = showing(lambda environ: {key: value for key, value in environ.items() if key in (KEY, "HTTP_AUTHORIZATION")})


def moved(headers):
    """The same credentials in the other header."""
    return {NAME: headers["Authorization"]}


def issue(app):
    return app.post("/oauth/token", CC, headers=moved(TESTER)).json["access_token"]


@pytest.fixture
def app(wrap, client):
    return wrap(authorization_header=NAME)


@pytest.fixture
def get(app):
    return lambda value, path="/any", **keys: call(app.app, make_environ("GET", path, **{KEY: value}, **keys))


OTHERS = {"nothing": None, "the proxy's": PROXY, "a client's": TESTER["Authorization"], "no token": "Bearer x"}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_credentials_count_in_that_header_whatever_is_in_authorization(app, get, other):  # B-02, A-01
    headers = {**moved(TESTER), **({"Authorization": other} if other else {})}
    token = app.post("/oauth/token", CC, headers=headers).json["access_token"]

    assert get(f"Bearer {token}", HTTP_AUTHORIZATION=other).body == b"MARKER tester read write"
    assert app.post("/oauth/introspect", {"token": token}, headers=headers).json["active"] is True
    app.post("/oauth/revoke", {"token": token}, headers=headers, status=200)
    assert get(f"Bearer {token}", HTTP_AUTHORIZATION=other).status == 401


def test_credentials_in_authorization_count_nowhere(app, get):  # B-11
    token = issue(app)

    assert get(None, HTTP_AUTHORIZATION=f"Bearer {token}").status == 401
    assert get("", HTTP_AUTHORIZATION=f"Bearer {token}").status == 401
    for path in ("/oauth/token", "/oauth/revoke", "/oauth/introspect"):
        app.post(path, {**CC, "token": token}, headers=TESTER, status=401)
    app.get("/any", headers=bearer(token), status=401)


def test_authorization_of_the_proxy_is_no_second_method_of_client_authentication(app):
    form = {**CC, "client_id": "tester", "client_secret": SECRET}

    app.post("/oauth/token", form, headers={"Authorization": PROXY}, status=200)
    app.post("/oauth/token", form, headers=moved(TESTER), status=400)


def test_without_the_option_that_header_counts_nowhere(wrap, client):  # B-11
    app = wrap()

    app.post("/oauth/token", CC, headers=moved(TESTER), status=401)
    app.get(
        "/any", headers=moved(bearer(app.post("/oauth/token", CC, headers=TESTER).json["access_token"])), status=401
    )


# As servers join several lines of one name, and what else is no value with one token.
REFUSED = {
    "twice": "Bearer {0},Bearer {0}",
    "twice, with a space": "Bearer {0}, Bearer {0}",
    "another before": "Bearer x,Bearer {0}",
    "another behind": "Bearer {0}, Bearer x",
    "one of the proxy before": PROXY + ",Bearer {0}",
    "one of the proxy behind": "Bearer {0}," + PROXY,
    "an empty one before": ",Bearer {0}",
    "an empty one behind": "Bearer {0},",
    "empty": "",
    "no scheme": "{0}",
    "bytes outside of ASCII": "Bearer {0}\xe4",
    "longer than 8 kB": "Bearer {0}" + "A" * 8200,
}


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_several_values_and_malformed_ones_are_refused(app, get, value):  # B-05, B-06, B-09
    assert get(value.format(issue(app))).status == 401


@pytest.mark.parametrize("value", ["{0},{0}", "{0}, {0}", ",{0}", "{0},", "{0}, Basic x", "", "{0}\xe4"])
def test_several_values_and_malformed_ones_authenticate_no_client(app, value):
    headers = {NAME: value.format(TESTER["Authorization"])}

    assert app.post("/oauth/token", CC, headers=headers, status=401).json["error"] == "invalid_client"


@pytest.mark.parametrize("path", ["/any", "/public"])
def test_several_values_give_no_identity_where_requests_pass(wrap, client, path):
    app = wrap(authorization_header=NAME, delay_auth_decision=True, public_paths="/public")
    token = issue(app)

    for value in (f"Bearer {token},Bearer {token}", f",Bearer {token}", None):
        answer = call(app.app, make_environ("GET", path, **{KEY: value}, HTTP_AUTHORIZATION=f"Bearer {token}"))
        assert answer.body == b"MARKER None None"


def test_a_preflight_that_passes_is_one_without_that_header(wrap, client):  # B-13
    app = wrap(authorization_header=NAME, preflight=True).app

    statuses = [
        call(app, make_environ("OPTIONS", "/any", **PREFLIGHT, **keys)).status
        for keys in ({}, {"HTTP_AUTHORIZATION": PROXY}, {KEY: "Bearer x"})
    ]
    assert statuses == [200, 200, 401]


def test_every_refusal_varies_by_that_header(wrap, client):
    app = wrap(forbidden("admin"), authorization_header=NAME, required_scopes=["* /ruled admin"])
    good = moved(bearer(issue(app)))
    answers = [
        app.get("/any", status=401),
        app.get("/any", headers=moved(bearer("x")), status=401),
        app.get("/ruled", headers=good, status=403),
        app.get("/any", headers=good, status=403),
    ]

    assert [answer.headers["Vary"] for answer in answers] == [NAME] * 4


REASONS = {None: f"no {NAME} header", "Basic x": f"another {NAME} scheme", "Bearer a,b": f"malformed {NAME} header"}


@pytest.mark.parametrize(("value", "reason"), REASONS.items(), ids=map(str, REASONS))
def test_the_log_names_the_header(get, caplog, value, reason):
    with caplog.at_level("INFO", "oauth_mw"):
        get(value)

    assert reason in caplog.text


@pytest.mark.parametrize(("strip", "left"), [(True, {}), (False, {KEY})])
def test_that_header_is_stripped_and_authorization_left(wrap, client, strip, left):  # B-19
    app = wrap(show, authorization_header=NAME, strip_authorization=strip)
    headers = {**moved(bearer(issue(app))), "Authorization": PROXY}

    assert app.get("/any", headers=headers).json.keys() == {"HTTP_AUTHORIZATION", *left}


def test_of_two_middlewares_each_reads_its_own_header(wrap, store, client):
    admin.add_client(store, "inner", client_id="inner", secret=SECRET, scope="read")
    inside = OAuthMiddleware(answering("200 OK"), store=store, token_path="/inner/token")
    app = wrap(inside, authorization_header=NAME, strip_authorization=True, public_paths="/inner/token")
    outer = moved(bearer(issue(app)))
    inner = bearer(app.post("/inner/token", CC, headers=basic("inner", SECRET)).json["access_token"])

    statuses = [app.get("/any", headers=each, status="*").status_int for each in ({**outer, **inner}, outer, inner)]
    assert statuses == [200, 401, 401]


def test_the_documents_name_no_method_that_means_authorization(wrap):  # G-01, M-06
    app = wrap(authorization_header=NAME, issuer="https://auth.example")
    documents = [app.get(f"/.well-known/oauth-{kind}").json for kind in ("authorization-server", "protected-resource")]

    assert documents[0]["token_endpoint_auth_methods_supported"] == ["client_secret_post"]
    assert "bearer_methods_supported" not in documents[0].keys() | documents[1].keys()


def test_the_documents_leave_out_a_list_of_methods_that_is_empty(wrap):  # M-06
    app = wrap(authorization_header=NAME, issuer="https://auth.example", client_auth_methods="client_secret_basic")

    assert "methods_supported" not in app.get("/.well-known/oauth-authorization-server").text


def test_pages_may_send_that_header_and_refusals_vary_by_it_and_the_origin(wrap, client):
    app = wrap(authorization_header=NAME, cors_origins="https://a.example")

    preflight = make_environ("OPTIONS", "/any", **PREFLIGHT, **{KEY: "Bearer of-a-gateway"})
    allowed = call(app.app, preflight).headers["Access-Control-Allow-Headers"]
    refused = app.get("/any", headers={"Origin": "https://a.example"}, status=401)

    assert (allowed.split(", ")[0], "Authorization" in allowed) == (NAME, False)
    assert refused.headers["Vary"] == f"{NAME}, Origin"
