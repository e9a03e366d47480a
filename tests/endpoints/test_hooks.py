"""``on_issue`` and ``on_lifetime``: functions of the house that decide about tokens."""

from __future__ import annotations

import enum
import json
import logging
import time
from types import SimpleNamespace

import pytest

from helpers.jwts import JWT
from helpers.support import CC, SECRET, TESTER, basic, bearer, checked, issue
from oauth_mw import ConfigError, OAuthMiddleware, admin
from oauth_mw.deadlines import deadline_in
from oauth_mw.hooks import RefuseToken
from oauth_mw.model import MAX_LIFETIME

STORE_KINDS = ["memory"]

FORMATS = pytest.mark.parametrize("options", [{}, JWT], ids=["opaque", "jwt"])
HOOKS = pytest.mark.parametrize("option", ["on_issue", "on_lifetime"])


def show(environ, start_response):
    """The wrapped app: it answers with the attributes of the token."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(dict(environ["oauth_mw.token"].attributes)).encode()]


@pytest.fixture
def given():
    """Hooks that keep what they are given."""
    calls = []

    def hook(client, scope, form):
        calls.append((client, scope, form))
        return {}

    return SimpleNamespace(hook=hook, calls=calls)


def attributes_of(app, token):
    return app.get("/any", headers=bearer(token)).json


def failing(wrap, option, hook):
    return wrap(**{option: hook}).post("/oauth/token", CC, headers=TESTER, status=503)


def test_the_app_sees_the_attributes_and_the_client_only_the_public_ones(wrap, client):
    app = wrap(show, on_issue=lambda *given: {"tier": "gold", "cost": 3}, on_issue_public=["tier"])

    answer = app.post("/oauth/token", CC, headers=TESTER)

    assert (answer.json["tier"], "cost" in answer.json) == ("gold", False)
    assert attributes_of(app, answer.json["access_token"]) == {"tier": "gold", "cost": 3}


def test_a_jwt_has_the_public_attributes_and_introspection_too(wrap, client):
    app = wrap(show, on_issue=lambda *given: {"tier": "gold", "cost": 3}, on_issue_public=["tier"], **JWT)
    token = issue(app)

    told = app.post("/oauth/introspect", {"token": token}, headers=TESTER).json

    assert attributes_of(app, token) == {"tier": "gold"} and (told["tier"], "cost" in told) == ("gold", False)


def test_they_are_added_to_those_of_the_client_and_replace_those_of_the_same_name(wrap, store, client):
    admin.update_client(store, client, attributes={"team": "a", "tier": "free"}, public_attributes={"plan": "free"})
    app = wrap(show, on_issue=lambda *given: {"tier": "gold", "plan": "paid"})

    answer = app.post("/oauth/token", CC, headers=TESTER)

    assert attributes_of(app, answer.json["access_token"]) == {"team": "a", "tier": "gold", "plan": "paid"}
    assert (answer.json["plan"], "tier" in answer.json) == ("paid", False)


def test_they_are_of_one_token_and_not_of_the_next(wrap, client):
    tiers = iter(["gold", "free"])
    app = wrap(show, on_issue=lambda *given: {"tier": next(tiers)})

    tokens = [issue(app), issue(app)]

    assert [attributes_of(app, token)["tier"] for token in tokens] == ["gold", "free"]


class Tier(enum.StrEnum):
    GOLD = "gold"


class Disguised(str):
    """A text that compares as another one."""

    def lower(self):
        return "tier"


def test_values_are_stored_as_plain_ones(wrap, client):
    app = wrap(show, on_issue=lambda *given: {"tier": Tier.GOLD})

    assert attributes_of(app, issue(app)) == {"tier": "gold"}


@FORMATS
def test_the_lifetime_is_that_of_the_function_to_the_second(wrap, client, clock, options):
    app = wrap(on_lifetime=lambda *given: 90, **options)
    answer = app.post("/oauth/token", CC, headers=TESTER).json

    clock.move(89)
    assert (answer["expires_in"], checked(app, answer["access_token"])) == (90, 200)
    clock.move(1)
    assert checked(app, answer["access_token"]) == 401


@FORMATS
def test_the_lifetime_is_not_beyond_the_end_of_the_client(wrap, store, client, clock, options):
    admin.update_client(store, client, not_after=int(clock()) + 60)
    app = wrap(on_lifetime=lambda *given: 90, **options)
    answer = app.post("/oauth/token", CC, headers=TESTER).json

    clock.move(60)

    assert (answer["expires_in"], checked(app, answer["access_token"])) == (60, 401)


@FORMATS
def test_a_quota_holds_as_without_functions(wrap, store, client, options):
    admin.update_client(store, client, tokens_per_hour=1)
    app = wrap(on_lifetime=lambda *given: 90, on_issue=lambda *given: {}, **options)

    answers = [app.post("/oauth/token", CC, headers=TESTER, status="*").status_int for _ in range(2)]

    assert answers == [200, 429]


def test_a_function_is_given_the_client_the_scope_and_the_form(wrap, client, given):
    app = wrap(on_issue=given.hook)
    form = [*CC.items(), ("scope", "read read"), ("device", "a b"), ("tag", "1"), ("tag", "2"), ("empty", "")]

    app.post("/oauth/token", form, headers=TESTER)

    ((record, scope, seen),) = given.calls
    assert (record.client_id, record.scopes, scope) == ("tester", ("read", "write"), "read")
    assert seen == {**CC, "scope": "read read", "device": "a b", "tag": "1 2"}


def test_parameters_of_the_query_are_part_of_it_where_they_are_accepted(wrap, client, given):
    for places in ("body query", "body"):
        app = wrap(on_issue=given.hook, grant_type_in=places)
        app.post("/oauth/token?device=tv&client_secret=x", CC, headers=TESTER)

    assert [form for _, _, form in given.calls] == [{**CC, "device": "tv"}, CC]


def test_no_credential_is_part_of_what_a_function_is_given(wrap, client, given):
    others = dict.fromkeys(["password", "assertion", "refresh_token", "token", "code"], SECRET)

    wrap(on_issue=given.hook).post("/oauth/token", {**CC, "client_id": "tester", "client_secret": SECRET, **others})

    ((record, _, form),) = given.calls
    assert (record.secrets, form) == ((), {**CC, "client_id": "tester"})


@pytest.mark.parametrize("change", ["form", "attributes"])
def test_what_a_function_is_given_cannot_be_changed(wrap, store, client, change):
    admin.update_client(store, client, attributes={"team": "a"})

    def hook(client, scope, form):
        (form if change == "form" else client.attributes)["team"] = "b"

    failing(wrap, "on_issue", hook)


@HOOKS
def test_a_function_may_refuse_and_only_the_log_says_why(wrap, client, caplog, option):
    caplog.set_level(logging.INFO)

    def hook(client, scope, form):
        raise RefuseToken("the contract\nhas ended")

    answer = wrap(**{option: hook}).post("/oauth/token", CC, headers=TESTER, status=400)

    description = "This client may not be issued this token"
    assert answer.json == {"error": "unauthorized_client", "error_description": description}
    (record,) = caplog.records
    assert f"{option}: the contract\\nhas ended; needed: -; client: tester" in record.getMessage()


class Unspeakable:
    def __str__(self):
        raise ValueError


REASONS = {
    "long": (lambda: RefuseToken("x" * 100_000), f"on_issue: {'x' * 500};"),
    "none": (RefuseToken, "on_issue: ;"),
    "no text": (lambda: RefuseToken(Unspeakable()), "on_issue: a reason of the type Unspeakable;"),
}


@pytest.mark.parametrize(("make", "says"), REASONS.values(), ids=REASONS)
def test_a_reason_is_cut_off_and_may_be_missing_or_no_text(wrap, client, caplog, make, says):
    caplog.set_level(logging.INFO)

    def hook(client, scope, form):
        raise make()

    wrap(on_issue=hook).post("/oauth/token", CC, headers=TESTER, status=400)

    assert f"unauthorized_client: {says}" in caplog.text


def raising(client, scope, form):
    raise KeyError(form["device"])


NAN = float("nan")
BAD_ATTRIBUTES = {
    "an exception": (raising, "it raised KeyError (test_hooks.py, line {line})"),
    "nothing": (lambda *given: None, "it returned NoneType, not a mapping of attributes"),
    "a list": (lambda *given: [("a", 1)], "it returned list, not a mapping of attributes"),
    "a number as a name": (lambda *given: {1: "a"}, "a name in the mapping that it returned is not a string"),
    "a reserved name": (lambda *given: {"scope": "admin"}, "attribute 'scope': the name is reserved"),
    "a reserved name in disguise": (lambda *given: {Disguised("scope"): "admin"}, "attribute 'scope': the name is res"),
    "a number of too many digits": (lambda *given: {"a": 10**5000}, "an attribute is a number of too many digits"),
    "a list as a value": (lambda *given: {"a": [1]}, "attribute 'a': expected a string, a number, true or false"),
    "no number": (lambda *given: {"a": NAN}, "attribute 'a': expected a string, a number, true or false"),
    "a surrogate": (lambda *given: {"a": "\ud800"}, "an attribute holds text that is not Unicode"),
    "too many": (lambda *given: {f"a{n}": n for n in range(25)}, "a client has at most 24 attributes"),
    "too much": (lambda *given: {"a": "x" * 3000}, "the attributes have 3009 bytes, more than 2048"),
}
BAD_LIFETIMES = {
    "an exception": (raising, "it raised KeyError (test_hooks.py, line {line})"),
    "nothing": (lambda *given: None, "it returned NoneType, not a whole number of seconds"),
    "a text": (lambda *given: "60", "it returned str, not a whole number of seconds"),
    "a fraction": (lambda *given: 60.0, "it returned float, not a whole number of seconds"),
    "true": (lambda *given: True, "it returned bool, not a whole number of seconds"),
    "none": (lambda *given: 0, "the seconds that it returned are not between 1 and"),
    "for ever": (lambda *given: MAX_LIFETIME + 1, "the seconds that it returned are not between 1 and"),
}
BAD = [("on_issue", *each) for each in BAD_ATTRIBUTES.values()]
BAD += [("on_lifetime", *each) for each in BAD_LIFETIMES.values()]


@pytest.mark.parametrize(("option", "hook", "says"), BAD)
def test_a_function_that_fails_issues_no_token_and_is_warned_of_once_a_minute(wrap, client, caplog, option, hook, says):
    app = wrap(**{option: hook})
    form = {**CC, "device": "device-7"}

    answers = [app.post("/oauth/token", form, headers=TESTER, status=503) for _ in range(2)]

    assert [(each.json["error"], each.headers["Retry-After"]) for each in answers] == [
        ("temporarily_unavailable", "1")
    ] * 2
    (record,) = caplog.records
    line = raising.__code__.co_firstlineno + 1
    assert f"{option} failed, and no token was issued: " in record.getMessage()
    assert says.format(line=line) in record.getMessage() and "device-7" not in caplog.text


class Timeout(BaseException):
    """As gevent has it."""


@HOOKS
@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, Timeout, RecursionError])
def test_an_exit_or_a_timeout_is_a_failure_too(wrap, client, caplog, option, kind):
    def hook(client, scope, form):
        raise kind

    failing(wrap, option, hook)

    assert f"{option} failed, and no token was issued: it raised {kind.__name__} (test_hooks.py" in caplog.text


@HOOKS
def test_an_interrupt_is_meant_for_the_process(wrap, client, option):
    def hook(client, scope, form):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing(wrap, option, hook)


@pytest.mark.usefixtures("at_once")
def test_such_a_failure_is_in_the_audit_trail(wrap, client, trail):
    failing(wrap, "on_lifetime", lambda *given: 0)

    ((event, client_id, reason),) = [(each["event"], each["client_id"], each["reason"]) for each in trail()]
    assert (event, client_id) == ("token_refused", "tester")
    assert reason.startswith("on_lifetime failed: the seconds that it returned")


def test_a_function_is_not_called_for_what_is_refused_before(wrap, client, given):
    app = wrap(on_issue=given.hook)
    for form, secret in ((CC, "wrong" + SECRET), ({**CC, "scope": "other"}, SECRET), ({"scope": "read"}, SECRET)):
        app.post("/oauth/token", form, headers=basic("tester", secret), status="4*")

    assert given.calls == []


def test_a_function_is_not_hurried_by_the_deadline_of_the_request(wrap, client):
    app = wrap(show, on_issue=lambda *given: {"unhurried": deadline_in(1000) - time.monotonic() > 900})

    assert attributes_of(app, issue(app)) == {"unhurried": True}


async def coroutine(client, scope, form): ...


FAULTS = {
    "no module": ("no_such_module:body", "no_such_module:body cannot be imported: ModuleNotFoundError"),
    "a coroutine function": (coroutine, "expected a function of (client, scope, form)"),
    "two arguments": (lambda client, scope: {}, "too many positional arguments"),
}


@HOOKS
@pytest.mark.parametrize(("function", "says"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_called_stops_the_start_with_all_other_faults(option, function, says):
    with pytest.raises(ConfigError) as caught:
        OAuthMiddleware(show, store="memory://", realm="", **{option: function})

    assert [name for name, _ in caught.value.faults] == ["realm", option]
    assert says in str(caught.value)
