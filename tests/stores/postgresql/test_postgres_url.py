"""What stands in a PostgreSQL store URL: it goes through to libpq, is judged at the start, and keeps its secrets."""

from __future__ import annotations

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


@pytest.fixture
def with_password(postgres_url):
    """The server trusts everybody, and a password does no harm."""
    before, user, after = postgres_url.partition("://tests")
    if not user:
        pytest.skip("the server of the environment has a password of its own")
    return f"{before}://tests:{ESCAPED}{after}&sslpassword={ESCAPED}"


def test_the_password_is_nowhere_to_be_seen(with_password, caplog):
    caplog.set_level("DEBUG")

    with closing(open_store(with_password, create=True)) as store:
        store.add_client(registered())
        shown = [repr(store), store.url, *map(repr, vars(store).values()), *map(repr, vars(store._engine).values())]
        with store._engine.reading() as link:
            shown += [repr(link), repr(link.core), repr(link.driver)]

    assert store.url.startswith("postgresql+psycopg://tests:***@")
    assert not [text for text in [*shown, caplog.text] if PASSWORD in text or ESCAPED in text]


def test_a_refused_connection_shows_no_password(caplog):
    caplog.set_level("DEBUG")
    reasons = []

    open_store(
        f"postgresql+psycopg://u:{ESCAPED}@127.0.0.1:{free_port()}/db",
        unavailable=lambda error: reasons.append(error.reason),
    )

    assert "127.0.0.1" in reasons[0]
    assert not [text for text in [*reasons, caplog.text] if PASSWORD in text or ESCAPED in text]


def test_what_libpq_takes_reaches_the_server(postgres_url):
    with closing(open_store(f"{postgres_url}%20-cwork_mem%3D12345kB&application_name=mine", create=True)) as store:
        with store._engine.reading() as link:
            found = link.driver.execute("SELECT current_setting('work_mem'), current_setting('application_name')")

            assert found.fetchone() == ("12345kB", "mine")


TURNED = {
    "client_min_messages": ("error", "warning"),
    "default_transaction_isolation": ("serializable", "read committed"),
    "client_encoding": ("latin1", "UTF8"),
}


@pytest.mark.parametrize("name", TURNED)
def test_what_the_store_relies_on_cannot_be_turned_off(postgres_url, name):
    there, here = TURNED[name]
    with closing(open_store(f"{postgres_url}%20-c{name}%3D{there.replace(' ', '%20')}", create=True)) as store:
        with store._engine.reading() as link:
            assert link.driver.execute(f"SHOW {name}").fetchone() == (here,)


def test_of_several_hosts_one_that_answers_is_enough(postgres_url):
    before, _, query = postgres_url.partition("?")
    scheme, _, rest = before.partition("://")
    user, _, place = rest.partition("@")
    host, _, database = place.partition("/")
    url = f"{scheme}://{user}@/{database}?host=127.0.0.1:{free_port()}&host={host}&{query}"

    with closing(open_store(url, create=True)) as store:
        assert store.add_client(registered())


UNFIT = {
    "missing": "import sys; sys.modules['psycopg'] = None",
    "too old": "import psycopg; psycopg.__version__ = '3.3.5'",
}


@pytest.mark.parametrize("before", UNFIT.values(), ids=UNFIT)
def test_without_the_driver_the_extra_is_named(before):
    code = f"{before}; import oauth_mw; oauth_mw.open_store('postgresql+psycopg://h/d')"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    said = done.stderr.splitlines()[-1]
    assert said.startswith("oauth_mw.errors.ConfigError: store: ") and "pip install 'oauth_mw[postgres]'" in said
