"""Weak secrets behind what may be a proxy are warned of with the first request, before any guess."""

from __future__ import annotations

import threading

import pytest

from helpers.support import CC, SECRET, TESTER, basic, one_store
from oauth_mw import StoreUnavailable, admin, weak_secrets

pytestmark = one_store

PRIVATE = "10.0.0.1"
WARNING = (
    "weak has a weak secret, and requests come from 10.0.0.1: if a proxy has that address, set trusted_proxies, or"
    " wrong secrets of others there stop this client"
)


@pytest.fixture
def weak(store, client):
    admin.add_client(store, "imported", client_id="weak", secret="hunter2", allow_weak_secret=True)


@pytest.fixture
def warned(caplog):
    """What was logged once the thread has ended, after a request from an address."""

    def warned(app, address, headers=TESTER):
        app.post("/oauth/token", CC, headers=headers, extra_environ={"REMOTE_ADDR": address}, status="*")
        for thread in threading.enumerate():
            if thread.name == "oauth_mw looks for weak secrets":
                thread.join(10)
        return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]

    return warned


PRIVATE_TOO = ["127.0.0.1", "::1", "fd00::1", "100.64.0.1", "169.254.1.1", ""]


@pytest.mark.parametrize("address", PRIVATE_TOO)
def test_every_address_that_a_proxy_may_have_counts(app, weak, warned, address):
    assert warned(app, address) == [WARNING.replace(PRIVATE, address or "-")]


def test_where_no_thread_can_run_a_client_that_uses_a_weak_secret_is_warned_of(app, weak, warned, monkeypatch):
    monkeypatch.setattr(weak_secrets, "can_run", lambda: False)

    assert (warned(app, PRIVATE), warned(app, PRIVATE, basic("weak", "hunter2"))) == ([], [WARNING])


@pytest.mark.parametrize("headers", [TESTER, basic("invented", SECRET), basic("weak", "hunter2")])
def test_any_first_request_from_what_may_be_a_proxy_shows_a_weak_secret_once(app, weak, warned, headers):
    assert warned(app, PRIVATE, headers) == [WARNING]
    assert warned(app, "10.9.9.9", headers) == [WARNING]


def test_it_is_found_among_many_clients(app, store, warned, monkeypatch):
    monkeypatch.setattr(weak_secrets, "PAUSE_SECONDS", 0.0)
    for number in range(250):
        admin.add_client(store, "one of many", client_id=f"job{number}")
    admin.add_client(store, "imported", client_id="weak", secret="hunter2", allow_weak_secret=True)

    assert warned(app, PRIVATE) == [WARNING]


def test_a_public_address_is_no_sign_of_a_proxy_until_a_private_one_comes(app, weak, warned):
    assert (warned(app, "8.8.8.8"), warned(app, PRIVATE)) == ([], [WARNING])


def test_clients_with_strong_secrets_are_not_warned_of(app, warned):
    assert warned(app, PRIVATE) == []


@pytest.mark.parametrize("options", [{"trusted_proxies": "10.0.0.0/8"}, {"throttle": "off"}], ids=["proxies", "off"])
def test_nothing_is_warned_of_where_no_client_can_be_stopped(wrap, weak, warned, options):
    assert warned(wrap(**options), PRIVATE) == []


def test_a_store_that_does_not_answer_at_first_is_looked_at_again_with_a_later_request(
    wrap, store, weak, warned, monkeypatch
):
    monkeypatch.setattr(weak_secrets, "RETRY_SECONDS", 0.01)
    outage, clients = iter([StoreUnavailable("away")] * 2), store.clients

    def page(after):
        if error := next(outage, None):
            raise error
        return clients(after)

    monkeypatch.setattr(store, "clients", page)

    app = wrap()
    assert [warned(app, PRIVATE) for _ in range(3)] == [[], [], [WARNING]]
