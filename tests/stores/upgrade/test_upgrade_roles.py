"""Roles of PostgreSQL have the same rights to an upgraded store as they had before."""

from __future__ import annotations

from contextlib import closing

import pytest

from helpers.builders import NOW, issued, registered
from helpers.postgres_raw import Raw
from helpers.store_urls import own_postgres_places, why_no_wheel
from helpers.support import HandClock
from helpers.upgrading import fill
from oauth_mw import StoreUnavailable, admin, open_store
from oauth_mw.stores import upgrade_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_no_wheel("postgresql")), reason=why_no_wheel("postgresql")),
]

MAKE = """CREATE ROLE oauth_owner LOGIN; CREATE ROLE oauth_service LOGIN; CREATE ROLE oauth_admin LOGIN;
ALTER SCHEMA {schema} OWNER TO oauth_owner; GRANT USAGE ON SCHEMA {schema} TO oauth_service, oauth_admin"""
USE = """GRANT SELECT, UPDATE ON oauth_mw_store TO oauth_service, oauth_admin;
GRANT SELECT, UPDATE (ended) ON oauth_mw_client TO oauth_service, oauth_admin;
GRANT SELECT ON oauth_mw_secret TO oauth_service, oauth_admin;
GRANT SELECT, INSERT ON oauth_mw_mark TO oauth_service, oauth_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_mw_token, oauth_mw_log TO oauth_service, oauth_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_mw_signing_key TO oauth_service"""
ADMINISTER = """GRANT INSERT, UPDATE ON oauth_mw_client TO oauth_admin;
GRANT INSERT, DELETE ON oauth_mw_secret TO oauth_admin;
GRANT USAGE ON SEQUENCE oauth_mw_client_number_seq TO oauth_admin"""


@pytest.fixture(scope="module")
def postgres():
    with own_postgres_places() as places:
        yield places


@pytest.fixture
def url_of(postgres_url):
    """The URL of a store of schema 2 for each role."""

    def url(role):
        return postgres_url.replace("//tests@", f"//{role}@")

    with Raw(postgres_url) as raw:
        raw(MAKE.format(schema=raw("SELECT current_schema()")[0]))
        fill(url("oauth_owner"))
        raw(USE), raw(ADMINISTER)
        yield url
        for role in ("oauth_owner", "oauth_service", "oauth_admin"):
            raw(f"DROP OWNED BY {role} CASCADE")
            raw(f"DROP ROLE {role}")
        raw("CREATE SCHEMA IF NOT EXISTS " + raw("SHOW search_path")[0])


@pytest.mark.parametrize("role", ["oauth_owner", "tests"])
def test_every_role_has_its_former_rights_and_new_tables_belong_to_the_owner(url_of, postgres_url, role):
    upgrade_store(url_of(role))

    with closing(open_store(url_of("oauth_service"), create=True, clock=HandClock())) as store:
        assert not [each for each in store.warnings() if "lacks" in each]
        assert store.revoke_token(issued(store, "plain"))
        with pytest.raises(StoreUnavailable, match="permission denied"):
            store.add_client(registered())
    with closing(open_store(url_of("oauth_admin"))) as store:
        assert store.add_client(registered())
        admin.disable_client(store, "tester")
    with Raw(postgres_url) as raw:
        owners = raw("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = current_schema()")
        assert owners == ["oauth_owner"]


def test_another_role_changes_nothing(url_of):
    with pytest.raises(StoreUnavailable, match="permission denied|must be owner"):
        upgrade_store(url_of("oauth_service"))

    upgrade_store(url_of("oauth_owner"))
    with closing(open_store(url_of("oauth_service"), clock=lambda: NOW)) as store:
        assert store.find_client("plain")
