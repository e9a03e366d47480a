"""A backup by PostgreSQL's own programs, as the page about it says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from helpers.engines_postgres import Postgres
from helpers.store_urls import why_no_wheel
from helpers.support import SECRET, bearer, echo, issue
from helpers.wsgi_client import CheckedApp
from oauth_mw import OAuthMiddleware, admin, open_store

pytestmark = pytest.mark.slow

SCHEMA = "CREATE ROLE owner LOGIN; CREATE SCHEMA oauth AUTHORIZATION owner; ALTER ROLE owner SET search_path TO oauth"


@pytest.fixture
def engine() -> Iterator[Postgres]:
    if reason := why_no_wheel("postgresql"):
        pytest.skip(reason)
    with Postgres() as engine:
        yield engine


def test_a_copy_of_the_schema_is_put_back_with_its_clients_tokens_and_owner(engine):
    url, copy = engine.url.replace("tests@", "owner@"), engine.folder / "oauth.dump"
    where = "--host=127.0.0.1", f"--port={engine.port}", "--username=tests"
    with closing(psycopg.connect(engine.url.replace("+psycopg", "", 1), autocommit=True)) as superuser:
        superuser.execute(SCHEMA)
        with closing(open_store(url, create=True)) as store:
            admin.add_client(store, "tester", client_id="tester", secret=SECRET)
            token = issue(CheckedApp(OAuthMiddleware(echo, store=store)))
        engine.run("pg_dump", *where, "--schema=oauth", "--format=custom", f"--file={copy}", "postgres")
        superuser.execute("DROP SCHEMA oauth CASCADE")
        engine.run("pg_restore", *where, "--dbname=postgres", copy)

    with closing(open_store(url)) as store:
        app = CheckedApp(OAuthMiddleware(echo, store=store))
        app.get("/any", headers=bearer(token), status=200)
        app.get("/any", headers=bearer(issue(app)), status=200)
