"""How many tokens the cache holds, and what they share."""

from __future__ import annotations

import gc
from collections import OrderedDict
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.jwts import JWT
from helpers.support import SECRET, bearer, issue
from oauth_mw import admin, open_store
from oauth_mw.model import EMPTY, AccessToken, TokenRecord
from oauth_mw.tokens.cache import TokenCache
from oauth_mw.tokens.sharing import Sharing


class Read:
    """Read any text; ``texts`` has those that were read."""

    def __init__(self):
        self.texts = []

    def __call__(self, text):
        self.texts.append(text)
        return AccessToken("tester", "", frozenset(), text.encode().hex(), 0, 2**32 - 1)


def cached(read, size):
    options = {"lag": 1, "grace": 0, "timeout": 1, "monotonic": lambda: 0.0}
    cache = TokenCache(read, open_store("memory://"), size=size, **options)
    cache.find("Bearer first", "first")
    return lambda text: cache.cached("Bearer " + text) or cache.find("Bearer " + text, text)


@given(size=st.integers(2, 5), used=st.lists(st.integers(0, 9), max_size=60))
def test_the_last_tokens_that_were_used_are_not_read_again(size, used):
    read, last = Read(), OrderedDict()
    find = cached(read, size)
    for number in used:
        read.texts.clear()
        find(str(number))
        assert number not in last or read.texts == []
        last[number] = True
        last.move_to_end(number)
        while len(last) > size:
            last.popitem(last=False)


def test_it_holds_at_most_two_segments():
    find = cached(Read(), 50)
    for number in range(500):
        find(str(number))

    gc.collect()
    held = [each for each in gc.get_objects() if type(each) is AccessToken and bytes.fromhex(each.token_id).isdigit()]
    assert 50 <= len(held) <= 100


@pytest.mark.parametrize("options", [{}, JWT], ids=["opaque", "jwt"])
def test_tokens_of_a_client_share_what_is_equal(wrap, store, clock, options):
    scope = " ".join(f"s{number}" for number in range(100))
    shown = {"tier": "gold"}
    fields = {"client_id": "tester", "scope": scope, "public_attributes": shown, "audiences": ["urn:x"]}
    admin.add_client(store, "", secret=SECRET, clock=clock, **fields)
    seen = []

    def app(environ, start_response):
        seen.append(environ["oauth_mw.token"])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    app = wrap(app, audience="urn:x", **options)
    for token in [issue(app) for _ in range(3)]:
        app.get("/any", headers=bearer(token))

    names = ("client_id", "scope", "scopes", "attributes", "public_attributes", "audience")
    assert {name: len({id(getattr(token, name)) for token in seen}) for name in names} == dict.fromkeys(names, 1)
    assert (seen[0].scope, dict(seen[0].attributes), len({token.token_id for token in seen})) == (scope, shown, 3)


def made(sharing, scope="", attributes=EMPTY, public=()):
    record = TokenRecord("tester", scope, 0, 0, MappingProxyType(attributes), frozenset(public))
    return sharing.token(bytes(32), record, "Bearer")


@pytest.mark.parametrize("value", [1, True, 1.0, "1", 0, False, 0.0, -0.0])
def test_equal_values_of_different_types_stay_what_they_are(value):
    sharing = Sharing()
    for each in (1, True, 1.0, "1", 0, False, 0.0, -0.0):
        made(sharing, attributes={"a": each})

    (found,) = made(sharing, attributes={"a": value}).attributes.values()
    assert (type(found), str(found)) == (type(value), str(value))


def test_tokens_of_different_scopes_share_their_attributes():
    sharing = Sharing()
    one, other = (made(sharing, scope, {"tier": "gold"}, ["tier"]) for scope in ("a", "b"))

    assert one.attributes is other.attributes and one.public_attributes is other.public_attributes


def test_a_name_that_became_public_is_not_public_in_older_tokens():
    sharing = Sharing()

    names = [made(sharing, "", {"a": 1, "b": 2}, public).public_attributes for public in ("", "a", "ab", "a")]
    assert names == [frozenset(), {"a"}, {"a", "b"}, {"a"}]


def test_the_number_of_shared_values_is_bounded():
    sharing = Sharing(10)
    for number in range(1000):
        token = made(sharing, f"a s{number}")
        assert (token.scope, token.scopes) == (f"a s{number}", {"a", f"s{number}"})
    del token

    gc.collect()
    assert sum(type(each) is frozenset and "a" in each and len(each) == 2 for each in gc.get_objects()) < 20
