"""``rediss://``, through a forwarder that speaks TLS in place of a server built without it."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
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

    def copy(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                target.sendall(data)
        for side in (source, target):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def forward(client):
        with contextlib.suppress(OSError), context.wrap_socket(client, server_side=True) as secured:
            with socket.create_connection(("127.0.0.1", upstream)) as plain:
                back = threading.Thread(target=copy, args=(plain, secured))
                back.start()
                copy(secured, plain)
                back.join()

    def serve():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=forward, args=(listener.accept()[0],)).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)


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


def test_sentinels_and_the_server_that_they_name_speak_tls_where_the_url_says_so(port, certificate):
    with Sentinel(port, 1, 60_000) as sentinel, behind_tls(sentinel.port, certificate) as secured:
        url = f"redis+sentinel://127.0.0.1:{secured}/{SERVICE}?replicas=0&prefix=tls"
        with contextlib.closing(open_store(f"{url}&ssl=true&ssl_ca_certs={certificate}", create=True)) as store:
            assert store.add_client(registered())
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            open_store(f"{url}&ssl=true", create=True)


REFUSED = {
    "an unknown certificate": ("127.0.0.1", ""),
    "a certificate for another host": ("localhost", "?ssl_ca_certs={certificate}"),
}


@pytest.mark.parametrize("host, query", REFUSED.values(), ids=REFUSED)
def test_who_cannot_prove_who_it_is_is_not_talked_to(port, certificate, host, query):
    with pytest.raises(StoreUnavailable, match="cannot be reached: .*certificate verify failed"):
        open_store(f"rediss://{host}:{port}{query.format(certificate=certificate)}", create=True)


def test_the_name_in_the_certificate_may_be_ignored(port, certificate):
    url = f"rediss://localhost:{port}?ssl_ca_certs={certificate}&ssl_check_hostname=false"

    with contextlib.closing(open_store(url, create=True)) as store:
        assert store.url == url


def test_without_tls_there_is_no_talk_either(port):
    with pytest.raises(StoreUnavailable):
        open_store(f"redis://127.0.0.1:{port}", create=True, timeout=0.3)


@pytest.mark.parametrize("option", ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"])
def test_a_file_that_is_no_certificate_is_refused_at_once(option):
    with pytest.raises(ConfigError, match=option):
        open_store(f"rediss://127.0.0.1:1?{option}={__file__}")
