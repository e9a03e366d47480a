"""``rediss://``, through a relay that speaks TLS for a server that was built without it."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import ssl

import pytest
from click.testing import CliRunner

from helpers.builders import registered
from helpers.certificates import self_signed
from helpers.engines import Redis
from helpers.engines_redis_sentinels import SERVICE, Sentinel
from helpers.relay import Relay
from oauth_mw import open_store
from oauth_mw.cli import main
from oauth_mw.errors import ConfigError, StoreUnavailable


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The path of a certificate for 127.0.0.1 that signed itself, with its key."""
    return self_signed(tmp_path_factory.mktemp("tls") / "both.pem", ipaddress.ip_address("127.0.0.1"))


def behind_tls(upstream, certificate):
    """A relay to the port ``upstream`` that requires TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return Relay(upstream, tls=context)


@pytest.fixture(scope="module")
def port(certificate):
    """The port of a Redis behind TLS."""
    with Redis() as server, behind_tls(server.port, certificate) as relay:
        yield relay.port


def test_a_server_whose_certificate_is_known_is_used(port, certificate):
    url = f"rediss://127.0.0.1:{port}/?ssl_ca_certs={certificate}"

    with contextlib.closing(open_store(url, create=True)) as store:
        assert store.add_client(registered())
        assert store.find_client("tester")


@pytest.mark.slow
def test_tls_is_used_with_sentinels_and_with_the_server_that_they_name(port, certificate):
    with Sentinel(port, 1, 60_000) as sentinel, behind_tls(sentinel.port, certificate) as relay:
        url = f"redis+sentinel://127.0.0.1:{relay.port}/{SERVICE}?replicas=0&prefix=tls"
        with contextlib.closing(open_store(f"{url}&ssl=true&ssl_ca_certs={certificate}", create=True)) as store:
            assert store.add_client(registered())
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            open_store(f"{url}&ssl=true", create=True)


@pytest.mark.parametrize(
    "host, query",
    [("127.0.0.1", ""), ("localhost", "?ssl_ca_certs={certificate}")],
    ids=["an unknown certificate", "a certificate for another host"],
)
def test_a_server_whose_certificate_proves_nothing_is_an_outage(port, certificate, host, query):
    with pytest.raises(StoreUnavailable, match="cannot be reached: .*certificate verify failed"):
        open_store(f"rediss://{host}:{port}{query.format(certificate=certificate)}", create=True)


def test_the_name_in_the_certificate_may_be_ignored(port, certificate):
    url = f"rediss://localhost:{port}?ssl_ca_certs={certificate}&ssl_check_hostname=false"

    with contextlib.closing(open_store(url, create=True)) as store:
        assert store.url == url


def test_no_certificate_is_checked_where_the_url_says_so_and_check_warns(port, tmp_path):
    url = f"rediss://localhost:{port}?ssl_cert_reqs=none&prefix=any"
    (tmp_path / "app.ini").write_text(f"[filter:oauth]\nuse = egg:oauth_mw\nstore = {url}\n")

    warned = []
    for _ in range(2):  # before the store is there, and after
        warned += json.loads(CliRunner().invoke(main, ["check", f"{tmp_path}/app.ini", "--json"]).stdout)["warnings"]
        open_store(url, create=True).close()

    assert len([each for each in warned if each.startswith("store: with ssl_cert_reqs=none")]) == 2


@pytest.mark.parametrize("option", ["ssl_ca_certs", "ssl_certfile"])
def test_a_file_that_is_no_certificate_is_refused_at_once(option):
    with pytest.raises(ConfigError, match=option):
        open_store(f"rediss://127.0.0.1:1?{option}={__file__}")
