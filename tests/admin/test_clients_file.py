"""Faults of a file of clients."""

from __future__ import annotations

import pytest

from helpers.clients_files import ONE
from helpers.support import SECRET
from oauth_mw import admin

STORE_KINDS = ["memory"]

FAULTY = """
cliens = 1
[clients.a]
nam = "x"
scope = 'a "b"'
lifetime = 0
token_format = "JWT"
rate_limit = "often"
not_after = "soon"
tokens_per_day = true
allowed_addresses = ["300.0.0.0/8"]
attributes = { "a\\u001b" = 2 }
public_attributes = { exp = 1, date = 2027-01-01, n = HUGE }
imported = { name = 1 }
[clients.b]
name = "b"
scope = "a,b"
default_audience = []
secrets = [
  { id = "1", hash = "md5", colour = 1 },
  { id = "2" },
  { id = "2", variable = "NO_SUCH", file = "x" },
  { id = "4", variable = "NO_SUCH" },
  { id = "5 5", file = "no-such-file" },
  { variable = "TESTER_SECRET", weak = 1 },
]
[clients.c]
name = "c"
scope = "read"
default_scope = "write"
quota_mode = "report"
revoked_secrets = ["1"]
secrets = [{ id = "1", variable = "TESTER_SECRET" }]
[clients."\\u001b"]
name = "a\\nb"
""".replace("HUGE", "0x" + 4000 * "f")
FAULTS = {
    "cliens": "is not known; did you mean clients?",
    "clients.a.nam": "is not known; did you mean name?",
    "clients.a.name": "is missing: name what the client is for",
    "clients.a.scope": "is not a scope",
    "clients.a.lifetime": "a lifetime is from 1 to",
    "clients.a.token_format": "is one of: opaque, jwt",
    "clients.a.rate_limit": "100/minute",
    "clients.a.not_after": "expected a time, such as 2027-12-31",
    "clients.a.tokens_per_day": "expected a whole number",
    "clients.a.allowed_addresses": "expected networks, such as 192.0.2.0/24",
    "clients.a.imported": "a table of texts",
    "clients.a.public_attributes.exp": "a private attribute of a client may have it",
    "clients.a.attributes.'a\\x1b'": "printable",
    "clients.a.public_attributes.date": "expected a string, a number, true or false",
    "clients.a.public_attributes.n": "a number of too many digits",
    "clients.b.scope": "did you mean 'a b'? (allow_odd_scope = true accepts it)",
    "clients.b.default_audience": "at least one URI",
    "clients.b.secrets": "expected at most 5, not 6",
    "clients.b.secrets[1].colour": "is not known; expected one of: id, label",
    "clients.b.secrets[1].hash": "expected sha256$SALT$DIGEST, as `client export` writes it",
    "clients.b.secrets[2]": "expected one of hash, variable, file, not none",
    "clients.b.secrets[3]": "expected one of hash, variable, file, not variable and file",
    "clients.b.secrets[3].id": "'2' is that of another secret here",
    "clients.b.secrets[4].variable": "is not set: expected the name of a variable",
    "clients.b.secrets[5].id": "expected 1 to 64 letters, digits",
    "clients.b.secrets[5].file": "cannot be read (No such file or directory): expected the name of a file with",
    "clients.b.secrets[6].id": "is missing: name the secret",
    "clients.b.secrets[6].weak": "expected true or false",
    "clients.c.default_scope": "must be part of the scope",
    "clients.c.quota_mode": "does nothing without a quota",
    "clients.c.secrets[1].id": "'1' is among revoked_secrets, too",
    "clients.'\\x1b'": "a client id has 1 to 255",
    "clients.'\\x1b'.name": "without U+000A",
}


def test_all_faults_of_a_file_are_said_together_each_with_its_place_and_what_was_expected(refused):
    found = refused(FAULTY, folder="")

    assert found.keys() == FAULTS.keys()
    assert {place: text for place, text in found.items() if FAULTS[place] not in text} == {}


def test_what_was_written_in_the_place_of_a_file_is_not_shown(refused):
    text = ONE.replace('variable = "TESTER_SECRET"', f'file = "{SECRET}"')

    (fault,) = refused(text, folder="etc").values()

    assert (SECRET in fault, "(relative to 'etc')" in fault) == (False, True)


HASH = f'hash = "sha256${"ab" * 16}${"cd" * 32}"'


@pytest.mark.parametrize("source", ['variable = "TESTER_SECRET"', HASH], ids=["text", "hash"])
def test_a_secret_stands_in_a_file_once(refused, source):
    secrets = ", ".join(f'{{ id = "{each}", {source} }}' for each in ("1", "2"))

    assert refused(f'[clients.a]\nname = "a"\nsecrets = [{secrets}]') == {
        "clients.a.secrets[2]": "is another one here with another id: expected it once"
    }


NOT_CLIENTS = {
    "nothing": ("", "clients"),
    "a text": ('clients = "a"', "clients"),
    "a client that is a text": ('[clients]\na = "b"', "clients.a"),
}


@pytest.mark.parametrize(("text", "place"), NOT_CLIENTS.values(), ids=NOT_CLIENTS)
def test_a_file_of_something_else_disables_no_client(store, client, refused, text, place):
    assert place in refused(text, prune=True)


@pytest.mark.parametrize("store_kind", ["sqlite"])  # it lists the ids of deleted clients
def test_what_does_not_fit_the_store_is_said_together_too(store, apply, refused):
    apply(ONE.replace("tester", "deleted") + ONE)
    admin.delete_client(store, "deleted")
    both = ONE.replace("first", "second") + ONE.replace("tester", "deleted")

    assert refused(both + '[clients.new]\nname = "n"', reopen=["x"]) == {
        "--reopen": "'x' is no id of a client or secret in the file",
        "clients.tester": "secret 'second' is in the store with another id: expected 'first'",
        "clients.deleted": "a client with this id was deleted, and an id is never used again",
        "clients.new": "secrets is missing: a client that is added needs one (or secrets = [], and gets no token)",
    }


AMBIGUOUS = {
    "a secret of two clients": (ONE + ONE.replace("tester", "b"), "first", "--reopen", "expected CLIENT:SECRET"),
    "a client and a secret": (ONE.replace("tester", "first"), "first", "--reopen", "is a client and a secret"),
    "a disabled client": (ONE.replace("name", "enabled = false\nname"), "tester", "clients.tester.enabled", "is false"),
}


@pytest.mark.parametrize(("text", "name", "place", "fault"), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_is_to_be_reopened_must_be_clear(refused, text, name, place, fault):
    assert fault in refused(text, reopen=[name])[place]
