"""Custom attributes of a client: written on a command line, judged, changed."""

from __future__ import annotations

import pytest

from helpers.builders import registered
from oauth_mw import AdminError
from oauth_mw.attributes import MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES, change, check_attributes, parse_attribute, unite


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=gold", "gold"),
        ("a=", ""),
        ("a=x=y", "x=y"),
        ("a= spaced ", " spaced "),
        ("a=ü", "ü"),
        ("a=true", True),
        ("a=false", False),
        ("a=7", 7),
        ("a=-0.5", -0.5),
        ("a=1e3", 1000.0),
        ('a="7"', "7"),
        ('a="true"', "true"),
        ('a=""', ""),
        ('a="\\u00fc"', "ü"),
        ("a=True", "True"),
        ("a=007", "007"),
        ("a=+7", "+7"),
        ("a=.5", ".5"),
        ("a=1.", "1."),
        ("a=0x7", "0x7"),
        ("a=٧", "٧"),
        ("a=NaN", "NaN"),
        ("a=Infinity", "Infinity"),
        ("a=null", "null"),
        ("a=[1]", "[1]"),
        ('a={"b":1}', '{"b":1}'),
        ('a="', '"'),
        ("a='7'", "'7'"),
    ],
)
def test_a_value_is_a_string_unless_it_is_true_false_or_a_json_number(text, value):
    name, read = parse_attribute(text)

    assert (name, read, type(read)) == ("a", value, type(value))


@pytest.mark.parametrize("text", ["", "a", 'a="b"c"', 'a="\\"', 'a="\\x"'])
def test_what_is_not_key_and_value_is_refused(text):
    with pytest.raises(AdminError):
        parse_attribute(text)


@pytest.mark.parametrize("name", ["a", "A-b_c.9", "x" * 65, "9", "tier"])
def test_a_name_of_letters_digits_and_a_few_signs_is_taken(name):
    check_attributes({name: "value"})


@pytest.mark.parametrize("name", ["", "a b", "ü", "a/b", "a\n", "a:b", "٧", "__proto__ "])
def test_any_other_name_is_refused(name):
    with pytest.raises(AdminError, match="a name has"):
        check_attributes({name: "value"})


@pytest.mark.parametrize(
    "name",
    ["access_token", "scope", "state", "active", "client_id", "exp", "cnf", "sub", "issued_at", "organization_name"]
    + ["developer.email", "Scope", "EXP", "oauth_mw_position"],
)
def test_a_name_with_a_meaning_of_its_own_is_refused(name):
    with pytest.raises(AdminError, match="meaning of its own"):
        check_attributes({name: "value"})


@pytest.mark.parametrize(
    "value", [None, [], {}, b"x", float("inf"), float("nan")], ids=["none", "list", "dict", "bytes", "inf", "nan"]
)
def test_a_value_of_another_type_is_refused(value):
    with pytest.raises(AdminError, match="expected a string, a number"):
        check_attributes({"a": value})


def test_text_that_is_not_unicode_is_refused():
    with pytest.raises(AdminError, match="Unicode"):
        check_attributes({"a": "\udcff"})


@pytest.mark.parametrize(("count", "good"), [(MAX_ATTRIBUTES, True), (MAX_ATTRIBUTES + 1, False)])
def test_there_are_at_most_18(count, good):
    attributes = {f"a{number}": 1 for number in range(count)}

    assert is_taken(attributes) is good


@pytest.mark.parametrize(
    ("letters", "good"), [(MAX_ATTRIBUTE_BYTES - len('{"a": ""}'), True), (MAX_ATTRIBUTE_BYTES, False)]
)
@pytest.mark.parametrize("letter", ["x", "ü"])
def test_there_are_at_most_2_kilobytes_in_utf_8(letters, letter, good):
    assert is_taken({"a": letter * (letters // len(letter.encode()))}) is good


def is_taken(attributes):
    try:
        check_attributes(attributes)
    except AdminError:
        return False
    return True


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
