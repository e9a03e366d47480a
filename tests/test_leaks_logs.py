"""No log shows a secret with every logger of every library at DEBUG: in the life of a store, its faults and outages."""

from __future__ import annotations

import logging
import pkgutil
import sqlite3
import traceback
from contextlib import closing
from importlib import import_module

import pytest
from click.testing import CliRunner

import oauth_mw
from helpers.builders import STORE_SUITE, multi_process
from helpers.engines_base import free_port
from helpers.life import GIVEN, PEM_PASSWORD, STORE_KEY, become_copy, live, spellings
from helpers.postgres_raw import Raw
from helpers.redis_raw import Raw as RedisRaw
from helpers.relay import Relay
from helpers.support import basic, bearer, echo, issue
from helpers.wsgi_client import CheckedApp
from oauth_mw import ConfigError, OAuthMiddleware, StoreUnavailable, admin, open_store
from oauth_mw.errors import AdminError
from oauth_mw.keys import keypair

pytestmark = pytest.mark.usefixtures("few_rounds")

PASSWORD = "st0re-passw0rd/9uD8h"
ESCAPED = PASSWORD.replace("/", "%2F")


try:
    RUNNER = CliRunner(mix_stderr=False)  # click 8.1
except TypeError:
    RUNNER = CliRunner()

distant = pytest.mark.parametrize("store_kind", ["postgresql", "redis"])  # a password may stand in their URLs


class Heard(logging.Handler):
    """All that was said, in any way."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.said = []
        self.names = set()

    def emit(self, record):
        self.names.add(record.name)
        self.said += [record.getMessage(), repr(vars(record))]
        if record.exc_info:
            self.raised(record.exc_info[1])

    def raised(self, error):
        """With all that it came from, whether or not a traceback would show it."""
        while error is not None:
            self.said += [str(error), repr(error), *traceback.format_exception(error)]
            error = error.__cause__ or error.__context__

    def fails(self, call):
        """It is to fail; how, is heard."""
        with pytest.raises((AdminError, ConfigError, StoreUnavailable)) as failure:
            call()
        self.raised(failure.value)

    def of(self, *texts, forms=()):
        """Which of the texts were heard, or of other ``forms`` of them."""
        secrets = [*forms, *(form for each in texts for form in spellings(each.encode()))]
        text = "\n".join(self.said).encode("utf-8", "backslashreplace")
        return [secret for secret in (*secrets, PASSWORD.encode(), ESCAPED.encode()) if secret in text]


@pytest.fixture(scope="module")
def everything():
    """All that the product ever imports is there, so that its loggers are."""
    for module in pkgutil.walk_packages(oauth_mw.__path__, "oauth_mw."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    return logging.getLogger().manager.loggerDict


@pytest.fixture
def heard(everything, capfd):
    heard = Heard()
    root = logging.getLogger()
    loggers = [root, *(each for each in everything.values() if isinstance(each, logging.Logger))]
    before = [(each, each.level, each.propagate, each.disabled) for each in loggers]
    for each in loggers:
        each.setLevel(logging.DEBUG)
        each.propagate, each.disabled = True, False
    root.addHandler(heard)
    yield heard
    root.removeHandler(heard)
    for each, level, propagate, disabled in before:
        each.setLevel(level)
        each.propagate, each.disabled = propagate, disabled
    assert tuple(capfd.readouterr()) == ("", "")


USERS = {"postgresql": ("://tests@", f"://tests:{ESCAPED}@"), "redis": ("://", f"://default:{ESCAPED}@")}


@pytest.fixture
def secret_url(store_url, store_kind):
    """The store's URL with a password, where there can be one; the servers do not ask for it."""
    return store_url.replace(*USERS[store_kind], 1) if store_kind in USERS else store_url


@pytest.mark.parametrize(
    "store_kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind != "sqlite")) for kind in STORE_SUITE]
)
def test_the_whole_life_of_a_store_is_logged_without_a_secret(heard, secret_url, store_kind):
    with closing(open_store(secret_url, create=True)) as store:
        secrets = [*(become_copy(store) if store.copyable() else ()), *live(store)]

    # A store that can be copied was copied into one on SQLite.
    assert ("sqlalchemy.engine.Engine.oauth_mw" in heard.names) == (store_kind != "memory")
    assert len(secrets) > 200 and len(heard.said) > 20
    assert heard.of(forms=secrets) == []


# Faults


TROUBLE = (
    "UPDATE oauth_mw_key_set SET record = substr(record, 2)",
    "UPDATE oauth_mw_clients SET record = substr(record, 2)",
    "ALTER TABLE oauth_mw_clients RENAME COLUMN verifiers TO other",
    "DROP TABLE oauth_mw_tokens",
)


def break_sqlite(url):
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as raw:
        for trouble in TROUBLE:
            raw.execute(trouble)


def break_postgresql(url):
    with Raw(url) as raw:
        for trouble in TROUBLE:
            raw(trouble)


def break_redis(url):
    with closing(RedisRaw(url)) as raw:
        for key in raw.keys():
            if not key.endswith(":store"):
                raw.client.delete(key)
                raw.client.set(key, "something else")
        raw.client.hset(raw.key("store"), "keys", "something else")


BREAK = {"sqlite": break_sqlite, "postgresql": break_postgresql, "redis": break_redis}


@multi_process
def test_faults_of_a_store_are_reported_without_a_secret(heard, secret_url, store_kind):
    pem = keypair.make("ES256").pem()
    with closing(open_store(secret_url, create=True)) as store:
        _, secret = admin.add_client(store, "tester", client_id="tester")
        record = admin.import_key(store, pem, secret=STORE_KEY)
        stored = [each.private for each in store.read_keys().keys]
        app = CheckedApp(OAuthMiddleware(echo, store=store))
        token = issue(app, "tester", secret)
        heard.fails(lambda: admin.add_client(store, "twice", client_id="tester", secret=GIVEN))
        heard.fails(lambda: admin.import_key(store, pem, secret=STORE_KEY))
        heard.fails(lambda: admin.import_key(store, pem[:-60], password=PEM_PASSWORD, secret=STORE_KEY))
        heard.fails(lambda: admin.private_key(store, record.kid, password=PEM_PASSWORD, secret="an" + STORE_KEY))
        BREAK[store_kind](secret_url)
        heard.fails(lambda: admin.add_secret(store, "tester", secret=GIVEN))
        heard.fails(lambda: admin.inspect_token(store, admin.token_key(token)))
        heard.fails(lambda: admin.public_keys(store))
        app.post("/oauth/token", {"grant_type": "client_credentials"}, headers=basic("tester", secret), status=503)
        app.post("/oauth/revoke", {"token": token}, headers=basic("tester", secret), status=503)
        fresh = CheckedApp(OAuthMiddleware(echo, store=store))
        fresh.get("/any", headers=bearer(token), status=503)

    assert heard.of(secret, token, GIVEN, pem, STORE_KEY, PEM_PASSWORD, *stored) == []


@distant
def test_outages_are_reported_without_a_secret(heard, secret_url, store_kind):
    place, _, rest = secret_url.partition("@127.0.0.1:")
    port = int(rest.partition("/")[0])
    with Relay(port) as relay:
        url = f"{place}@127.0.0.1:{relay.port}/{rest.partition('/')[2]}"
        with closing(open_store(url, create=True, timeout=1)) as store:
            secret = admin.add_client(store, "tester", client_id="tester").secret
            app = CheckedApp(OAuthMiddleware(echo, store=store))
            token = issue(app, "tester", secret)
            relay.server = free_port()
            relay.cut()
            heard.fails(lambda: admin.add_secret(store, "tester", secret=GIVEN))
            heard.fails(lambda: admin.rotate_key(store, secret=STORE_KEY))
            app.post("/oauth/token", {"grant_type": "client_credentials"}, headers=basic("tester", secret), status=503)
            CheckedApp(OAuthMiddleware(echo, store=store)).get("/any", headers=bearer(token), status=503)
        heard.fails(lambda: open_store(url, timeout=1))
        CheckedApp(OAuthMiddleware(echo, store=url, store_timeout_seconds=1)).get(
            "/any", headers=bearer(token), status=503
        )

    assert heard.of(secret, token, GIVEN, STORE_KEY) == []


# The command line


@pytest.mark.parametrize("store_kind", ["redis"])
def test_no_command_says_a_secret_on_standard_error_or_in_a_log(heard, secret_url, store_kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OAUTH_MW_KEY_ENCRYPTION_SECRET", STORE_KEY)
    monkeypatch.setenv("OAUTH_MW_STORE", secret_url)
    monkeypatch.setenv("OAUTH_MW_AUDIT_LOG", "audit.jsonl")
    pem = keypair.make("ES256").pem(PEM_PASSWORD)
    option = secret_url.replace("%", "%%")
    ini = f"[filter:oauth]\nuse = egg:oauth_mw\nissuer = https://a.example\nkey_encryption_secret = {STORE_KEY}\n"
    for name, text in {
        "secret": GIVEN,
        "key.pem": pem,
        "password": PEM_PASSWORD,
        "app.ini": f"{ini}store = {option}\n",
        "wrong.ini": f"{ini}store = {option}?nonsense=1&passwort={ESCAPED}\n",
    }.items():
        (tmp_path / name).write_text(text)

    def run(words, exit_code=0, **options):
        done = RUNNER.invoke(oauth_mw.cli.main, words.split(), **options)
        assert done.exit_code == exit_code, done.output
        heard.said += [done.stderr, "" if "--json" in words else done.stdout]
        return done.stdout

    run("client add tester --id tester --secret-file secret")
    run("client add tester --id tester --secret-file secret", 1)
    made = run("client add other --json")
    run("client list")
    run("client show tester --json")
    run("key import key.pem --password-file password")
    run("key import key.pem --password-file secret", 1)
    kid = run("key list --json").split('"kid": "')[1].partition('"')[0]
    run(f"key export {kid} --private -o out.pem --password-file password")
    run("key rotate")
    run("key rotate", 1)
    run("check app.ini")
    run("check wrong.ini", 2)
    run("token inspect", 3, input=GIVEN * 2)
    run(f"token revoke {GIVEN}", 2)
    run("store copy sqlite:///other.db sqlite:///new.db", 2)
    run("store info")

    heard.said.append((tmp_path / "audit.jsonl").read_text())
    secret = made.split('"client_secret": "')[1].partition('"')[0]
    assert len(secret) > 20 and heard.said[-1].count("\n") > 6
    assert heard.of(GIVEN, pem, PEM_PASSWORD, STORE_KEY, secret, (tmp_path / "out.pem").read_text()) == []
