"""``oauth-mw doctor`` on uWSGI and gunicorn, alone and behind proxies that speak their protocols, with each cure."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from fronts import apache, gunicorn, nginx, off_by, uwsgi

from helpers.certificates import self_signed
from helpers.engines_base import free_port

# test_servers_doctor.py tries one uWSGI and one gunicorn in each run.
pytestmark = pytest.mark.long
CLIENT = ("--client", "alpha")
CHUNKED = {"chunked": ("certain", "chunked")}  # of each uWSGI that clients reach themselves
TAKEN = {"Authorization": ("likely", "authorization"), "token path": ("certain", "authorization")}
MOVED = {"token path": ("certain", "redirected"), "redirects": ("certain", "redirected")}
STORED = ["--cache2=name=all,items=9", *(f"--route=^/reports {do}:key=all,name=all" for do in ("cache", "cachestore"))]
# By what is wrong: words of the command, options of the app, and what is found.
BY_UWSGI = {
    "a password": (["--route=.* basicauth:staging,tester:password"], {}, TAKEN),
    "a redirect": (["--route=^/oauth/token$ redirect:/oauth/token/"], {}, MOVED),
    "a cache": (STORED, {}, CHUNKED | {"stored answers": ("certain", "cached")}),
    "memory:// in two processes": ([], {"store": "memory://"}, CHUNKED | {"store": ("likely", "store")}),
}


@pytest.mark.servers
@pytest.mark.parametrize(("words", "options", "expected"), BY_UWSGI.values(), ids=BY_UWSGI)
def test_a_fault_of_uwsgi_is_found(faults, words, options, expected):
    with uwsgi(*words, **options) as url:
        assert faults(url, *CLIENT) == expected


@pytest.mark.servers
@pytest.mark.parametrize(
    ("words", "expected"), [([], {"token path": ("certain", "token path")}), (["--manage-script-name"], CHUNKED)]
)
def test_a_mount_of_uwsgi_that_does_not_move_the_paths_is_found(faults, words, expected):
    with uwsgi(*words, mount="/api") as url:
        assert faults(f"{url}/api") == expected


@pytest.fixture(scope="module")
def ports():
    """Those of a uWSGI, by the protocol that it speaks there."""
    ports = {"uwsgi": free_port(), "fastcgi": free_port()}
    with uwsgi(*(f"--{protocol}-socket=127.0.0.1:{port}" for protocol, port in ports.items())) as url:
        yield ports | {"http": url.rpartition(":")[2]}


PASSED = """location / { %(protocol)s_pass 127.0.0.1:%(port)s; %(lines)s
    %(protocol)s_param REQUEST_METHOD $request_method; %(protocol)s_param QUERY_STRING $query_string;
    %(protocol)s_param CONTENT_TYPE $content_type; %(protocol)s_param CONTENT_LENGTH $content_length;
    %(protocol)s_param PATH_INFO $document_uri; %(protocol)s_param SERVER_PROTOCOL $server_protocol;
    %(protocol)s_param SERVER_NAME $server_name; %(protocol)s_param SERVER_PORT $server_port; }"""
BY_PARAMS = {
    "nothing": ("", CHUNKED),
    "Authorization": ('PARAM HTTP_AUTHORIZATION "";', CHUNKED | {"Authorization": ("certain", "authorization")}),
    "the cure": ('PARAM HTTP_TRANSFER_ENCODING "";', {}),
}


@pytest.mark.servers
@pytest.mark.parametrize("protocol", ["uwsgi", "fastcgi"])
@pytest.mark.parametrize(("lines", "expected"), BY_PARAMS.values(), ids=BY_PARAMS)
def test_faults_of_the_parameters_of_nginx_are_found_and_cured(faults, ports, protocol, lines, expected):
    lines = lines.replace("PARAM", f"{protocol}_param")
    with nginx(PASSED % {"protocol": protocol, "port": ports[protocol], "lines": lines}) as url:
        assert faults(url) == expected


PATHS = 'ProxyFCGISetEnvIf true PATH_INFO "%{reqenv:SCRIPT_NAME}"\nProxyFCGISetEnvIf true SCRIPT_NAME ""'
PASSES = "<Location />\nCGIPassAuth On\n</Location>"
LENGTH = "RequestHeader unset Transfer-Encoding"
DROPPED = {"Authorization": ("certain", "authorization")}
BY_PROTOCOL = {
    "uwsgi": ("uwsgi", "", CHUNKED),
    "the cure of uwsgi": ("http", "", {}),
    "fcgi": ("fastcgi", PATHS, CHUNKED | DROPPED),
    "the cure of fcgi": ("fastcgi", f"{PATHS}\n{PASSES}\n{LENGTH}", {}),
}


@pytest.mark.servers
@pytest.mark.parametrize(("protocol", "lines", "expected"), BY_PROTOCOL.values(), ids=BY_PROTOCOL)
def test_a_fault_of_apache_before_uwsgi_is_found_and_cured(faults, ports, protocol, lines, expected):
    scheme = protocol.replace("fastcgi", "fcgi")
    with apache(f"{lines}\nProxyPass / {scheme}://127.0.0.1:{ports[protocol]}/") as url:
        assert faults(url) == expected


# gunicorn


@pytest.mark.servers
def test_gunicorn_over_https_has_no_fault(faults, tmp_path):
    pem = self_signed(tmp_path / "both.pem", IPv4Address("127.0.0.1"))
    with gunicorn(f"--certfile={pem}", f"--keyfile={pem}") as url:
        assert faults(url.replace("http:", "https:"), *CLIENT, "--ca-file", str(pem)) == {}


@pytest.mark.servers
def test_memory_that_workers_of_gunicorn_do_not_share_is_found(faults):
    with gunicorn(store="memory://") as url:
        assert faults(url) == {"store": ("likely", "store")}


@pytest.mark.servers
def test_a_gunicorn_whose_clock_is_off_is_found(faults):
    with gunicorn(clock=off_by(-90)) as url:
        assert faults(url, *CLIENT) == {"clock": ("likely", "clock"), "workers' clocks": ("likely", "clock")}


@pytest.mark.servers
@pytest.mark.parametrize(
    ("script_name", "expected"), [("", {"token path": ("certain", "token path")}), ("/api", {})], ids=["bad", "cured"]
)
def test_a_prefix_that_gunicorn_does_not_know_is_found(faults, script_name, expected):
    with gunicorn(script_name=script_name) as app, nginx(f"location /api/ {{ proxy_pass {app}; }}") as url:
        assert faults(f"{url}/api") == expected
