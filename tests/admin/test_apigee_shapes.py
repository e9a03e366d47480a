"""What files of Apigee's management API may look like, and what is said of others."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.apigee import HERE, SECRET, app, as_files, credential, developer, page, product
from oauth_mw import ConfigError
from oauth_mw.admin.apigee import Served, convert

APP, PRODUCT, DEVELOPER = app(credential("weather")), product("weather", ("GET", "/x")), developer()
OTHERS = {"apiProduct": [PRODUCT]}, {"developer": [DEVELOPER]}


@pytest.fixture
def converted():
    """What becomes of documents."""
    return lambda *documents: convert(as_files(*documents), Served(HERE), now=1_800_000_000)


@pytest.fixture
def faults(converted):
    """The faults of documents, by their places."""

    def faults(*documents):
        with pytest.raises(ConfigError) as raised:
            converted(*documents)
        assert SECRET not in str(raised.value.faults)
        return dict(raised.value.faults)

    return faults


SHAPES = {
    "pages": [{"app": [APP]}, *OTHERS],
    "all in one": [page(APP, products=[PRODUCT])],
    "each alone": [APP, PRODUCT, DEVELOPER],
    "lists": [[APP], [PRODUCT], [DEVELOPER]],
    "a list of pages": [[{"app": []}, {"app": [APP]}], *OTHERS],
    "pages that overlap": [{"app": [APP]}, {"app": [APP]}, *OTHERS, *OTHERS],
    "an empty page": [{}, {"app": [APP]}, *OTHERS],
    "a byte order mark": [b"\xef\xbb\xbf{}", {"app": [APP]}, *OTHERS],
    "a number as a time": [{"app": [app(credential("weather", expiresAt=-1))]}, *OTHERS],
    "a time after all others": [{"app": [app(credential("weather", expiresAt="9" * 18))]}, *OTHERS],
    "null members": [{"app": [{**APP, "attributes": None}]}, {"apiProduct": [{**PRODUCT, "proxies": None}]}, OTHERS[1]],
    "members that are not needed": [{"app": [{**APP, "callbackUrl": 1, "new": {}}]}, *OTHERS],
}


@pytest.mark.parametrize("documents", SHAPES.values(), ids=SHAPES)
def test_files_are_recognised_by_what_they_hold(converted, documents):
    (client,) = converted(*documents).declared

    assert (client.enabled, client.client.allowed_requests) == (True, ("GET /v1/x",))


def of_key(**members):
    return [{"app": [app({**credential("weather"), **members})]}, *OTHERS]


def of_app(**members):
    return [{"app": [{**APP, **members}]}, *OTHERS]


def of_product(**members):
    return [{"app": [APP]}, {"apiProduct": [{**PRODUCT, **members}]}, OTHERS[1]]


KEY = "1.json: app[0].credentials[0]"
DEEP = "[" * 100_000
FAULTY = {
    "no JSON": (["{"], "1.json", "cannot be read as JSON: Expecting property name"),
    "two members of a name": (['{"app": [], "app": []}'], "1.json", "two members of one name"),
    "no UTF-8": ([b'{"a": "\xff"}'], "1.json", "cannot be read as JSON: 'utf-8' codec"),
    "too deep": ([DEEP], "1.json", "too deep"),
    "half of a character": (['{"a": "\\ud800"}'], "1.json", "a lone surrogate"),
    "no number": (['{"a": NaN}'], "1.json", "NaN is no number"),
    "too many digits": (['{"a": ' + "9" * 5000 + "}"], "1.json", "cannot be read as JSON"),
    "a text": (['"weather"'], "1.json", "expected what Apigee's management API answers"),
    "another object": ([{"clients": []}], "1.json", "an object with app, developer or apiProduct"),
    "lists of lists of lists": ([[[[APP]]]], "1.json: [0][0]", "expected what Apigee's"),
    "names alone": ([["weather-app"]], "1.json: [0]", "is a name alone: ask for it with expand=true"),
    "a page of names": ([{"app": ["x"]}], "1.json: app", "a list of objects: ask for it with expand=true and incl"),
    "an app that is an id": ([{"app": [{"appId": "1"}]}], "1.json: app[0]", "is not the whole app"),
    "a product that is a name": ([{"apiProduct": [{"name": "x"}]}], "1.json: apiProduct[0]", "not the whole product"),
    "a developer that is an address": ([{"developer": [{"email": "x"}]}], "1.json: developer[0]", "not the whole dev"),
    "a page that is none": ([{"app": 1}], "1.json: app", "expected a list of objects"),
    "no id": (of_app(appId=None), "1.json: app[0].appId", "expected a text"),
    "a status that is none": (of_app(status=True), "1.json: app[0].status", "expected a text"),
    "attributes that are none": (of_app(attributes={"a": "b"}), "1.json: app[0].attributes", "a list of objects"),
    "an attribute of a number": (
        of_app(attributes=[{"name": "a", "value": 1}]), "1.json: app[0].attributes[0].value", "expected a text"),
    "a key that is none": (of_key(consumerKey=7), f"{KEY}.consumerKey", "expected a text"),
    "an empty key": (of_key(consumerKey=""), f"{KEY}.consumerKey", "expected a text"),
    "a secret that is a list": (of_key(consumerSecret=[SECRET]), f"{KEY}.consumerSecret", "expected a text"),
    "a time in words": (of_key(expiresAt="never"), f"{KEY}.expiresAt", "expected milliseconds since 1970"),
    "a time before 1970": (of_key(expiresAt="-2"), f"{KEY}.expiresAt", "expected milliseconds since 1970"),
    "a fraction of a time": (of_key(expiresAt=1.5), f"{KEY}.expiresAt", "expected milliseconds since 1970"),
    "scopes as a text": (of_key(scopes="a b"), f"{KEY}.scopes", "expected a list of texts"),
    "products by name": (of_key(apiProducts=["weather"]), f"{KEY}.apiProducts", "expected a list of objects"),
    "a tie to nothing": (of_key(apiProducts=[{}]), f"{KEY}.apiProducts[0].apiproduct", "expected a text"),
    "resources as a text": (of_product(apiResources="/"), "2.json: apiProduct[0].apiResources", "a list of texts"),
    "a group that is a list": (of_product(operationGroup=[1]), "2.json: apiProduct[0].operationGroup", "an object"),
    "an app that differs": (
        [{"app": [APP, {**APP, "status": "revoked"}]}, *OTHERS], "1.json: app[1]", "is in these files, and differs"),
    "a product that differs": (
        [{"app": [APP]}, {"apiProduct": [PRODUCT, product("weather", ("", "/"))]}, OTHERS[1]],
        "2.json: apiProduct[1]", "another API product 'weather'"),
    "a key of two apps": (
        [{"app": [APP, app(credential(), name="b")]}, *OTHERS], "app 'id-of-b'", "that of app 'id-of-weather-app'"),
    "a key that is there twice": (
        [{"app": [app(credential(), credential("weather"))]}, *OTHERS], "app 'id-of-weather-app'", "also that of app"),
    "no app": ([*OTHERS], "FILE", "no app is in the files"),
    "no credentials": ([{"app": [app()]}, *OTHERS], "FILE", "ask for the apps with includeCred=true"),
    "no developer": ([{"app": [APP]}, OTHERS[0]], "FILE", "no developer is in the files"),
    "no product": ([{"app": [APP]}, OTHERS[1]], "FILE", "no API product is in the files"),
}  # fmt: skip


@pytest.mark.parametrize(("documents", "place", "said"), FAULTY.values(), ids=FAULTY)
def test_a_file_that_is_none_is_refused_with_the_place(faults, documents, place, said):
    assert said in faults(*documents)[place]


def test_all_faults_of_all_files_are_said_together(faults):
    found = faults("{", {"app": [{**APP, "name": 1}, {"appId": "x"}]}, {"other": 1})

    assert [*found] == ["1.json", "2.json: app[1]", "2.json: app[0].name", "3.json"]


junk = st.sampled_from([None, True, -1, 10**30, 1.5, "", "x", "\x1b", "*", [], [None], ["a", 1], {}, {"a": []}, [[{}]]])


def places(value, path=()):
    """The paths of all values of a document."""
    yield path
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(each, (*path, key))


WHOLE = page(app(credential("weather"), attributes=[{"name": "a", "value": "b"}]), products=[PRODUCT])
PLACES = [*places(WHOLE)]


@given(changes=st.lists(st.tuples(st.sampled_from(PLACES), junk), min_size=1, max_size=3))
def test_any_value_in_any_place_is_taken_or_refused_and_no_client_has_an_empty_list(changes):
    document = deepcopy(WHOLE)
    for path, value in changes:
        with suppress(LookupError, TypeError):  # another change has removed the place
            at = document
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = deepcopy(value)
    try:
        found = convert(as_files(document), Served(HERE), now=1_800_000_000, allow_weak_secret=True).declared
    except ConfigError:
        return

    assert all(each.client.allowed_requests for each in found)
