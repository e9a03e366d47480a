"""How ids and secrets are compared and kept."""

from __future__ import annotations

import sys
from collections import Counter
from urllib.parse import urlencode

import pytest

from helpers.support import SECRET, basic, echo
from helpers.wsgi_client import CheckedApp, post_form
from oauth_mw import OAuthMiddleware, admin
from oauth_mw.credentials import MAX_SECRETS

STORE_KINDS = ["memory"]

CC = b"grant_type=client_credentials"


def ask(app, client_id, secret, *, header=False):
    if header:
        return post_form(app.app, CC, HTTP_AUTHORIZATION=basic(client_id, secret)["Authorization"])
    return post_form(app.app, CC + b"&" + urlencode({"client_id": client_id, "client_secret": secret}).encode())


in_both_places = pytest.mark.parametrize("header", [False, True], ids=["body", "Basic"])
NEAR_SECRETS = {
    "cut, longer, twice": [SECRET[:-1], SECRET + "x", SECRET * 2],
    "other case": [SECRET.swapcase()],
    "white space": [" " + SECRET, SECRET + " ", SECRET + "\n", SECRET + "\r\n"],
    "NUL": [SECRET + "\0", SECRET + "\0\0", SECRET + "%00"],
    "not seen": [SECRET + "\u200b", "\ufeff" + SECRET, SECRET[:4] + "\u00ad" + SECRET[4:], SECRET + "\u0301"],
    "look-alikes": ["".join(chr(ord(c) + 0xFEE0) for c in SECRET), SECRET.replace("B", "В")],
    "quoted": [f'"{SECRET}"'],
}
NEAR_IDS = ["Tester", "TESTER", "teste", "testers", " tester", "tester ", "tester\n", "tester\0", "*", "%"]
NEAR_IDS += ["ｔester", "tеster"]


@in_both_places
@pytest.mark.parametrize("secrets", NEAR_SECRETS.values(), ids=NEAR_SECRETS)
def test_a_secret_is_compared_exactly(app, client, secrets, header):
    assert [each for each in secrets if ask(app, client, each, header=header).status not in (400, 401)] == []


@in_both_places
def test_an_id_is_compared_exactly(app, header):
    assert [each for each in NEAR_IDS if ask(app, each, SECRET, header=header).status not in (400, 401)] == []


INJECTIONS = ["' OR '1'='1", "tester' --", "x'; DROP TABLE client; --", "*)(uid=*))(|(uid=*", '{"$ne": null}']
INJECTIONS += ["{{7*7}}", "${jndi:ldap://x}", "../../etc/passwd", "%s%s%n", "; cat /etc/passwd", "tester%27"]


@in_both_places
def test_query_text_is_just_a_wrong_credential(app, client, header):
    for text in INJECTIONS:
        answers = [ask(app, text, SECRET, header=header), ask(app, client, text, header=header)]
        assert [(answer.status, b"invalid_client" in answer.body) for answer in answers] == [(401, True)] * 2
    assert ask(app, client, SECRET).status == 200


@pytest.fixture
def failures(store, clock, client):
    """Credentials that fail for different reasons."""
    for name in ("disabled", "expired", "ended", "deleted", "bare"):
        admin.add_client(store, name, client_id=name, secret=SECRET, clock=clock)
    admin.disable_client(store, "disabled")
    admin.update_client(store, "ended", not_after=int(clock()) + 10, clock=clock)
    admin.delete_client(store, "deleted")
    (first,) = store.find_client("expired").secrets
    late = "Zq7Wm2Xc9Vb4Nn6Ll1Kk"
    admin.add_secret(store, "expired", secret=late, not_after=int(clock()) + 10, clock=clock)
    admin.revoke_secret(store, "expired", first.secret_id)
    (only,) = store.find_client("bare").secrets
    admin.revoke_secret(store, "bare", only.secret_id)
    clock.move(10)
    return {
        "unknown": ("nobody", SECRET),
        "wrong": ("tester", SECRET[::-1]),
        "disabled": ("disabled", SECRET),
        "disabled and wrong": ("disabled", SECRET[::-1]),
        "deleted": ("deleted", SECRET),
        "expired": ("expired", late),
        "of an expired client": ("ended", SECRET),
        "revoked": ("expired", SECRET),
        "without secrets": ("bare", SECRET),
    }


@in_both_places
def test_all_failures_look_alike(wrap, failures, header):  # A-04, A-04c
    app = wrap()
    answers = {name: ask(app, *pair, header=header)[:3] for name, pair in failures.items()}

    assert len({repr(answer) for answer in answers.values()}) == 1, answers
    assert answers["unknown"][0] == 401


def test_malformed_credentials_and_methods_that_are_off_look_alike_too(wrap, failures):  # A-04c
    app = wrap(client_auth_methods="client_secret_basic")
    values = [basic("nobody", SECRET)["Authorization"], "Basic !", "Basic", "Bearer x"]
    answers = [post_form(app.app, CC, HTTP_AUTHORIZATION=value)[:3] for value in values]
    answers += [ask(app, "tester", SECRET)[:3], post_form(app.app, CC)[:3]]

    assert len(set(map(repr, answers))) == 1


class Meanwhile:
    """The store, where something happens right before a client's record is read."""

    def __init__(self, store, work):
        self._store, self._work = store, work

    def __getattr__(self, name):
        return getattr(self._store, name)

    def find_client(self, client_id):
        self._work()
        return self._store.find_client(client_id)


MEANWHILE = {
    "its secret is revoked": lambda store, secret_id: admin.revoke_secret(store, "tester", secret_id),
    "it is disabled": lambda store, secret_id: admin.disable_client(store, "tester"),
    "it is deleted": lambda store, secret_id: admin.delete_client(store, "tester"),
}


@pytest.mark.parametrize("work", MEANWHILE.values(), ids=MEANWHILE)
def test_what_happens_to_a_client_while_it_is_authenticated_counts(store, client, work):
    (secret,) = store.find_client("tester").secrets
    app = OAuthMiddleware(echo, store=Meanwhile(store, lambda: work(store, secret.secret_id)))

    assert ask(CheckedApp(app), "tester", SECRET).status == 401


def work(app, client_id, secret):
    """How often what was called while a client was authenticated."""
    calls = Counter()

    def profile(frame, event, what):
        if event == "c_call" and what.__name__ in ("openssl_sha256", "compare_digest"):
            calls[what.__name__] += 1

    header = basic(client_id, secret, raw=True)["Authorization"]
    sys.setprofile(profile)
    try:
        post_form(app.app, CC, HTTP_AUTHORIZATION=header)
    finally:
        sys.setprofile(None)
    return calls


def test_all_failures_do_the_same_work(wrap, failures):
    app = wrap()
    done = {name: work(app, *pair) for name, pair in failures.items()}

    assert done["unknown"]["openssl_sha256"] == done["unknown"]["compare_digest"] >= 1
    assert len({tuple(sorted(each.items())) for each in done.values()}) == 1, done


def test_two_readings_cost_the_same_whatever_fails(wrap, store, failures):
    app = wrap()
    done = [work(app, name, "%41+" + SECRET) for name, _ in failures.values()]

    assert len({tuple(sorted(each.items())) for each in done}) == 1
    assert done[0]["openssl_sha256"] > work(app, "tester", "no" + SECRET)["openssl_sha256"]


def test_more_secrets_do_not_show(wrap, store, failures):
    app, unknown = wrap(), work(wrap(), "nobody", "no" + SECRET)
    for _ in range(MAX_SECRETS - 1):
        admin.add_secret(store, "tester")

        assert work(app, "tester", "no" + SECRET) == unknown


def test_several_secrets_are_good_at_once_each_until_its_second(wrap, store, client, clock):
    second = admin.add_secret(store, "tester", not_after=int(clock()) + 5, clock=clock).secret
    app = wrap()
    assert ask(app, "tester", SECRET).status == ask(app, "tester", second).status == 200

    admin.revoke_secret(store, "tester", store.find_client("tester").secrets[0].secret_id, force=True)
    statuses = [ask(app, "tester", SECRET).status]
    for seconds in (4, 1):
        clock.move(seconds)
        statuses.append(ask(app, "tester", second).status)
    assert statuses == [401, 200, 401]


def test_generated_secrets_have_256_bits_and_encode_to_themselves(store):
    made = [admin.add_client(store, f"n{n}") for n in range(20)]

    assert len({each.secret for each in made}) == len({each.client.client_id for each in made}) == 20
    assert all(each.secret.isalnum() and each.secret.isascii() and len(each.secret) >= 43 for each in made)
    assert all(each.client.client_id.isalnum() and each.client.client_id.isascii() for each in made)


def test_equal_secrets_have_different_hashes(store):
    one, two = (admin.add_client(store, "", secret=SECRET).client.secrets[0] for _ in range(2))

    assert one.salt != two.salt and one.digest != two.digest


def test_a_generated_secret_is_never_called_weak(store):
    admin.add_client(store, "short", client_id="e", secret="#" * 20, allow_weak_secret=True)

    for _ in range(8):
        new = admin.add_secret(store, "e").record
        admin.revoke_secret(store, "e", new.secret_id)
        assert not new.weak
