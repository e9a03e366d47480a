"""A PostgreSQL store URL is passed to libpq, is checked at the start, and shows no secrets."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import closing

import pytest

from helpers.builders import registered
from helpers.engines_base import free_port
from oauth_mw import ConfigError, open_store

PASSWORD = "gEheim/9"
ESCAPED = "gEheim%2F9"

REFUSED = {
    "no port": ("u@h:port/db", "expected postgresql"),
    "a port that is none": ("u@h:70000/db", "invalid port number"),
    "an at sign in the password": (f"u:{ESCAPED}@{PASSWORD}@h/db", "expected postgresql"),
    "an at sign in a password of the query": (f"h?password={ESCAPED}@x", "expected postgresql"),
    "the same behind a port": (f"h:5432?password={ESCAPED}@x", "expected postgresql"),
    "a password behind a number sign": (f"h/db#password={ESCAPED}", "expected postgresql"),
    "the same behind a host and its port": (f"127.0.0.1:1/db#x@{ESCAPED}", "expected postgresql"),
    "the same behind a port that is no number": (f"h:PORT/db#x@{ESCAPED}", "expected postgresql"),
    "behind an address of IPv6": (f"[::1]/db;x@{ESCAPED}", "expected postgresql"),
    "behind several hosts": (f"127.0.0.1:1,127.0.0.2:1/db;x@{ESCAPED}", "expected postgresql"),
    "behind a port alone": (f"127.0.0.1:1;x@{ESCAPED}", "expected postgresql"),
    "behind a semicolon in the query": (f"127.0.0.1:1/db?host=h;password={ESCAPED}", "expected postgresql"),
    "behind a space in the query": (f"127.0.0.1:1/db?host=h password={ESCAPED}", "expected postgresql"),
    "a rest of a password that looks like an option": (f"h/db?password=x&{ESCAPED}=y", "invalid connection option …"),
    "several hosts and ports that differ": (f"u:{ESCAPED}@/db?host=a:1&host=b:2&host=c:x", "several hosts"),
    "an option that libpq has not": (f"u:{ESCAPED}@h/db?sslmod=require", 'invalid connection option "sslmod"'),
    "a value that libpq does not take": (f"u:{ESCAPED}@h/db?sslmode=maybe", "invalid sslmode value: …"),
    "a value given twice": (f"u:{ESCAPED}@h/db?sslmode=require&sslmode=prefer", "invalid sslmode value"),
    "a number that is none": (f"u:{ESCAPED}@h/db?connect_timeout=soon", "connect_timeout must be a whole number"),
    "a service that is not defined": (f"u:{ESCAPED}@/db?service=nowhere", "service … not found"),
    "standbys": ("u@h/db?target_session_attrs=prefer-standby", "must be primary or read-write"),
    "whatever server": (f"u:{ESCAPED}@h/db?target_session_attrs=any", "must be primary or read-write"),
    "a NUL": (f"u:{ESCAPED}@h/db\0", "expected postgresql"),
    "an escaped NUL": (f"u:{ESCAPED}@h/db?user=a%00b", "expected postgresql"),
    "a lone surrogate": (f"u:{ESCAPED}@h/db?user=\udc80", "expected postgresql"),
    "another driver": ("", "expected"),
}


@pytest.mark.parametrize(("rest", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_url_is_refused_at_the_start_without_its_password(rest, reason):
    with pytest.raises(ConfigError, match=reason) as refused:
        open_store(f"postgresql+psycopg2://{rest}" if not rest else f"postgresql+psycopg://{rest}")

    assert refused.value.option == "store"
    assert PASSWORD not in str(refused.value) and ESCAPED not in str(refused.value)


def test_neither_a_store_nor_its_connections_show_the_password(postgres_url):
    user = "://tests"
    if user not in postgres_url:
        pytest.skip("the server of the environment has a password of its own")
    url = (
        postgres_url.replace(user, f"{user}:{ESCAPED}") + f"&sslpassword={ESCAPED}"
    )  # which a server that trusts ignores

    with closing(open_store(url, create=True)) as store, store.engine.reading() as link:
        shown = [repr(store), *map(repr, vars(store.engine).values()), repr(link), repr(link.core), repr(link.driver)]

    assert store.url.startswith("postgresql+psycopg://tests:***@")
    assert not [text for text in [*shown, store.url] if PASSWORD in text or ESCAPED in text]


@pytest.mark.parametrize(("given", "name"), [("mine", "mine"), ("", "oauth_mw")])
def test_what_libpq_takes_reaches_the_server(postgres_url, given, name):
    url = re.sub("application_name=[^&]*", f"application_name={given}", postgres_url) + "%20-cwork_mem%3D12345kB"
    with closing(open_store(url, create=True)) as store, store.engine.reading() as link:
        found = link.driver.execute("SELECT current_setting('work_mem'), current_setting('application_name')")

        assert found.fetchone() == ("12345kB", name)


def test_what_the_store_relies_on_cannot_be_turned_off(postgres_url):
    wrong = {
        "client_min_messages": "error",
        "default_transaction_isolation": "serializable",
        "client_encoding": "latin1",
    }
    options = "".join(f"%20-c{name}%3D{value}" for name, value in wrong.items())
    with closing(open_store(postgres_url + options, create=True)) as store, store.engine.reading() as link:
        found = [link.driver.execute(f"SHOW {name}").fetchone() for name in wrong]

    assert found == [("warning",), ("read committed",), ("UTF8",)]


def test_of_several_hosts_one_that_answers_is_enough(postgres_url):
    url = re.sub("@(.*)/(.*)[?]", rf"@/\2?host=127.0.0.1:{free_port()}&host=\1&", postgres_url)

    with closing(open_store(url, create=True)) as store:
        assert store.add_client(registered())


UNFIT = """
import psycopg, sys
from oauth_mw import ConfigError, open_store
def start(module):
    sys.modules["psycopg"] = module
    try:
        open_store("postgresql+psycopg://h/d")
    except ConfigError as error:
        print(error)
start(None)
psycopg.__version__ = "3.3.5"
start(psycopg)
"""


@pytest.mark.slow
def test_without_the_driver_or_with_an_old_one_the_extra_is_named():
    done = subprocess.run([sys.executable, "-c", UNFIT], capture_output=True, text=True)

    lines = done.stdout.splitlines()
    assert ["pip install 'oauth_mw[postgres]'" in line for line in lines] == [True, True], done.stderr
