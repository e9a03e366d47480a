"""Paths of Apigee's products become lists of requests that admit no more than the products."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.apigee import HERE, as_files, page, product
from oauth_mw.admin.apigee import Served, read_base_paths
from oauth_mw.admin.apigee.paths import grant_of, united
from oauth_mw.admin.apigee.shapes import read_export
from oauth_mw.errors import AdminError, Faults
from oauth_mw.limits import NOTHING, allows, parse_request


@pytest.mark.parametrize("text", ["weather-v1", "=/v1", "a=v1", "a=/v1/*", "a=/{x}", "a=//", "a=/%41"])
def test_a_base_path_that_is_none_is_refused(text):
    with pytest.raises(AdminError, match="base path"):
        read_base_paths([text])


def test_a_proxy_may_have_several_base_paths_or_none():
    assert read_base_paths(["a=/v1", "a=/v2/", "b=-", "c=/"]) == {"a": ("/v1", "/v2"), "b": (), "c": ("",)}
    for both in (["a=/v1", "a=-"], ["a=-", "a=/v1"]):
        with pytest.raises(AdminError, match="another base path"):
            read_base_paths(both)


segments = st.sampled_from(["x", "y", "*", "**", "", "x*", "{x}", "é", "a b", "%78"])
resources = st.lists(segments, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
some_methods = st.lists(st.sampled_from(["GET", "POST", "HEAD"]), max_size=2, unique=True)
requests = st.tuples(
    st.sampled_from(["GET", "POST", "HEAD", "PUT"]),
    st.lists(st.sampled_from(["v1", "x", "y", "z", "", "é", "a b"]), max_size=6).map(
        lambda parts: "/" + "/".join(parts)
    ),
)


def apigee_admits(operation, method, path):
    """Whether Apigee's product opens a request, by the rules of its documentation, read segment by segment."""
    resource, names = operation
    if not (path == "/v1" or path.startswith("/v1/")):
        return False
    if names and method not in names and not (method == "HEAD" and "GET" in names):
        return False
    if resource == "/":
        return True
    wanted, sent = resource.split("/"), path.removeprefix("/v1").split("/")
    for at, each in enumerate(wanted):
        if each == "**":
            return at == len(wanted) - 1 and len(sent) > at and sent[at] != ""
        if at >= len(sent) or (sent[at] == "" if each == "*" else sent[at] != each):
            return False
    return len(wanted) == len(sent)


@given(operations=st.lists(st.tuples(resources, some_methods), max_size=4), request=requests)
def test_no_list_of_requests_admits_what_apigee_refuses(operations, request):
    method, path = request
    offer = product("weather", *((",".join(names), resource) for resource, names in operations))
    exported = read_export(as_files(page(products=[offer], developers=[])), Faults()).products["weather"]
    listed = united(grant_of(exported, Served(HERE)).rules) if operations else []

    wire = path.encode().decode("latin-1")
    if allows(map(parse_request, listed or [NOTHING]), method, wire):
        assert any(apigee_admits(each, method, path) for each in operations)


def test_a_list_that_names_nothing_allows_nothing():
    assert not any(
        allows([parse_request(NOTHING)], method, path) for method in ("GET", "-") for path in ("", "/", "/-")
    )
