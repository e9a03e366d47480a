"""What is a resource identifier: an absolute URI without a fragment (RFC 8707 §2, RFC 3986 §4.3)."""

from __future__ import annotations

import pytest

from oauth_mw.resources import MAX_RESOURCE_LENGTH, is_resource

GOOD = """
https://api.example.com https://api.example.com/ https://api.example.com:8443/v1/?x=1/2? HTTPS://API http://[::1]:80/
https://user@host/ https://a.example/%7Ex!$&'()*+,;=:@ https://a//b/ https://localhost/a-b_c~d urn:example:billing
tag:a@b.c,2020:x custom:/path custom:/ file:///srv/x a+b.c-d:x
""".split()
LONGEST = "https://a/".ljust(MAX_RESOURCE_LENGTH, "x")


@pytest.mark.parametrize("text", [*GOOD, LONGEST])
def test_an_absolute_uri_is_a_resource(text):  # N-01
    assert is_resource(text)


BAD = {
    "relative": ["", "api", "/v1", "//host/x", "?x", "api.example.com/v1"],
    "with a fragment": ["https://a#", "https://a/#b", "urn:a#b"],
    "no host": ["https:", "https://", "https:///x", "https:x", "https:/x", "http://:80/", "https://?x", "https://@a"],
    "nothing named": ["urn:", "a:?b"],
    "no scheme": ["1a:b", "a_b:c", ":b", "-a:b", "ü:b"],
    "spaces": [
        "https://a b",
        " https://a",
        "https://a ",
        "https://a\n",
        "https://a/\tb",
        "https://a/\u00a0",
        "https://a/\u2028",
    ],
    "not ASCII": ["https://ü.example", "https://a/é", "https://a/\ud800", "https://a/\0", "https://\uff41"],
    "broken escapes": ["https://a/%", "https://a/%zz", "https://a/%4"],
    "other characters": [f"https://a/{each}" for each in '\\<>"^`{}|[]'],
    "broken authority": ["https://[::1", "https://a:80b/", "https://a@b@c/", "https://[x]/"],
    "too long": [LONGEST + "x", "a:" + "x" * 100_000],
}


@pytest.mark.parametrize("texts", BAD.values(), ids=BAD)
def test_anything_else_is_none(texts):  # N-02
    assert [text for text in texts if is_resource(text)] == []
