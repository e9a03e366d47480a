"""Custom attributes of a client: parsed, checked and changed."""

from __future__ import annotations

import pytest

from helpers.builders import registered
from oauth_mw import AdminError
from oauth_mw.attributes import MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES, change, check_attributes, parse_attribute, unite

# What stands behind "a=", and the value that it has where it is not that text.
TEXTS = ["gold", "", "x=y", " spaced ", "ü", "True", "007", "+7", ".5", "1.", "0x7", "٧", "NaN", "Infinity", "null"]
TEXTS += ["[1]", '{"b":1}', '"', "'7'"]
VALUES = {"true": True, "false": False, "7": 7, "-0.5": -0.5, "1e3": 1000.0}
QUOTED = {'"7"': "7", '"true"': "true", '""': "", '"\\u00fc"': "ü"}


@pytest.mark.parametrize(("text", "value"), {**{text: text for text in TEXTS}, **VALUES, **QUOTED}.items())
def test_a_value_is_a_string_unless_it_is_true_false_or_a_json_number(text, value):
    name, read = parse_attribute(f"a={text}")

    assert (name, read, type(read)) == ("a", value, type(value))


@pytest.mark.parametrize("text", ["", "a", 'a="b"c"', 'a="\\"', 'a="\\x"'])
def test_what_is_not_key_and_value_is_refused(text):
    with pytest.raises(AdminError):
        parse_attribute(text)


def test_a_name_of_letters_digits_and_a_few_signs_is_taken():
    names = ["a", "A-b_c.9", "x" * 65, "9", "tier"]

    check_attributes(dict.fromkeys(names, "value"), names)


TAKEN = "access_token scope state active client_id exp iss cnf sub status issued_at organization_name developer.email"
RESERVED = [*TAKEN.split(), "Scope", "EXP", "Error", "fault", "ErrorCode", "oauth_mw_position"]
ODD = ["a b", "ü", "a/b", "a:b", "٧", "__proto__ "]
REFUSED = {
    "a name has": [{name: "value"} for name in ("", "a\n", "x" * 201, "\u202e", "\ud800")],
    "a public name has .*: a private attribute of a client may have it": [{name: "value"} for name in ODD],
    "reserved .*: a private attribute of a client may have it": [{name: "x"} for name in RESERVED],
    "expected a string, a number": [{"a": each} for each in (None, [], {}, b"x", float("inf"), float("nan"))],
    "Unicode": [{"a": "\udcff"}],
    "too many digits": [{"a": 10**5000}, {"a": -(10**5000)}],
    "": [
        {f"a{number}": 1 for number in range(MAX_ATTRIBUTES + 1)},
        *({"a": letter * (MAX_ATTRIBUTE_BYTES // len(letter.encode()))} for letter in "xü"),
    ],
}


@pytest.mark.parametrize(("says", "attributes"), [(says, each) for says, given in REFUSED.items() for each in given])
def test_attributes_that_cannot_be_are_refused(says, attributes):
    with pytest.raises(AdminError, match=says or "attribute"):
        check_attributes(attributes, attributes)


@pytest.mark.parametrize("name", [*ODD, *RESERVED])
def test_a_private_attribute_may_have_any_printable_name(name):
    check_attributes({name: "value", "tier": "gold"}, ["tier"])


@pytest.mark.parametrize("letter", ["x", "ü"])
def test_24_attributes_and_2_kilobytes_in_utf_8_are_taken(letter):
    check_attributes({f"a{number}": 1 for number in range(MAX_ATTRIBUTES)}, ())
    check_attributes({"a": letter * ((MAX_ATTRIBUTE_BYTES - len('{"a": ""}')) // len(letter.encode()))}, ())


def test_a_name_cannot_be_private_and_public():
    with pytest.raises(AdminError, match="'b': given as private and as public"):
        unite({"a": 1, "b": 2}, {"b": 2})


@pytest.mark.parametrize(
    ("private", "public", "after"),
    [
        (None, None, ({"a": 1, "b": 2}, {"b"})),
        ({}, None, ({"b": 2}, {"b"})),
        (None, {}, ({"a": 1}, set())),
        ({"c": 3}, None, ({"c": 3, "b": 2}, {"b"})),
        (None, {"c": 3}, ({"a": 1, "c": 3}, {"c"})),
        ({"b": 9}, None, ({"b": 9}, set())),
        (None, {"a": 9}, ({"a": 9}, {"a"})),
        ({}, {}, ({}, set())),
    ],
    ids=["none given", "no private", "no public", "private", "public", "made private", "made public", "neither"],
)
def test_what_is_given_replaces_all_of_its_kind(private, public, after):
    client = registered(attributes={"a": 1, "b": 2}, public_attributes=frozenset("b"))

    assert change(client, private, public) == after
