"""Clients that come from Apigee keep their ids and secrets, and may do no more than there."""

from __future__ import annotations

from base64 import b64encode

import pytest

from helpers.apigee import HERE, KEY, SECRET, app, as_files, credential, developer, operations, page, product
from helpers.support import CC, bearer
from oauth_mw import ConfigError, admin
from oauth_mw.admin.apigee import Served, convert
from oauth_mw.admin.applying import apply_declared

STORE_KINDS = ["memory"]
NOW = 1_800_000_000


@pytest.fixture
def converted():
    """What becomes of documents."""

    def converted(*documents, served=HERE, environment=None, **options):
        return convert(as_files(*documents), Served(served, environment), now=NOW, **options)

    return converted


@pytest.fixture
def imported(store, clock, converted):
    """Import documents, and return the first client."""

    def imported(*documents, reopen=(), **options):
        found = converted(*documents, **options)
        apply_declared(store, found.declared, reopen=reopen, clock=clock)
        return store.find_client(found.found[0].client_id)

    return imported


@pytest.fixture
def answered(wrap):
    """The status of a request that a client sends, as an app protected by the middleware answers it."""

    def answered(method, path, key=KEY, secret=SECRET):
        app = wrap()
        basic = {"Authorization": "Basic " + b64encode(f"{key}:{secret}".encode()).decode()}
        token = app.post("/oauth/token", CC, headers=basic, expect_errors=True)
        if token.status_int != 200:
            return token.json["error"]
        return app.request(path, method=method, headers=bearer(token.json["access_token"]), status="*").status_int

    return answered


def test_a_client_keeps_its_id_and_secret_and_what_it_is(imported, answered):
    attributes = [
        {"name": "DisplayName", "value": "Weather"},
        {"name": "email", "value": "a@b"},
        {"name": "cost center"},
    ]
    offer = product("weather", ("GET", "/forecast"), scopes=["b", "a", ""])

    client = imported(page(app(credential("weather"), attributes=attributes), products=[offer]))

    assert answered("GET", "/v1/forecast") == 200
    assert (client.name, client.scopes, client.not_after, client.enabled) == ("weather-app", ("a", "b"), None, True)
    assert client.attributes == {
        "DisplayName": "Weather", "email": "a@b", "cost center": "", "api_products": "weather",
        "application_id": "id-of-weather-app", "organization": "acme", "developer_email": "dev-1@example.com",
    }  # fmt: skip
    assert client.public_attributes == frozenset()
    (secret,) = client.secrets
    assert (secret.secret_id, secret.created_at, secret.weak) == ("apigee", 1_694_509_200, False)


ONE_LEVEL = [product("weather", ("GET", "/x/*"))]
ALL_BELOW = [product("weather", ("GET,POST", "/x/**"))]
OLD = {"proxies": ["weather-v1"], "environments": []}
VERDICTS = {
    "the path": ([product("weather", ("GET", "/x"))], "GET", "/v1/x", 200),
    "HEAD is a GET": ([product("weather", ("GET", "/x"))], "HEAD", "/v1/x", 200),
    "another path": ([product("weather", ("GET", "/x"))], "GET", "/v1/y", 403),
    "below the path": ([product("weather", ("GET", "/x"))], "GET", "/v1/x/y", 403),
    "without the base path": ([product("weather", ("GET", "/x"))], "GET", "/x", 403),
    "another method": ([product("weather", ("GET", "/x"))], "POST", "/v1/x", 403),
    "no methods are all": ([product("weather", ("", "/x"))], "DELETE", "/v1/x", 200),
    "one level": (ONE_LEVEL, "GET", "/v1/x/a", 200),
    "one level alone": (ONE_LEVEL, "GET", "/v1/x/a/b", 403),
    "one level, none": (ONE_LEVEL, "GET", "/v1/x", 403),
    "one level, an empty one": (ONE_LEVEL, "GET", "/v1/x/", 403),
    "all below": (ALL_BELOW, "POST", "/v1/x/a/b", 200),
    "all below, one level": (ALL_BELOW, "GET", "/v1/x/a", 200),
    "all below, not itself": (ALL_BELOW, "GET", "/v1/x", 403),
    "** alone": ([product("weather", ("", "/**"))], "GET", "/v1/a", 200),
    "** alone, not the base path": ([product("weather", ("", "/**"))], "GET", "/v1", 403),
    "/ is the base path": ([product("weather", ("", "/"))], "GET", "/v1", 200),
    "/ is all below": ([product("weather", ("", "/"))], "GET", "/v1/a/b", 200),
    "/ is below the base path alone": ([product("weather", ("", "/"))], "GET", "/v11", 403),
    "two products on a path": (
        [product("weather", ("GET", "/x")), product("maps", ("POST", "/x"))], "POST", "/v1/x", 200),
    "two products, another method": (
        [product("weather", ("GET", "/x")), product("maps", ("POST", "/x"))], "PUT", "/v1/x", 403),
    "resources of proxies": ([product("weather", **OLD, apiResources=["/x/*"])], "PUT", "/v1/x/a", 200),
    "no resources are all of the proxy": ([product("weather", **OLD)], "PUT", "/v1/x", 200),
    "no proxy is all served": ([product("weather", environments=[], apiResources=["/x"])], "GET", "/v1/x", 200),
    "a proxy that is not served": (
        [product("weather", operationGroup=operations(("", "/"), proxy="away"))], "GET", "/v1/x", 403),
    "another environment": ([product("weather", ("", "/"), environments=["test"])], "GET", "/v1/x", 403),
    "one of its environments": ([product("weather", ("", "/"), environments=["test", "prod"])], "GET", "/v1/x", 200),
}  # fmt: skip


@pytest.mark.parametrize(("products", "method", "path", "status"), VERDICTS.values(), ids=VERDICTS)
def test_the_paths_and_methods_of_its_products_are_what_a_client_may_send(
    imported, answered, products, method, path, status
):
    products = [*products, product("other", ("", "/never"), environments=["prod", "test"])]
    ties = [each["name"] for each in products]

    imported(page(app(credential(*ties)), products=products), served={**HERE, "away": ()}, environment="prod")

    assert answered(method, path) == status


def given_of(*credentials, developers=None, **members):
    offer = product("weather", ("", "/"), scopes=["read"])
    return page(app(*credentials, **members), products=[offer, product("more", ("", "/"))], developers=developers)


GIVES_NOTHING = {
    "no product": (given_of(credential()), 403),
    "a pending tie": (given_of(credential("weather:pending")), 403),
    "a revoked tie": (given_of(credential("weather:revoked")), 403),
    "a tie of another status": (given_of(credential("weather:Approved")), 403),
    "a revoked key": (given_of(credential("weather", status="revoked")), "invalid_client"),
    "a key without a status": (given_of(credential("weather", status=None)), "invalid_client"),
    "an expired key": (given_of(credential("weather", expiresAt="1694509200000")), "invalid_client"),
    "a key that expired in 1970": (given_of(credential("weather", expiresAt=0)), "invalid_client"),
    "a revoked app": (given_of(credential("weather"), status="revoked"), "invalid_client"),
    "an inactive developer": (
        given_of(credential("weather"), developers=[developer(status="inactive")]), "invalid_client"),
    "an unknown developer": (given_of(credential("weather"), developers=[developer("dev-2")]), "invalid_client"),
    "an AppGroup": (given_of(credential("weather"), developerId=None, appGroup="group"), "invalid_client"),
    "an AppGroup with a developer": (given_of(credential("weather"), appGroup="group"), "invalid_client"),
    "a page of an AppGroup": (
        {"appGroupApps": [app(credential("weather"), developerId=None)], "apiProduct": [product("weather", ("", "/"))]},
        "invalid_client"),
    "no owner": (given_of(credential("weather"), developerId=None), "invalid_client"),
    "a product that is not there": (given_of(credential("weather", "lost")), "invalid_client"),
}  # fmt: skip


@pytest.mark.parametrize(("document", "answer"), GIVES_NOTHING.values(), ids=GIVES_NOTHING)
def test_what_is_not_approved_there_gives_nothing_here(imported, answered, document, answer):
    client = imported(document)

    assert answered("GET", "/v1/x") == answer
    assert client.allowed_requests != ()


SCOPES = {
    "those of all products": (["a", "b"], ["c"], [], ("a", "b", "c")),
    "narrowed by the key": (["a", "b"], ["c"], ["b", "c", "other"], ("b", "c")),
    "narrowed to none": (["a"], [], ["other"], ()),
    "with a space": ([" a "], [""], [], ("a",)),
}


@pytest.mark.parametrize(("first", "second", "narrowed", "scopes"), SCOPES.values(), ids=SCOPES)
def test_scopes_are_those_that_the_products_allow(imported, first, second, narrowed, scopes):
    products = [product("weather", ("", "/"), scopes=first), product("maps", ("", "/"), scopes=second)]

    client = imported(page(app(credential("weather", "maps", scopes=narrowed)), products=products))

    assert client.scopes == scopes


MANY = [product("weather", *(("GET", f"/{number}") for number in range(101)))]
ODD = {
    "** within a path": ([product("weather", ("GET", "/a/**/b"))], "GET /a/**/b of weather-v1: ** is not at its end"),
    "a * within a segment": ([product("weather", ("GET", "/a*"))], "a *, { or } is a part of a segment"),
    "a name in braces": ([product("weather", ("GET", "/a/{id}"))], "a *, { or } is a part of a segment"),
    "an encoded path": ([product("weather", ("GET", "/a%2Fb"))], "write the character itself"),
    "no slash before": ([product("weather", ("GET", "a/b"))], "does not begin with /"),
    "a space at the end": ([product("weather", ("GET", "/a "))], "space"),
    "a line break": ([product("weather", ("GET", "/a\nb"))], "expected a path"),
    "a method *": ([product("weather", ("*", "/a"))], "'*' is no method in capitals"),
    "a method in lower case": ([product("weather", ("get", "/a"))], "'get' is no method in capitals"),
    "too many paths": (MANY, "open 101 paths, more than 100"),
    "GraphQL": ([product("weather", graphqlOperationGroup={"a": 1})], "graphqlOperationGroup is not about"),
    "both kinds of paths": ([product("weather", ("", "/"), apiResources=["/x"])], "both an operationGroup and"),
    "a group without operations": ([product("weather", operationGroup={"operationConfigs": []})], "has no operations"),
    "a comma in its name": ([product("a,weather", ("", "/x"))], "its name has a comma"),
    "no scope": ([product("weather", ("", "/x"), scopes=["a b"])], "'a b' is not a scope"),
    "too many scopes": ([product("weather", ("", "/x"), scopes=[f"s{n}" for n in range(201)])], "has 201 scopes"),
}


@pytest.mark.parametrize(("products", "said"), ODD.values(), ids=ODD)
def test_a_client_of_which_something_cannot_be_expressed_is_disabled_and_named(
    imported, converted, answered, products, said
):
    document = page(app(credential(*(each["name"] for each in products))), products=products)

    client, (found,) = imported(document), converted(document).found

    assert answered("GET", "/v1/any") == "invalid_client"
    assert client.allowed_requests != ()
    assert said in found.problems[0]


def test_a_product_that_is_tied_twice_gives_nothing_unless_both_are_approved(imported):
    document = page(app(credential("weather", "weather:revoked")), products=[product("weather", ("GET", "/x"))])

    assert imported(document).allowed_requests == ("- /*",)


OF_APPS = {
    "a secret that cannot be sent": ({"secret": "é" * 20}, {}, "printable ASCII"),
    "a name that is no text of a line": ({}, {"name": "a\nb"}, "the name of the app"),
    "an attribute of two values": (
        {}, {"attributes": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]}, "another value"),
    "an attribute that claims other products": (
        {}, {"attributes": [{"name": "api_products", "value": "admin"}]}, "another value"),
    "attributes that are too long": ({}, {"attributes": [{"name": "a", "value": "x" * 3000}]}, "more than 2048"),
    "an attribute of no name": ({}, {"attributes": [{"name": "a\x1b", "value": "1"}]}, "printable"),
}  # fmt: skip


@pytest.mark.parametrize(("of_key", "of_app", "said"), OF_APPS.values(), ids=OF_APPS)
def test_so_is_one_with_a_part_that_no_client_has(imported, converted, of_key, of_app, said):
    document = page(app(credential("weather", **of_key), **of_app), products=[product("weather", ("", "/"))])

    client, (found,) = imported(document), converted(document).found

    assert not client.enabled
    assert client.attributes["api_products"] == "weather"
    assert said in found.problems[0]


@pytest.mark.parametrize("key", ["a b\n", "é", "k" * 256])
def test_a_key_that_is_no_client_id_is_not_imported_and_named(converted, key):
    found = converted(page(app(credential(key=key)), products=[product()]))

    assert found.declared == []
    assert "no client id" in found.found[0].problems[0]


def test_each_key_of_an_app_is_a_client(converted):
    found = converted(page(app(credential(), credential(key="second"))), served={})

    assert [each.client.client_id for each in found.declared] == [KEY, "second"]


def test_a_weak_secret_needs_to_be_accepted_and_is_not_shown(converted, imported):
    document = page(app(credential(secret="hunter2")))

    with pytest.raises(ConfigError) as raised:
        converted(document)
    ((place, fault),) = raised.value.faults

    assert place == f"client {KEY!r}"
    assert "--allow-weak-secret accepts it" in fault
    assert "hunter2" not in fault
    assert imported(document, allow_weak_secret=True).secrets[0].weak


QUOTAS = {
    ("100", "1", "minute"): "100/minute",
    ("1000", "5", "minute"): "200/minute",
    ("3", "5", "minute"): "36/hour",
    ("1", "2", "day"): "",
    ("100", "1", "hour"): "100/hour",
    ("3100", "1", "month"): "100/day",
    ("many", "1", "minute"): "",
    ("10", "0", "minute"): "",
    ("10", "1", "fortnight"): "",
}


@pytest.mark.parametrize(("quota", "rate"), QUOTAS.items(), ids=" ".join)
def test_a_quota_is_reported_with_the_nearest_rate(converted, quota, rate):
    of_product = dict(zip(("quota", "quotaInterval", "quotaTimeUnit"), quota, strict=True))
    of_proxy = dict(zip(("limit", "interval", "timeUnit"), quota, strict=True))
    group = operations(("", "/"), quota=of_proxy)
    offer = product("weather", **of_product, operationGroup=group)

    found = converted(page(app(credential("weather")), products=[offer]))

    assert [(each.proxy, each.rate) for each in found.quotas] == [("", rate), ("weather-v1", rate)]


def test_what_else_is_left_is_said(converted):
    offer = product("weather", attributes=[{"name": "access", "value": "public"}, {"name": "tier", "value": "gold"}])

    key = credential("weather", attributes=[{"name": "region", "value": "eu"}])
    found = converted(page(app(key), app(name="bare"), products=[offer]))

    assert found.others == [
        "app 'bare' has no credentials",
        "API product 'weather' has attributes of its own: 'tier'",
        "keys have attributes of their own: 'region'",
    ]


NEEDED = {
    "a base path": ({"served": {}}, "--base-path", "is missing for the proxy 'weather-v1': give weather-v1=/prefix"),
    "an environment": (
        {},
        "--environment",
        "is missing: name the one that this deployment replaces, of 'prod', 'test'",
    ),
    "one that there is": (
        {"environment": "prd"},
        "--environment",
        "no product is for 'prd': expected one of 'prod', 'test'",
    ),
}


@pytest.mark.parametrize(("options", "option", "said"), NEEDED.values(), ids=NEEDED)
def test_what_the_files_do_not_say_must_be_given(converted, options, option, said):
    products = [product("weather", ("", "/")), product("maps", ("", "/"), environments=["test"])]

    with pytest.raises(ConfigError) as raised:
        converted(page(app(credential("weather", "maps")), products=products), **options)

    assert any(name == option and said in fault for name, fault in raised.value.faults)


def test_an_environment_that_no_product_names_has_those_that_are_for_all(converted):
    products = [product("weather", ("", "/")), product("maps", ("", "/x"), environments=[])]

    (found,) = converted(page(app(credential("weather", "maps")), products=products), environment="new").declared

    assert found.client.allowed_requests == ("* /v1/x",)


def test_a_product_without_a_proxy_needs_those_that_are_served(converted):
    with pytest.raises(ConfigError, match="'weather' names no proxy, and so opens all"):
        converted(page(app(credential("weather")), products=[product("weather", environments=[])]), served={})


@pytest.mark.parametrize("number", [200])
def test_an_organisation_is_converted_and_applied(store, clock, converted, number):
    products = [product(f"p{n}", ("GET", f"/p{n}/*"), scopes=[f"s{n}"]) for n in range(60)]
    apps = [app(credential(f"p{n % 60}", "p1", key=f"key-{n:020}"), name=f"app {n}") for n in range(number)]

    found = converted({"apiProduct": products}, [{"app": apps[:100]}, {"app": apps[99:]}], {"developer": [developer()]})
    changes = apply_declared(store, found.declared, clock=clock)

    assert [each.action for each in changes] == ["add"] * number
    assert len([*admin.list_clients(store)]) == number
