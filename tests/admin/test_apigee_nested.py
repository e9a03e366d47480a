"""Base paths below other base paths: Apigee sends a request to the proxy with the longest one."""

from __future__ import annotations

import pytest

from helpers.apigee import app, as_files, credential, operations, page, product
from oauth_mw.admin.apigee import Served, convert, read_base_paths
from oauth_mw.errors import AdminError

NOW = 1_800_000_000


@pytest.fixture
def found():
    """What becomes of a key with a product, where proxies have these base paths."""

    def found(offer, *base_paths):
        document = page(app(credential(offer["name"])), products=[offer])
        (each,) = convert(as_files(document), Served(read_base_paths(base_paths)), now=NOW).found
        return each

    return found


def outer(*written):
    return product("all", operationGroup=operations(*written, proxy="outer"))


REACHING = {
    "everything": (("GET", "/"), "outer=/v1", "inner=/v1/x"),
    "all below": (("GET", "/**"), "outer=/v1", "inner=/v1/x/y"),
    "the base path itself": (("GET", "/*"), "outer=/v1", "inner=/v1/x"),
    "a path below it": (("GET", "/*/y"), "outer=/v1", "inner=/v1/x"),
    "the root": (("GET", "/"), "outer=/", "inner=/v1"),
    "a base path that is not ASCII": (("GET", "/é/**"), "outer=/é", "inner=/é/é/ü"),
    "another one of the same proxy": (("GET", "/*/y"), "outer=/v1", "outer=/v1/x"),
}


@pytest.mark.parametrize(("operation", "base", "below"), REACHING.values(), ids=REACHING)
def test_a_client_with_paths_that_belong_to_a_proxy_below_is_disabled(found, operation, base, below):
    each = found(outer(operation), base, below)

    assert not each.declared.enabled
    assert "whose base path is below" in each.problems[0]


APART = {
    "another path": (("GET", "/a/**"), "outer=/v1", "inner=/v1/x"),
    "too short a path": (("GET", "/*"), "outer=/v1", "inner=/v1/x/y"),
    "a base path that begins alike": (("GET", "/"), "outer=/v1", "inner=/v11"),
    "a base path above": (("GET", "/"), "outer=/v1/x", "inner=/v1"),
    "a proxy that is not served here": (("GET", "/"), "outer=/v1", "inner=-"),
    "all of both, by no methods": (("", "/"), "outer=/v1", "outer=/v1/x"),
}


@pytest.mark.parametrize(("operation", "base", "below"), APART.values(), ids=APART)
def test_other_clients_are_not(found, operation, base, below):
    each = found(outer(operation), base, below)

    assert each.declared.enabled


def test_a_product_of_all_proxies_opens_those_below_others(found):
    each = found(product("all", environments=[]), "outer=/v1", "inner=/v1/x")

    assert each.declared.client.allowed_requests == ("* /v1/*", "* /v1/x/*")


def test_two_proxies_have_no_base_path_in_common():
    with pytest.raises(AdminError, match="'b=/v1/': it is also that of the proxy 'a'"):
        read_base_paths(["a=/v1", "a=/v1", "b=/v1/"])
