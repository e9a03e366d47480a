"""What a Redis URL may say, and that it never says its password again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from oauth_mw import open_store
from oauth_mw.errors import ConfigError
from oauth_mw.stores.redis.network.url import parse_url


@pytest.mark.parametrize(
    "url, hosts, db",
    [
        ("redis://", (("localhost", 6379),), 0),
        ("redis://cache", (("cache", 6379),), 0),
        ("redis://cache:7000/3", (("cache", 7000),), 3),
        ("redis://cache/?db=3", (("cache", 6379),), 3),
        ("redis://10.0.0.1:7000/", (("10.0.0.1", 7000),), 0),
        ("rediss://[::1]:7000/1", (("::1", 7000),), 1),
        ("unix:///run/redis/socket?db=2", (), 2),
    ],
)
def test_a_url_says_where_the_server_is(url, hosts, db):
    place = parse_url(url)

    assert (place.hosts, place.db) == (hosts, db)


@pytest.mark.parametrize(
    "url, hosts, service, cluster",
    [
        ("redis+sentinel://a:1,b:2/tokens", (("a", 1), ("b", 2)), "tokens", False),
        ("redis+sentinel://a,[::1]/my%2Dtokens/", (("a", 26379), ("::1", 26379)), "my-tokens", False),
        ("redis+cluster://a:1,b:2", (("a", 1), ("b", 2)), "", True),
        ("redis+cluster://a/", (("a", 6379),), "", True),
        ("redis+cluster://a,a:6379", (("a", 6379),), "", True),
    ],
)
def test_a_url_names_sentinels_or_nodes(url, hosts, service, cluster):
    place = parse_url(url)

    assert (place.hosts, place.service, place.cluster) == (hosts, service, cluster)


def test_where_a_replica_may_take_over_one_must_have_each_change():
    urls = ("redis+sentinel://a/tokens", "redis+cluster://a", "redis+cluster://a?replicas=0")

    assert [parse_url(url).replicas for url in urls] == [1, 1, 0]


@pytest.mark.parametrize(
    "query, login",
    [
        ("", ("me", "pw")),
        ("?sentinel_username=you&sentinel_password=a%26b", ("you", "a&b")),
        ("?sentinel_password=", ("me", "")),
    ],
)
def test_sentinels_want_the_same_login_or_another_one_or_none(query, login):
    place = parse_url(f"redis+sentinel://me:pw@a/tokens{query}")

    assert (place.username, place.password) == ("me", "pw")
    assert (place.sentinel_username, place.sentinel_password) == login


def test_a_unix_url_names_a_socket():
    assert parse_url("unix:///run/my%20redis/socket").path == "/run/my redis/socket"


@pytest.mark.parametrize(
    "url, user, password",
    [
        ("redis://cache", None, None),
        ("redis://:pw@cache", None, "pw"),
        ("redis://me:p%40%2F%3F%3A%23@cache", "me", "p@/?:#"),
        ("redis://me:p@w:/x@cache", "me", "p@w:/x"),
        ("unix://me:pw@/run/socket", "me", "pw"),
    ],
)
def test_user_and_password_stand_before_the_at(url, user, password):
    place = parse_url(url)

    assert (place.username, place.password) == (user, password)


def test_options_stand_behind_the_question_mark():
    place = parse_url("redis://cache?prefix=app-1.x_&replicas=2&max_connections=7")

    assert (place.prefix, place.replicas, place.max_connections) == ("app-1.x_", 2, 7)


def test_without_options_the_prefix_is_ours_and_nobody_waits_for_replicas():
    place = parse_url("redis://cache")

    assert (place.prefix, place.replicas, place.tls) == ("oauth_mw", 0, None)


def test_tls_has_options_of_its_own():
    place = parse_url("rediss://cache?ssl_ca_certs=/ca.pem&ssl_check_hostname=false")

    assert place.tls == {"ssl_ca_certs": "/ca.pem", "ssl_check_hostname": False}


@pytest.mark.parametrize("url", ["redis+sentinel://a/tokens", "redis+cluster://a"])
def test_tls_is_asked_for_where_no_scheme_does(url):
    asked = parse_url(f"{url}?ssl=true&ssl_ca_certs=/ca.pem").tls

    assert asked == {"ssl_check_hostname": True, "ssl_ca_certs": "/ca.pem"}
    assert [parse_url(url).tls, parse_url(f"{url}?ssl=false").tls] == [None, None]


WRONG = {
    "an unknown option": "redis://:Pa55@cache?nonsense=Pa55",
    "redis-py's own option for a password": "redis://cache?password=Pa55",
    "TLS without TLS": "redis://:Pa55@cache?ssl_ca_certs=/Pa55",
    "an option twice": "redis://:Pa55@cache?prefix=a&prefix=b",
    "no option at all": "redis://:Pa55@cache?Pa55",
    "an empty prefix": "redis://cache?prefix=",
    "a prefix with braces": "redis://cache?prefix={a}",
    "a prefix with a space": "redis://cache?prefix=a%20b",
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
}


@pytest.mark.parametrize("url", WRONG.values(), ids=WRONG)
def test_a_wrong_url_is_refused_before_anything_is_asked_and_without_its_password(url):
    with pytest.raises(ConfigError) as refused:
        open_store(url)

    assert refused.value.option == "store"
    assert "Pa55" not in str(refused.value)


def test_a_store_shows_its_url_without_user_and_password(redis_url):
    scheme, _, rest = redis_url.partition("://")
    with_password = f"{scheme}://me:Pa55@{rest}"

    assert parse_url(with_password).shown == redis_url
    assert "Pa55" not in repr(parse_url(with_password))


def test_a_store_shows_no_login_of_its_sentinels():
    url = "redis+sentinel://:Pa55@a/tokens?sentinel%5Fpassword=Pa55&prefix=x&sentinel_username=Pa55"
    place = parse_url(url)

    assert (place.shown, place.sentinel_password) == ("redis+sentinel://a/tokens?prefix=x", "Pa55")
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


@pytest.mark.parametrize("url", ["redis://:pw\udcff@a", "redis://pw\ud800:x@a", "unix:///pw\udcff"])
def test_a_url_that_is_no_text_is_refused(url):
    with pytest.raises(ConfigError, match="UTF-8") as refusal:
        parse_url(url)

    assert "pw" not in str(refusal.value)
