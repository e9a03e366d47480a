"""``oauth-mw doctor`` on Apache, and on mod_wsgi."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import pytest
from fronts import apache, mod_wsgi
from hosting import running

CLIENT = ("--client", "alpha")
PROXIED = "ProxyPreserveHost On\nProxyPass / %s/ nocanon\n"
PASSWORD = """
<Location />
    AuthType Basic
    AuthName staging
    AuthUserFile none
    Require valid-user
</Location>
"""
PUBLIC = """
<Location /reports>
    Header set Cache-Control "public, max-age=60" "expr=%{REQUEST_STATUS} == 200"
</Location>
"""
CACHE = "CacheRoot ${folder}\nCacheEnable disk /\nCacheQuickHandler Off"
BY_APACHE = {
    "nothing": ("", {}),
    "Authorization": ("RequestHeader unset Authorization", {"Authorization": ("certain", "authorization")}),
    "no token path": ("RewriteEngine On\nRewriteRule ^/oauth/ - [R=404]", {"token path": ("certain", "token path")}),
    "a login": (
        "RewriteEngine On\nRewriteRule ^ https://sso.example.com/login [R=302]",
        {"token path": ("certain", "login"), "redirects": ("certain", "login")},
    ),
    "a redirect": (
        "RewriteEngine On\nRewriteRule ^/oauth/token$ /oauth/token/ [R=301]",
        {"token path": ("certain", "redirected"), "redirects": ("certain", "redirected")},
    ),
    "a password": (
        PASSWORD,
        {"Authorization": ("likely", "authorization"), "token path": ("certain", "authorization")},
    ),
    "a file": (
        "ProxyPass /reports !\nAlias /reports /etc/hostname\n<Directory /etc>\nRequire all granted\n</Directory>",
        {"middleware": ("likely", "open")},
    ),
    "a cache of what is public": (f"{PUBLIC}\n{CACHE}", {"stored answers": ("certain", "cached")}),
    "a cache that is off for what needs a token": (f"{PUBLIC}\n{CACHE}\nCacheDisable /reports", {}),
    "no Cache-Control": (
        "Header unset Cache-Control",
        {"caches": ("certain", "cached"), "stored answers": ("certain", "cached")},
    ),
}


@pytest.mark.servers
@pytest.mark.parametrize(("lines", "expected"), BY_APACHE.values(), ids=BY_APACHE)
def test_a_fault_of_apache_is_found(app, faults, lines, expected):
    with apache(f"{lines}\n{PROXIED % app.url}") as url:
        assert faults(url, *CLIENT) == expected


@pytest.mark.servers
def test_servers_behind_apache_that_do_not_share_a_store_are_found(tmp_path_factory, faults):
    with ExitStack() as stack:
        apps = [stack.enter_context(running("waitress", tmp_path_factory.mktemp(name))) for name in ("one", "two")]
        members = "\n".join(f"BalancerMember {each.url}" for each in apps)
        balanced = f"<Proxy balancer://apps>\n{members}\n</Proxy>\nProxyPass / balancer://apps/ nocanon"
        url = stack.enter_context(apache(balanced))

        assert faults(url, *CLIENT) == {"workers": ("likely", "not shared")}


# mod_wsgi

on_3_11 = pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="Debian's mod_wsgi has Python 3.11")
PASSES = "WSGIPassAuthorization On\nWSGIChunkedRequest On"
FORM = """
<Location />
    AuthType form
    AuthName staging
    AuthFormProvider file
    AuthUserFile none
    AuthFormLoginRequiredLocation /login.html
    Session On
    SessionCookieName session path=/
    Require valid-user
</Location>
"""
BY_MOD_WSGI = {
    "nothing": ([PASSES], {}, {}),
    "the default": (
        [],
        {},
        {"Authorization": ("certain", "authorization"), "chunked": ("certain", "chunked")},
    ),
    "a password": (
        [PASSES, PASSWORD],
        {},
        {"Authorization": ("likely", "authorization"), "token path": ("certain", "authorization")},
    ),
    "a login": (
        [PASSES, FORM],
        {},
        {"token path": ("certain", "login"), "redirects": ("certain", "login")},
    ),
    "a redirect": (
        [PASSES, "Redirect /oauth/token /oauth/token/"],
        {},
        {"token path": ("certain", "redirected"), "redirects": ("certain", "redirected")},
    ),
    "an overwritten Cache-Control": (
        [PASSES, "Header set Cache-Control public"],
        {},
        {"caches": ("certain", "cached"), "stored answers": ("certain", "cached")},
    ),
    "an alias that ends in a slash": ([PASSES], {"alias": "/reports/"}, {"token path": ("certain", "token path")}),
    "an alias": (
        [PASSES],
        {"alias": "/reports"},
        {"token path": ("certain", "token path")},
    ),
    "memory:// in two processes": (
        [PASSES],
        {"processes": 2, "store": "memory://"},
        {"store": ("likely", "store")},
    ),
}


# What mod_wsgi alone does. The others are found behind Apache, too, and starting it takes seconds.
SHORT = {"nothing", "the default"}
BY_MOD_WSGI_PARAMS = [
    pytest.param(*each, id=name, marks=[] if name in SHORT else pytest.mark.long) for name, each in BY_MOD_WSGI.items()
]


@on_3_11
@pytest.mark.servers
@pytest.mark.parametrize(("lines", "options", "expected"), BY_MOD_WSGI_PARAMS)
def test_a_fault_of_mod_wsgi_is_found(faults, lines, options, expected):
    with mod_wsgi(*lines, **options) as url:
        assert faults(url, *CLIENT) == expected
