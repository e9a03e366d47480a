"""``oauth-mw doctor`` on real servers: what each of them does by default, and faults in their own configuration."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from ipaddress import IPv4Address

import pytest
from fronts import apache, nginx, off_by, process_at, uwsgi
from hosting import HERE, prepare_store, running

from helpers.certificates import self_signed
from helpers.engines_base import free_port

CLIENT = ("--client", "alpha")


@pytest.mark.parametrize("server", ["gunicorn-preload", "waitress"], indirect=True, scope="session")
def test_a_server_that_reads_chunks_has_no_fault(server, faults):
    assert faults(server.url, *CLIENT) == {}


@pytest.mark.slow
def test_chunked_requests_that_uwsgi_cannot_pass_on_are_found(faults):
    with uwsgi() as url:
        found = faults(url, *CLIENT)

    assert (found.pop("chunked"), found) == (("certain", "chunked"), {})


BYPASSED = """
import django.conf
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path

django.conf.settings.configure(
    SECRET_KEY="x",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    OAUTH_MW={"store": "memory://"},
)
urlpatterns = [path("reports", lambda request: HttpResponse("open"))]
app = get_asgi_application()
"""


@pytest.mark.slow
@pytest.mark.parametrize("module", ["daphne", "hypercorn"])
def test_an_asgi_server_that_bypasses_the_middleware_is_found(tmp_path, faults, module):
    (tmp_path / "bypassed.py").write_text(BYPASSED)

    port = free_port()
    where = ["-b", "127.0.0.1", "-p", str(port)] if module == "daphne" else ["-b", f"127.0.0.1:{port}"]
    with process_at([sys.executable, "-m", module, *where, "bypassed:app"], tmp_path, port) as url:
        assert faults(url)["middleware"] == ("likely", "bypassed")


# nginx

PASS = "location / { proxy_pass %s; proxy_set_header Host $http_host; %s }"
CACHE = "proxy_cache_path cache keys_zone=all:1m;"
CACHED = (
    "proxy_cache all; proxy_cache_methods GET POST; proxy_cache_valid any 1m; proxy_cache_key $uri;"
    " proxy_ignore_headers Cache-Control Vary;"
)
LOGIN = """
location = /session { internal; return 401; }
location @login { return 302 https://sso.example.com/login; }
"""
# By what is wrong: lines within the location, lines beside it, and what is found.
BY_NGINX = {
    "nothing": ("", "", {}),
    "Authorization": ('proxy_set_header Authorization "";', "", {"Authorization": ("certain", "authorization")}),
    "no token path": ("", "location /oauth { return 404; }", {"token path": ("certain", "token path")}),
    "a slash": (
        "",
        "location = /oauth/token { return 301 /oauth/token/; }",
        {"token path": ("certain", "redirected"), "redirects": ("certain", "redirected")},
    ),
    "a login": (
        "auth_request /session; error_page 401 = @login;",
        LOGIN,
        {"token path": ("certain", "login"), "redirects": ("certain", "login")},
    ),
    "an overwritten Cache-Control": (
        "proxy_hide_header Cache-Control; expires 1h;",
        "",
        {"caches": ("certain", "cached"), "stored answers": ("certain", "cached")},
    ),
    "a password": (
        "auth_basic staging; auth_basic_user_file none;",
        "",
        {"Authorization": ("likely", "authorization"), "token path": ("certain", "authorization")},
    ),
    "a login for refusals": (
        "proxy_intercept_errors on; error_page 401 = @login;",
        "location @login { return 302 /login; }",
        {"token path": ("certain", "login"), "redirects": ("certain", "login")},
    ),
    "locations that end in a slash": (
        "",
        "location /oauth/token/ { proxy_pass http://127.0.0.1:9; }",
        {"token path": ("certain", "redirected"), "redirects": ("certain", "redirected")},
    ),
    "a file": ("", "location = /reports { alias /etc/hostname; }", {"middleware": ("likely", "open")}),
    "expires": ("expires 1h;", "", {"stored answers": ("certain", "cached")}),
    "a cache of what is accepted": (
        CACHED.replace("any", "200").replace("POST", "HEAD"),
        "",
        {"stored answers": ("certain", "cached")},
    ),
    "a cache": (CACHED, "", {"caches": ("certain", "cached"), "Authorization": ("certain", "cached")}),
}


@pytest.mark.servers
@pytest.mark.parametrize(("within", "beside", "expected"), BY_NGINX.values(), ids=BY_NGINX)
def test_a_fault_of_nginx_is_found(app, faults, within, beside, expected):
    with nginx(PASS % (app.url, within) + beside, CACHE) as url:
        assert faults(url, *CLIENT) == expected


@pytest.mark.servers
def test_nginx_passes_a_chunked_body_with_its_length_unless_it_streams(faults):
    streaming = "proxy_http_version 1.1; proxy_request_buffering off;"

    with uwsgi() as app, nginx(PASS % (app, streaming)) as bad, nginx(PASS % (app, "")) as good:
        assert (faults(bad), faults(good)) == ({"chunked": ("certain", "chunked")}, {})


@pytest.mark.servers
def test_servers_behind_nginx_that_do_not_share_a_store_are_found(tmp_path_factory, faults):
    with ExitStack() as stack:
        apps = [stack.enter_context(running("waitress", tmp_path_factory.mktemp(name))) for name in ("one", "two")]
        servers = " ".join(f"server 127.0.0.1:{each.port};" for each in apps)
        url = stack.enter_context(nginx(PASS % ("http://apps", ""), f"upstream apps {{ {servers} }}"))

        assert faults(url, *CLIENT) == {"workers": ("likely", "not shared")}


@pytest.mark.servers
@pytest.mark.parametrize("kept_back", ["oauth-authorization-server", "oauth-protected-resource", "oauth"])
def test_documents_that_nginx_keeps_back_are_found(tmp_path, faults, kept_back):
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    with running("waitress", tmp_path, issuer=issuer) as app:
        with nginx(PASS % (app.url, "") + f"location /.well-known/{kept_back} {{ return 404; }}", port=port) as url:
            assert faults(url) == {"metadata": ("certain", "metadata")}


@pytest.mark.servers
@pytest.mark.parametrize("seconds", [-90, 90])
def test_an_nginx_whose_clock_is_off_is_found(app, faults, seconds):
    with nginx(PASS % (app.url, ""), clock=off_by(seconds)) as url:
        assert faults(url, *CLIENT) == {"clock": ("likely", "clock")}


@pytest.mark.servers
def test_an_app_behind_nginx_whose_clock_is_off_is_found(tmp_path, faults, monkeypatch):
    store, port = f"sqlite:///{tmp_path}/oauth.db", free_port()
    prepare_store(store)
    monkeypatch.setenv("GUARDED_APP_OPTIONS", json.dumps({"store": store}))
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    command = [sys.executable, "-m", "waitress", f"--listen=127.0.0.1:{port}", "guarded_app:app"]
    with process_at([*off_by(-90), *command], tmp_path, port) as app, nginx(PASS % (app, "")) as url:
        assert faults(url, *CLIENT) == {"workers' clocks": ("likely", "clock")}


# Another host: nginx is the proxy of the environment, and takes whole URLs

PUBLIC = "http://api.example.com"
IN_THE_CLEAR = ("certain", "plain http")


@pytest.mark.servers
def test_plain_http_at_another_host_is_found(app, faults, monkeypatch):
    with nginx(PASS % (app.url, "")) as url:
        monkeypatch.setenv("http_proxy", url)

        assert faults(PUBLIC, *CLIENT) == {"https": IN_THE_CLEAR}


@pytest.mark.servers
def test_an_issuer_that_is_another_host_is_found(tmp_path, faults, monkeypatch):
    with running("waitress", tmp_path, issuer="https://old.example.com") as app, nginx(PASS % (app.url, "")) as url:
        monkeypatch.setenv("http_proxy", url)

        found = faults(PUBLIC)

        assert found == {"https": IN_THE_CLEAR, "issuer": ("certain", "host"), "metadata": ("certain", "metadata")}


@pytest.mark.servers
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may listen on ports 80 and 443")
@pytest.mark.parametrize(("beside", "expected"), [("listen %s:80;", {"https": IN_THE_CLEAR}), ("", {})])
def test_plain_http_beside_https_is_found(app, faults, tmp_path, beside, expected):
    address = "127.0.0.77"
    pem = self_signed(tmp_path / "both.pem", IPv4Address(address))
    tls = f"listen {address}:443 ssl; ssl_certificate {pem}; ssl_certificate_key {pem};"
    with nginx(PASS % (app.url, "") + tls + beside.replace("%s", address)):
        assert faults(f"https://{address}", *CLIENT, "--ca-file", str(pem)) == expected


REDIRECTS = """
from oauth_mw import OAuthMiddleware
from webob.exc import HTTPFound

app = OAuthMiddleware(HTTPFound(location="/new"), store="memory://", public_paths=["/old"])
"""
CURE = "$http_host; proxy_set_header X-Forwarded-Proto $scheme"
BEHIND_HTTPS = {
    "no scheme": ('$http_host; proxy_set_header X-Forwarded-Proto ""', "127.0.0.1", ("likely", "host")),
    "a proxy that is not trusted": (CURE, "10.0.0.1", ("likely", "host")),
    "no port": (CURE.replace("http_host", "host"), "127.0.0.1", ("likely", "host")),
    "the cure": (CURE, "127.0.0.1", None),
}


@pytest.mark.servers
@pytest.mark.parametrize(("lines", "trusted", "expected"), BEHIND_HTTPS.values(), ids=BEHIND_HTTPS)
def test_https_that_gunicorn_does_not_know_of_shows_in_a_redirect(tmp_path, faults, lines, trusted, expected):
    (tmp_path / "redirects.py").write_text(REDIRECTS)
    pem = self_signed(tmp_path / "both.pem", IPv4Address("127.0.0.1"))
    port, own = free_port(), free_port()
    tls = f"listen 127.0.0.1:{own} ssl; ssl_certificate {pem}; ssl_certificate_key {pem};"
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--preload", f"--bind=127.0.0.1:{port}"]
    with process_at([*command, f"--forwarded-allow-ips={trusted}", "redirects:app"], tmp_path, port) as app:
        site = f"location / {{ proxy_pass {app}; proxy_set_header Host {lines}; }} {tls}"
        with nginx(site):
            found = faults(f"https://127.0.0.1:{own}", "--ca-file", str(pem), path="/old")

    assert found.get("host") == expected


REWRITTEN = {
    "nginx": lambda url: nginx(PASS.replace("$http_host", "backend") % (url, "")),
    "apache": lambda url: apache(f"ProxyPass / {url}/ nocanon"),
}


@pytest.mark.servers
@pytest.mark.parametrize("front", REWRITTEN.values(), ids=REWRITTEN)
def test_a_rewritten_host_shows_in_a_redirect_of_the_app(tmp_path, faults, monkeypatch, front):
    (tmp_path / "redirects.py").write_text(REDIRECTS)
    port = free_port()
    command = [sys.executable, "-m", "waitress", f"--listen=127.0.0.1:{port}", "redirects:app"]
    with process_at(command, tmp_path, port) as app, front(app) as url:
        monkeypatch.setenv("http_proxy", url)

        found = faults(PUBLIC, path="/old")

        assert found == {"https": IN_THE_CLEAR, "redirects": ("certain", "redirected"), "host": ("likely", "host")}
