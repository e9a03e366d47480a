"""``rediss://``, through a forwarder that speaks TLS in place of a server built without it."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import socketserver
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from helpers.builders import registered
from helpers.engines import Redis
from helpers.engines_redis_sentinels import SERVICE, Sentinel
from oauth_mw import open_store
from oauth_mw.errors import ConfigError, StoreUnavailable


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The path of a certificate for 127.0.0.1 that signed itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    plain = serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextlib.contextmanager
def behind_tls(upstream, certificate):
    """A port where TLS is spoken, before another where it is not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError), context.wrap_socket(self.request, server_side=True) as secured:
                with socket.create_connection(("127.0.0.1", upstream)) as plain:
                    back = threading.Thread(target=copy, args=(plain, secured))
                    back.start()
                    copy(secured, plain)
                    back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        yield server.server_address[1]
        server.shutdown()


def copy(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(4096):
            target.sendall(data)
    for side in (source, target):
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def port(certificate):
    """The port of a Redis behind TLS."""
    with Redis() as server, behind_tls(server.port, certificate) as port:
        yield port


def test_a_server_whose_certificate_is_known_is_used(port, certificate):
    url = f"rediss://127.0.0.1:{port}/?ssl_ca_certs={certificate}"

    with contextlib.closing(open_store(url, create=True)) as store:
        assert store.add_client(registered())
        assert store.find_client("tester")


@pytest.mark.slow
def test_tls_is_used_with_sentinels_and_with_the_server_that_they_name(port, certificate):
    with Sentinel(port, 1, 60_000) as sentinel, behind_tls(sentinel.port, certificate) as secured:
        url = f"redis+sentinel://127.0.0.1:{secured}/{SERVICE}?replicas=0&prefix=tls"
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


@pytest.mark.parametrize("option", ["ssl_ca_certs", "ssl_certfile"])
def test_a_file_that_is_no_certificate_is_refused_at_once(option):
    with pytest.raises(ConfigError, match=option):
        open_store(f"rediss://127.0.0.1:1?{option}={__file__}")
