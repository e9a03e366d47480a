"""The rights that the page about PostgreSQL grants to roles of PostgreSQL are enough, and each of them is needed."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace

import pytest

from helpers.builders import HOUR, NOW, key_of, registered, token_of
from helpers.changes import add_key, remove_secret
from helpers.life import GIVEN, live, serve
from helpers.pages import fences
from helpers.postgres_raw import Raw
from helpers.support import SECRET, HandClock, bearer, echo, issue
from helpers.wsgi_client import CheckedApp
from oauth_mw import ConfigError, OAuthMiddleware, StoreUnavailable, admin, open_store
from oauth_mw.keys.schedule import with_need, without_key
from oauth_mw.model import LOG_KEEP_SECONDS, Count, KeyRecord, Sizes
from oauth_mw.tokens import revoking

MAKE, USE, ADMINISTER = (each.text for each in fences("examples/postgresql/README.md", "sql"))


@pytest.fixture(scope="module")
def postgres(own_postgres):
    return own_postgres


class Roles:
    """The page's roles, and its schema with a name of this test's own."""

    def __init__(self, url, raw):
        self._raw = raw
        (self._schema,) = raw("SELECT current_schema()")
        self._url = url

    def run(self, statements):
        """As a superuser."""
        for statement in filter(str.strip, self._named(statements).split(";")):
            self._raw(statement)

    def _named(self, text):
        return re.sub(r"\boauth\b", f"{self._schema}_oauth", text)

    def url(self, role):
        return self._url.partition("?")[0].replace("//tests@", f"//{role}@")

    def close(self):
        self._raw(self._named("DROP SCHEMA IF EXISTS oauth CASCADE"))
        for role in ("oauth_owner", "oauth_service"):
            self._raw(f"DROP ROLE IF EXISTS {role}")


@pytest.fixture
def roles(postgres_url):
    with Raw(postgres_url) as raw, closing(Roles(postgres_url, raw)) as roles:
        roles.run(MAKE)
        yield roles


@pytest.fixture
def owner(roles):
    """A store that its owner created, with a client."""
    with closing(open_store(roles.url("oauth_owner"), create=True, clock=HandClock())) as store:
        store.add_client(registered())
        yield store


def work(roles):
    """Do all that a service does with a store."""
    clock, sizes = HandClock(), Sizes(log_only_per_client=2)
    with closing(open_store(roles.url("oauth_service"), create=True, clock=clock, sizes=sizes)) as store:
        roles.run("DELETE FROM oauth.oauth_mw_crash_marker")  # as a crash does
        page = store.read_log("", -1)
        assert page.store_id, "permission denied to make another mark"
        assert add_key(store, KeyRecord("kid", "ES256", "{}", "private", NOW, NOW, NOW))
        assert store.update_keys(lambda keys: with_need(keys, "kid", NOW + 1)).keys
        assert not store.update_keys(lambda keys: without_key(keys, "kid")).keys
        client = store.find_client("tester")
        for number in range(2):
            store.add_token(key_of(number), token_of(client))
        assert store.find_token(key_of(0)) and store.revoke_token(key_of(0))
        assert store.sweep(NOW + 2 * HOUR, 10) == 2
        for second in range(2):
            store.note_uses({("tester", ""): second})
        assert store.last_uses(["tester"])
        store.count([Count(b"over", 1, NOW - 2 * HOUR)])  # which is removed
        assert [store.count([Count(b"hour", 1, NOW + HOUR)]).full for _ in range(2)] == [(), (0,)]
        for number in range(sizes.log_only_per_client + 1):
            revoking.revoke_log_only(store, "tester", key_of(number), client.revoked_before, NOW)
        store.read_denylist()
        clock.move(2 * HOUR + LOG_KEEP_SECONDS)
        store.revoke_log_only("tester", key_of(9, expires_at=NOW + 9 * HOUR), 2**60)
        assert store.read_log("", -1).position > page.position
        store.clients()
        store.warnings()


def each_right(statements):
    """Each pair of a right and a table that statements grant."""
    for rights, tables in re.findall(r"GRANT (.*?) ON (?:SCHEMA |SEQUENCE )?([\w., ]+?) TO", statements):
        for right in re.findall(r"[A-Z]+(?: \(\w+\))?", rights):
            for table in tables.split(", "):
                kind = {"USAGE": "SEQUENCE " if "_seq" in table else "SCHEMA "}.get(right, "")
                yield f"REVOKE {right} ON {kind}{table} FROM oauth_service"


@pytest.mark.slow
def test_the_owner_of_a_schema_creates_a_store_and_does_all_with_it(roles):
    with closing(open_store(roles.url("oauth_owner"), create=True)) as store:
        live(store)

        assert not [each for each in store.warnings() if "role" in each]


def test_a_service_needs_no_more_than_the_page_grants(roles, owner):
    roles.run(USE)

    work(roles)


@pytest.mark.parametrize("lost", [*each_right(USE)])
def test_a_service_needs_each_right_that_the_page_grants_and_names_a_missing_one(roles, owner, lost):
    roles.run(USE)
    roles.run(lost)
    right, table = re.fullmatch(r"REVOKE (.*) ON (?:SCHEMA |oauth\.)(\w+) FROM oauth_service", lost).groups()

    with pytest.raises(
        (AssertionError, StoreUnavailable, ConfigError), match="permission denied|no schema has been selected"
    ):
        work(roles)
    if right != "USAGE":
        named = f"the role oauth_service lacks {right} on "
        assert [each for each in said_of(roles) if named in each and f".{table}: " in each]


def said_of(roles):
    """What an operator reads after a refused start or from ``check``."""
    try:
        with closing(open_store(roles.url("oauth_service"))) as store:
            return store.warnings()
    except ConfigError as error:
        return [str(error)]


@pytest.fixture
def clients(roles):
    """A store that its owner created, with a client and a resource server, as they are registered today."""
    with closing(open_store(roles.url("oauth_owner"), create=True)) as store:
        admin.add_client(store, "tester", client_id="tester", secret=SECRET)
        admin.add_client(store, "imported", client_id="imported", secret=GIVEN, resource_server=True)


def test_the_middleware_needs_no_more_than_the_page_grants(roles, clients):
    roles.run(USE)

    with closing(open_store(roles.url("oauth_service"), create=True)) as store:
        assert len(list(serve(store, "tester", SECRET))) == 4
        assert not [each for each in store.warnings() if "role" in each]


def test_without_an_issuer_it_needs_no_right_on_signing_keys(roles, clients):
    roles.run(USE)
    roles.run("REVOKE ALL ON oauth.oauth_mw_key_set FROM oauth_service")
    app = CheckedApp(OAuthMiddleware(echo, store=roles.url("oauth_service")))

    app.get("/any", headers=bearer(issue(app)), status=200)


def test_a_service_without_more_rights_can_change_no_client(roles, owner):
    roles.run(USE)

    with closing(open_store(roles.url("oauth_service"))) as store:
        for change in (
            lambda: store.add_client(registered("other")),
            lambda: store.update_client("tester", lambda client: replace(client, name="x")),
            lambda: remove_secret(store, "tester", store.find_client("tester").secrets[0].secret_id),
        ):
            with pytest.raises(StoreUnavailable, match="permission denied for .*: use a role with this right$"):
                change()


@pytest.mark.slow
def test_with_the_rights_for_commands_it_does_all(roles, owner):
    roles.run(USE + ADMINISTER)

    with closing(open_store(roles.url("oauth_service"), create=True)) as store:
        live(store)


@pytest.mark.parametrize("lost", [*each_right(ADMINISTER)])
def test_commands_need_each_right_that_the_page_grants(roles, owner, lost):
    roles.run(USE + ADMINISTER)
    roles.run(lost)

    with closing(open_store(roles.url("oauth_service"))) as store:
        with pytest.raises(StoreUnavailable, match="permission denied"):
            added = admin.add_client(store, "new").client
            admin.update_client(store, "tester", name="other")
            admin.delete_client(store, added.client_id)
