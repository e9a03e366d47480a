"""The documents by which clients and services find their way: what they say, and how they are answered."""

from __future__ import annotations

import json

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import get_well_known_url
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from helpers.support import CC, SECRET, TESTER, bearer, echo, issue, one_store
from helpers.wsgi_client import CheckedApp, answering, call, challenge_of, make_environ
from oauth_mw import ConfigError, StoreUnavailable, forbidden
from oauth_mw.keys.keypair import make
from oauth_mw.model import CLIENT_AUTH_METHODS

pytestmark = one_store

ISSUER = "https://auth.example"
SERVER = "/.well-known/oauth-authorization-server"
RESOURCE = "/.well-known/oauth-protected-resource"
PATHS = [SERVER, RESOURCE, "/oauth/jwks"]

every_document = pytest.mark.parametrize("path", PATHS)


@pytest.fixture
def found(wrap, client):
    """The authorization server's metadata with these options, and the app."""

    def find(**options):
        app = wrap(**{"issuer": ISSUER, **options})
        return app.get(SERVER).json, app

    return find


@pytest.mark.parametrize("issuer", [ISSUER, ISSUER + "/", ISSUER + "/tenant", ISSUER + "/tenant/"])
def test_the_issuer_is_shown_as_configured_at_its_own_path(wrap, issuer):  # M-01, M-02
    path = SERVER + ("/tenant" if "tenant" in issuer else "")

    assert wrap(issuer=issuer).get(path).json["issuer"] == issuer


def test_the_endpoints_are_where_the_metadata_say(found):  # M-03, M-04, M-05, M-06, M-08
    metadata, app = found(token_format="jwt")
    token = app.post(metadata["token_endpoint"], CC, headers=TESTER).json["access_token"]

    assert app.post(metadata["introspection_endpoint"], {"token": token}, headers=TESTER).json["active"] is True
    app.post(metadata["revocation_endpoint"], {"token": token}, headers=TESTER, status=200)
    assert len(app.get(metadata["jwks_uri"]).json["keys"]) == 1
    assert (metadata["grant_types_supported"], metadata["response_types_supported"]) == (["client_credentials"], [])
    assert [name for name in metadata if "_alg_" in name] == []  # no algorithm to authenticate with
    both = {**metadata, **app.get(RESOURCE).json}
    assert [name for name, value in both.items() if not value] == ["response_types_supported"]


def test_all_endpoints_begin_with_the_public_url(found):  # M-03
    metadata, _ = found(public_url="https://api.example/mount/", token_path=["/v 1?c#d", "/oauth/token"])
    names = ["token_endpoint", "revocation_endpoint", "introspection_endpoint", "jwks_uri"]
    paths = ["/v%201%3Fc%23d", "/oauth/revoke", "/oauth/introspect", "/oauth/jwks"]

    assert [metadata[name] for name in names] == [f"https://api.example/mount{path}" for path in paths]


@pytest.mark.parametrize("methods", [["client_secret_basic"], ["client_secret_post"], CLIENT_AUTH_METHODS])
def test_exactly_the_methods_that_are_shown_work(found, methods):  # M-06
    metadata, app = found(client_auth_methods=methods)
    tries = {
        "client_secret_basic": (CC, TESTER),
        "client_secret_post": ({**CC, "client_id": "tester", "client_secret": SECRET}, {}),
    }
    for name in ("token", "revocation", "introspection"):
        url, told = metadata[f"{name}_endpoint"], metadata[f"{name}_endpoint_auth_methods_supported"]
        answers = {
            method: app.post(url, {**form, "token": "x"}, headers=headers, expect_errors=True)
            for method, (form, headers) in tries.items()
        }
        assert [method for method, answer in answers.items() if answer.status_int == 200] == told == list(methods)


@pytest.mark.parametrize(
    ("option", "members"),
    [
        ("revocation_path", {"revocation_endpoint", "revocation_endpoint_auth_methods_supported"}),
        ("introspection_path", {"introspection_endpoint", "introspection_endpoint_auth_methods_supported"}),
        ("jwks_path", {"jwks_uri"}),
    ],
)
def test_what_is_off_is_not_shown(found, option, members):  # M-07
    metadata, without = found()[0], found(**{option: "off"})[0]

    assert metadata.keys() - without.keys() == members


@pytest.mark.parametrize(
    ("audience", "path", "resource"),
    [
        (None, RESOURCE, ISSUER),
        (["https://api.example/v1"], RESOURCE + "/v1", "https://api.example/v1"),
        (["https://api.example/v1/"], RESOURCE + "/v1/", "https://api.example/v1/"),
        (["urn:a", "https://api.example/", "https://other.example"], RESOURCE, "https://api.example/"),
        (["https://api.example/?a", "https://a%20b.example", "http://localhost:80"], RESOURCE, "http://localhost:80"),
    ],
)
def test_the_resource_is_shown_as_configured_at_its_own_path(wrap, audience, path, resource):  # G-01, G-02
    assert wrap(issuer=ISSUER, audience=audience).get(path).json == {
        "resource": resource,
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
    }


def test_every_challenge_names_the_resources_metadata(wrap, client):  # G-03
    audience = "https://api.example/v1"
    app = wrap(forbidden("admin"), issuer=ISSUER, audience=audience, required_scopes=["* /ruled admin"])
    good = bearer(issue(app))
    answers = [
        app.get("/any", status=401),
        app.get("/any", headers=bearer("x"), status=401),
        app.get("/ruled", headers=good, status=403),
        app.get("/any", headers=good, status=403),
    ]

    for answer in answers:
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="api", resource_metadata="https://')
        metadata = app.get(challenge_of(answer).parameters["resource_metadata"]).json
        assert metadata["resource"] == "https://api.example/v1"


def test_a_challenge_added_to_the_apps_own_401_names_it_too(wrap):  # G-03
    app = wrap(answering("401 Unauthorized"), issuer=ISSUER, delay_auth_decision=True)

    assert challenge_of(app.get("/any", status=401)).parameters["resource_metadata"] == ISSUER + RESOURCE


UNSERVED = {
    "the resource without an issuer": (RESOURCE, {"issuer": None}),
    "the resource when metadata are off": (RESOURCE, {"metadata": "off"}),
    "a resource that is no URL": (RESOURCE, {"audience": "urn:a"}),
    "the server without an issuer": (SERVER, {"issuer": None}),
    "the server when metadata are off": (SERVER, {"metadata": "off"}),
    "the server without a token endpoint": (SERVER, {"token_path": "off"}),
    "keys without an issuer": ("/oauth/jwks", {"issuer": None}),
    "keys when they are off": ("/oauth/jwks", {"jwks_path": "off"}),
}


@pytest.mark.parametrize(("path", "options"), UNSERVED.values(), ids=UNSERVED)
def test_a_document_that_is_not_served_is_guarded(wrap, path, options):  # G-03
    app = wrap(**{"issuer": ISSUER, **options})
    answer = app.get(path, status=401)

    assert "token_path" not in options or [app.get(other).status_int for other in PATHS[1:]] == [200, 200]
    assert path != RESOURCE or answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'


HEADERS = {
    "HTTP_HOST": "evil.example",
    "HTTP_X_FORWARDED_HOST": "evil.example",
    "HTTP_X_FORWARDED_PROTO": "evil",
    "HTTP_X_FORWARDED_PREFIX": "/evil",
    "HTTP_FORWARDED": "host=evil.example",
    "SERVER_NAME": "evil.example",
    "SCRIPT_NAME": "/evil",
    "QUERY_STRING": "evil",
    "wsgi.url_scheme": "evil",
}
ODD = [
    HEADERS,
    *({"HTTP_IF_NONE_MATCH": tags} for tags in ('"x"', "x", "", '*, "x"', '"' * 8000, "," * 8000, "\xff\0")),
    {"HTTP_IF_MODIFIED_SINCE": "Tue, 24 Nov 99999999999 00:00:00 GMT"},
    {"HTTP_RANGE": "bytes=0-1"},
    {"HTTP_RANGE": "bytes=0-" + "9" * 5000},
    {"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": "\xff"},
]


@pytest.mark.parametrize("path", [*PATHS, "/any"])
def test_nothing_of_a_request_is_shown_and_odd_conditions_change_nothing(wrap, path):  # H-12, M-02, M-03, G-01, G-03
    app = wrap(issuer=ISSUER).app
    plain = call(app, make_environ("GET", path))

    assert [keys for keys in ODD if call(app, make_environ("GET", path, **keys))[:3] != plain[:3]] == []


@pytest.fixture
def send(wrap, ring):
    """Send a request to a server that has a key."""
    ring.add(make("ES256"))
    app = wrap(issuer=ISSUER).app
    return lambda path, method="GET", **keys: call(app, make_environ(method, path, **keys))


@every_document
def test_documents_may_be_cached_and_read_by_any_page(send, path):  # K-02, M-01, G-01, H-16
    head, get = send(path, "HEAD"), send(path)

    assert (get.status, get.headers["Cache-Control"]) == (200, "public, max-age=300")
    assert get.headers["Access-Control-Allow-Origin"] == "*"
    assert get.headers["Content-Type"] == "application/" + ("jwk-set+json" if "jwks" in path else "json")
    assert (head.status, head.headers, head.body) == (200, get.headers, b"")
    assert int(get.headers["Content-Length"]) == len(get.body) > 0


@every_document
def test_only_get_and_head_are_answered(send, path):  # M-01
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "get", "BREW"):
        answer = send(path, method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
        assert answer.body == b'{"error": "invalid_request", "error_description": "Only GET and HEAD are allowed here"}'


@every_document
def test_a_document_that_the_client_has_is_not_sent_again(send, path):
    full = send(path).headers
    for value in ("{}", "W/{}", ' "x" , {}', '"a,b",W/{} , "c"', "*"):
        for method in ("GET", "HEAD"):
            answer = send(path, method, HTTP_IF_NONE_MATCH=value.format(full["ETag"]))
            assert (answer.status, answer.body) == (304, b"")
            kept = ("ETag", "Cache-Control", "Access-Control-Allow-Origin")
            assert answer.headers == {name: full[name] for name in kept}


def test_workers_agree_on_the_tags_until_a_key_is_added(wrap, ring):
    ring.add(make("ES256"))
    apps = [wrap(issuer=ISSUER), wrap(issuer=ISSUER)]
    assert [len({app.get(path).headers["ETag"] for app in apps}) for path in PATHS] == [1, 1, 1]
    before = apps[0].get("/oauth/jwks")
    ring.add(make("ES256"))

    after = wrap(issuer=ISSUER).get("/oauth/jwks", headers={"If-None-Match": before.headers["ETag"]})
    assert (len(before.json["keys"]), len(after.json["keys"])) == (1, 2)


def test_a_set_without_keys_is_not_cached(wrap):
    """The first key signs at once."""
    answer = wrap(issuer=ISSUER).get("/oauth/jwks")

    assert (answer.json, answer.headers["Cache-Control"]) == ({"keys": []}, "no-cache")


def test_a_key_set_that_cannot_be_read_is_an_outage_and_metadata_need_no_store(wrap, store, monkeypatch):
    def down():
        raise StoreUnavailable("down")

    monkeypatch.setattr(store, "read_keys", down)
    app = wrap(issuer=ISSUER)
    answer = app.get("/oauth/jwks", status=503)

    assert (answer.headers["Retry-After"], answer.headers["Cache-Control"]) == ("1", "no-store")
    assert [app.get(path).status_int for path in PATHS[:2]] == [200, 200]


PUBLIC = {"ES256": {"kty", "crv", "x", "y"}, "EdDSA": {"kty", "crv", "x"}, "RS256": {"kty", "n", "e"}}


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_the_key_set_has_public_members_alone(wrap, ring, algorithm):  # K-01
    made = make(algorithm)
    ring.add(made)
    (key,) = wrap(issuer=ISSUER).get("/oauth/jwks").json["keys"]

    assert key.keys() == PUBLIC[algorithm] | {"kid", "use", "alg"}
    assert (key["kid"], key["use"], key["alg"]) == (made.kid, "sig", algorithm)


def test_the_key_set_has_the_keys_that_signed_and_that_will(wrap, ring, clock):  # K-01
    keys = [make("ES256"), make("EdDSA"), make("ES256")]
    ring.add(keys[0])
    ring.signing(int(clock()) + 3600)
    ring.add(keys[1])
    clock.move(301)
    ring.add(keys[2])

    shown = wrap(issuer=ISSUER).get("/oauth/jwks").json["keys"]
    assert [each["kid"] for each in shown] == [key.kid for key in keys]


def test_keys_of_files_are_shown_in_their_order(wrap, tmp_path):  # K-01
    keys = {name: make(algorithm) for name, algorithm in (("new", "EdDSA"), ("old", "ES256"))}
    for name, key in keys.items():
        (tmp_path / f"{name}.pem").write_text(key.pem())
    app = wrap(issuer=ISSUER, signing_key_files=[f"{tmp_path}/new.pem", f"{tmp_path}/old.pem"])

    assert [each["kid"] for each in app.get("/oauth/jwks").json["keys"]] == [key.kid for key in keys.values()]


@every_document
def test_no_rule_closes_a_document_and_none_may_name_it_alone(wrap, path):
    app = wrap(issuer=ISSUER, required_scopes=["* /* admin"])

    assert json.loads(app.get(path, status=200).body)
    for options in ({"public_paths": path}, {"required_scopes": f"GET {path} admin"}):
        with pytest.raises(ConfigError, match="is exactly"):
            wrap(issuer=ISSUER, **options)


# Where the document of OpenID Connect Discovery is, by issuer and public_url: the mount and PATH_INFO.
OPENID = "/.well-known/openid-configuration"
OPENID_PLACES = {
    "at the root": (ISSUER, None, "", OPENID),
    "with a final slash": (ISSUER + "/", None, "", OPENID),
    "at the mount": (ISSUER + "/tenant", None, "/tenant", OPENID),
    "at the mount with a final slash": (ISSUER + "/tenant/", ISSUER + "/tenant", "/tenant", OPENID),
    "below the mount": (ISSUER + "/mount/tenant", ISSUER + "/mount/", "/mount", f"/tenant{OPENID}"),
    "below the root": (ISSUER + "/tenant", ISSUER, "", f"/tenant{OPENID}"),
    "beside the mount": (ISSUER + "/tenant", ISSUER + "/ten", "", f"/tenant{OPENID}"),
    "at another host": (ISSUER + "/tenant", "https://api.example/mount", "", f"/tenant{OPENID}"),
}


@pytest.mark.parametrize(("issuer", "public_url", "mount", "path"), OPENID_PLACES.values(), ids=OPENID_PLACES)
def test_the_same_document_is_where_clients_of_openid_look(wrap, issuer, public_url, mount, path):  # M-01
    app = wrap(issuer=issuer, public_url=public_url, metadata="oauth, openid")
    answers = [app.get(SERVER + issuer.removeprefix(ISSUER).rstrip("/")), app.get(path)]

    assert get_well_known_url(issuer, external=True) == ISSUER + mount + path
    assert len({(answer.body, answer.headers["ETag"]) for answer in answers}) == 1


def test_the_document_for_openid_claims_nothing_of_openid(wrap):
    members = wrap(issuer=ISSUER, metadata="oauth, openid").get(OPENID).json.keys()

    assert members <= {*AuthorizationServerMetadata.REGISTRY_KEYS}  # of RFC 8414 alone


@pytest.mark.parametrize("options", [{}, {"metadata": "oauth"}, {"metadata": "oauth, openid", "token_path": "off"}])
def test_there_is_no_document_for_openid_unless_it_is_wanted(wrap, options):
    wrap(issuer=ISSUER, **options).get(OPENID, status=401)


def test_the_document_for_openid_is_found_through_a_mount(wrap):
    app = CheckedApp(
        DispatcherMiddleware(echo, {"/tenant": wrap(issuer=ISSUER + "/tenant", metadata="oauth openid").app})
    )

    assert app.get(f"/tenant{OPENID}").json["token_endpoint"] == f"{ISSUER}/tenant/oauth/token"


def test_a_path_of_ours_cannot_be_that_of_another_document(wrap):
    with pytest.raises(ConfigError, match="^metadata: .* is taken by jwks_path"):
        wrap(issuer=ISSUER, metadata="oauth, openid", jwks_path=OPENID)


SCOPED = ["GET /reports/* any of reports:read admin", "* /reports/* reports:write", "* /open -"]
SUPPORTED = ["admin", "reports:read", "reports:write"]


@pytest.mark.parametrize(
    ("options", "scopes"),
    [
        pytest.param({"scopes_supported": True, "required_scopes": SCOPED}, SUPPORTED, id="wanted"),
        pytest.param({"required_scopes": SCOPED}, None, id="not wanted"),
        pytest.param({"scopes_supported": True, "required_scopes": ["* /open -"]}, None, id="no rule has one"),
    ],
)
def test_both_documents_list_the_scopes_of_rules_alone(wrap, client, options, scopes):  # G-01
    app = wrap(issuer=ISSUER, default_scope="read", **options)

    assert [app.get(path).json.get("scopes_supported") for path in (SERVER, RESOURCE)] == [scopes, scopes]
