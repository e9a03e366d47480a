"""Client addresses, with and without proxies."""

from __future__ import annotations

import tracemalloc

import pytest

from oauth_mw.addresses import Addresses, group_of, parse_address

PEERS = {
    "203.0.113.7": "203.0.113.7",
    "203.0.113.7:4711": "203.0.113.7",
    "2001:DB8:0::1": "2001:db8::1",
    "[2001:db8::1]": "2001:db8::1",
    "[2001:db8::1]:4711": "2001:db8::1",
    "fe80::1%eth0": "fe80::1",
    "[fe80::1%25eth0]:4711": "fe80::1",
    "::ffff:1.2.3.4": "1.2.3.4",
    "[::ffff:102:304]:80": "1.2.3.4",
    "::1.2.3.4": "::102:304",
    "": "",
    "localhost": "",
    "unix:": "",
    "0.0.0.0": "",
    "unknown": "",
    "010.0.0.1": "",
    "1.2.3": "",
    "1.2.3.4.5": "",
    "1.2.3.4:": "",
    "1.2.3.4:x": "",
    "1.2.3.4/8": "",
    "[1.2.3.4]": "",
    "[::1": "",
    "::1]": "",
    "1::2::3": "",
    "12345::": "",
    "\u0661.2.3.4": "",
    "1.2.3.4\n": "",
    "0" * 100_000: "",
    "::1%" + "x" * 100_000: "",
}


@pytest.mark.parametrize(("peer", "address"), PEERS.items(), ids=[repr(peer[:30]) for peer in PEERS])
def test_the_address_is_that_of_the_peer(peer, address):
    assert Addresses()({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": "192.0.2.1"}) == address


def test_the_address_is_unknown_without_a_peer():
    assert Addresses()({}) == ""


CLIENT = "203.0.113.7"
FORWARDED = {
    "the client": (CLIENT, CLIENT),
    "its port": (f"{CLIENT}:4711", CLIENT),
    "an IPv6 client": ("2001:db8::1", "2001:db8::1"),
    "an IPv6 client and its port": ("[2001:db8::1]:4711", "2001:db8::1"),
    "a zone": ("fe80::1%eth0", "fe80::1"),
    "a mapped address": (f"::ffff:{CLIENT}", CLIENT),
    "what the client invented": (f"192.0.2.1, {CLIENT}", CLIENT),
    "a proxy that the client invented": (f"10.0.0.3, {CLIENT}", CLIENT),
    "rubbish that the client invented": (f'"\0, \xff;,,, {CLIENT}', CLIENT),
    "two hops": (f"192.0.2.1, {CLIENT}, 10.0.0.2", CLIENT),
    "a mapped hop": (f"192.0.2.1, {CLIENT}, ::ffff:10.0.0.2", CLIENT),
    "a hop on a socket": (f"{CLIENT}, unix:", CLIENT),
    "several lines, joined": (f"192.0.2.1,{CLIENT},10.0.0.2", CLIENT),
    "spaces and tabs": (f"192.0.2.1 ,\t{CLIENT} \t", CLIENT),
    "a huge header": (f"{'192.0.2.1, ' * 100_000}{CLIENT}", CLIENT),
    "only proxies": ("10.0.0.9, 10.0.0.2", "10.0.0.9"),
    "no header": (None, "10.0.0.1"),
    "an empty header": ("", "10.0.0.1"),
    "a malformed client": (f"{CLIENT}, 300.0.0.1", ""),
    "a malformed hop": (f"{CLIENT}, 10.0.0.2:x", ""),
    "an unknown client": (f"{CLIENT}, unknown", ""),
    "nothing at the end": (f"{CLIENT},", ""),
    "a no-break space": (f"{CLIENT}, \xa0{CLIENT}", ""),
    "one huge address": ("1" * 1_000_000, ""),
    "endless proxies": (", ".join(["10.0.0.2"] * 1000), ""),
}


@pytest.mark.parametrize(("header", "address"), FORWARDED.values(), ids=FORWARDED)
def test_a_trusted_proxy_says_the_address(header, address):
    addresses = Addresses(["10.0.0.0/8", "unix"])

    environ = {"REMOTE_ADDR": "10.0.0.1"} | ({} if header is None else {"HTTP_X_FORWARDED_FOR": header})
    assert addresses(environ) == address


@pytest.mark.parametrize("peer", ["11.0.0.1", "", "unix:", "localhost", "unknown", "::1", "10.0.0.1x"])
def test_a_header_from_another_peer_is_not_read(peer):
    assert Addresses(["10.0.0.0/8"])({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": CLIENT}) != CLIENT


@pytest.mark.parametrize(
    "environ",
    [{}, {"REMOTE_ADDR": ""}, {"REMOTE_ADDR": "localhost"}, {"REMOTE_ADDR": "unix:"}, {"REMOTE_ADDR": "0.0.0.0"}],
)
def test_a_proxy_on_a_socket_says_the_address(environ):
    assert Addresses(["unix"])({**environ, "HTTP_X_FORWARDED_FOR": f"192.0.2.1, {CLIENT}"}) == CLIENT


def test_a_proxy_on_a_socket_without_the_header_has_no_address():
    assert Addresses(["unix"])({"REMOTE_ADDR": ""}) == ""


def test_another_header_is_read_instead():
    addresses = Addresses(["10.0.0.1"], "X-Real-IP")

    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.1", "HTTP_X_REAL_IP": CLIENT}
    assert addresses(environ) == CLIENT


ELEMENTS = {
    f"for={CLIENT}": CLIENT,
    f'FOR="{CLIENT}:4711"; proto=https;by=10.0.0.1': CLIENT,
    'proto=http;for="[2001:DB8::1]:_port"': "2001:db8::1",
    f"for=192.0.2.1, for={CLIENT}, for=10.0.0.2": CLIENT,
    f'for="192.0.2.1, for={CLIENT}': CLIENT,
    "for=unknown": "",
    "for=_hidden": "",
    "for=2001:db8::1": "",
    f"for={CLIENT}, proto=https": "",
    f"for=192.0.2.1;for={CLIENT}": "",
    f"for={CLIENT};": "",
    CLIENT: "",
    "for=" + "a" * 100_000: "",
    'for="' + "a" * 100_000: "",
}


@pytest.mark.parametrize(("header", "address"), ELEMENTS.items(), ids=[each[:50] for each in ELEMENTS])
def test_forwarded_is_read_as_in_its_rfc(header, address):
    addresses = Addresses(["10.0.0.0/8"], "forwarded")

    assert addresses({"REMOTE_ADDR": "10.0.0.1", "HTTP_FORWARDED": header}) == address


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_client_is_counted_by_its_64_first_bits(address, group):
    assert group_of(address) == group


def test_long_entries_take_no_memory():
    tracemalloc.start()
    for at in range(1000):
        assert parse_address(f"192.0.2.{at}".rjust(8000, "1")) is None
    memory, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert memory < 1_000_000
