"""What a Redis URL may contain, and that its password is never shown."""

from __future__ import annotations

import subprocess
import sys

import pytest

from oauth_mw import open_store
from oauth_mw.errors import ConfigError
from oauth_mw.stores.redis.network.url import parse_url

SENTINELS, NODES = "redis+sentinel://a/tokens", "redis+cluster://a"
A_B = (("a", 1), ("b", 2))
URLS = {
    "redis://": {"hosts": (("localhost", 6379),), "db": 0, "prefix": "oauth_mw", "replicas": 0, "tls": None},
    "redis://cache": {"hosts": (("cache", 6379),), "username": None, "password": None},
    "redis://cache:7000/3": {"hosts": (("cache", 7000),), "db": 3},
    "redis://cache/?db=3": {"hosts": (("cache", 6379),), "db": 3},
    "rediss://[::1]:7000/1": {"hosts": (("::1", 7000),), "db": 1, "tls": {"ssl_check_hostname": True}},
    "unix:///run/my%20redis/socket?db=2": {"hosts": (), "path": "/run/my redis/socket", "db": 2},
    "redis+sentinel://a:1,b:2/tokens": {"hosts": A_B, "service": "tokens", "cluster": False, "replicas": 1},
    "redis+sentinel://a,[::1]/my%2Dtokens/": {"hosts": (("a", 26379), ("::1", 26379)), "service": "my-tokens"},
    "redis+cluster://a:1,b:2": {"hosts": A_B, "service": "", "cluster": True, "replicas": 1},
    "redis+cluster://a,a:6379/": {"hosts": (("a", 6379),)},
    f"{NODES}?replicas=0": {"replicas": 0},
    "redis://cache?prefix=app-1.x_&max_connections=7": {"prefix": "app-1.x_", "max_connections": 7},
    "redis://:pw@cache": {"username": None, "password": "pw"},
    "redis://me:p%40%2F%3F%3A%23@cache": {"username": "me", "password": "p@/?:#"},
    "redis://me:p@w:/x@cache": {"username": "me", "password": "p@w:/x"},
    "unix://me:pw@/run/socket": {"username": "me", "password": "pw"},
    "rediss://cache?ssl_ca_certs=/ca.pem&ssl_check_hostname=false": {
        "tls": {"ssl_ca_certs": "/ca.pem", "ssl_check_hostname": False}
    },
    "rediss://cache?ssl_cert_reqs=none": {"tls": {"ssl_cert_reqs": "none", "ssl_check_hostname": False}},
    f"{NODES}?ssl=true&ssl_cert_reqs=required": {"tls": {"ssl_cert_reqs": "required", "ssl_check_hostname": True}},
    SENTINELS: {"tls": None},
    f"{SENTINELS}?ssl=false": {"tls": None},
    f"{SENTINELS}?ssl=true": {"tls": {"ssl_check_hostname": True}},
    f"{NODES}?ssl=true&ssl_ca_certs=/ca.pem": {"tls": {"ssl_check_hostname": True, "ssl_ca_certs": "/ca.pem"}},
    "redis+sentinel://me:pw@a/tokens": {"sentinel_username": "me", "sentinel_password": "pw"},
    "redis+sentinel://me:pw@a/tokens?sentinel_username=you&sentinel_password=a%26b": {
        "username": "me",
        "password": "pw",
        "sentinel_username": "you",
        "sentinel_password": "a&b",
    },
    "redis+sentinel://me:pw@a/tokens?sentinel_password=": {"password": "pw", "sentinel_password": ""},
}


@pytest.mark.parametrize("url", URLS)
def test_a_url_says_where_the_servers_are_and_how_they_are_used(url):
    place = parse_url(url)

    assert {name: getattr(place, name) for name in URLS[url]} == URLS[url]


WRONG = {
    "an unknown option": "redis://:Pa55@cache?nonsense=Pa55",
    "redis-py's own option for a password": "redis://cache?password=Pa55",
    "TLS without TLS": "redis://:Pa55@cache?ssl_ca_certs=/Pa55",
    "no certificate that is asked for": "rediss://cache?ssl_cert_reqs=optional",
    "a certificate that is not checked": "rediss://cache?ssl_cert_reqs=none&ssl_ca_certs=/ca.pem",
    "no certificate without TLS": "redis://cache?ssl_cert_reqs=none",
    "an option twice": "redis://:Pa55@cache?prefix=a&prefix=b",
    "no option at all": "redis://:Pa55@cache?Pa55",
    "an empty prefix": "redis://cache?prefix=",
    "a prefix with braces": "redis://cache?prefix={a}",
    "a prefix with a star": "redis://cache?prefix=a*",
    "a prefix with a colon": "redis://cache?prefix=a:b",
    "a prefix beyond ASCII": "redis://cache?prefix=%C3%A9",
    "a long prefix": f"redis://cache?prefix={'a' * 65}",
    "no number of replicas": "redis://cache?replicas=-1",
    "no connections": "redis://cache?max_connections=0",
    "a database that is no number": "redis://:Pa55@cache/Pa55",
    "two databases": "redis://cache/1?db=2",
    "a port that is no number": "redis://cache:http",
    "port 0": "redis://cache:0",
    "a port too high": "redis://cache:65536",
    "a password with a bare question mark": "redis://:Pa55?Pa55@cache",
    "a password behind the number of a database": "redis://cache:6379/0#Pa55@Pa55",
    "a password behind a port": "redis+sentinel://a:1,b:2;Pa55@Pa55/tokens",
    "a password behind an address of IPv6": "redis+cluster://[::1]/#Pa55@Pa55",
    "no path of a socket": "unix://cache",
    "a space in the host": "redis://:Pa55@ca che",
    "a host longer than names can be": f"redis://:Pa55@{'a' * 64}.example",
    "several hosts of one server": "redis://a:1,b:2",
    "Sentinels without a service": "redis+sentinel://:Pa55@a:1,b:2",
    "Sentinels of two services": "redis+sentinel://a/tokens/Pa55",
    "no Sentinel": "redis+sentinel:///tokens",
    "a host left out": "redis+cluster://:Pa55@a:1,",
    "a database in a cluster": "redis+cluster://:Pa55@a/1",
    "a database in a cluster, as an option": "redis+cluster://:Pa55@a?db=1",
    "a login for Sentinels in a cluster": "redis+cluster://a?sentinel_password=Pa55",
    "options for TLS without TLS": "redis+cluster://a?ssl_ca_certs=/Pa55",
    "neither TLS nor none": "redis+cluster://a?ssl=Pa55",
    "neither true nor false": "rediss://cache?ssl_check_hostname=Pa55",
    "no UTF-8 in a password": "redis://:Pa55\udcff@a",
    "no UTF-8 in a path": "unix:///Pa55\udcff",
}


@pytest.mark.parametrize("url", WRONG.values(), ids=WRONG)
def test_a_wrong_url_is_refused_without_its_password(url):
    with pytest.raises(ConfigError) as refused:
        open_store(url)

    assert refused.value.option == "store"
    assert "Pa55" not in str(refused.value)


SHOWN = {
    "redis://me:Pa55@a:7000/0?prefix=x": "redis://a:7000/0?prefix=x",
    "redis+sentinel://:Pa55@a/tokens?sentinel%5Fpassword=Pa55&prefix=x&sentinel_username=Pa55": (
        "redis+sentinel://a/tokens?prefix=x"
    ),
}


@pytest.mark.parametrize("url", SHOWN)
def test_a_url_is_shown_without_users_and_passwords(url):
    place = parse_url(url)

    assert place.shown == SHOWN[url]
    assert "Pa55" not in repr(place)


def test_a_missing_driver_is_named():
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "import oauth_mw\n"
        "try: oauth_mw.open_store('redis://127.0.0.1:1')\n"
        "except oauth_mw.ConfigError as error: print(error)"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert "pip install 'oauth_mw[redis]'" in said
