"""Measure JWTs against PyJWT, joserfc and a hand-written endpoint: ``python tests/benchmarks/jwts.py``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from itertools import cycle, repeat
from statistics import median
from typing import Any

import jwt as pyjwt
from by_hand import bare
from by_hand_signed import SigningEndpoint
from filled import CLIENT_ID, SCOPE, SECRET
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import import_key
from measure import App, Batch, Environ, Times, Variant, added, ratio, round_robin
from report import Row, machine, times_row
from variants import COLD, HOT, ISSUES, floor, token_request, with_token
from webob import Request

from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.keys.keypair import ALGORITHMS, Key, from_pem
from oauth_mw.protocols import Store

ISSUER = "https://api.example.com"
TOKENS = 400
# A cache that forgets every token before its turn comes again.
UNCACHED = 100


class Decode:
    """In front of ``app``, what a library alone does with the token."""

    def __init__(self, app: App, decode: Any) -> None:
        self._app = app
        self._decode = decode

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        self._decode(environ["HTTP_AUTHORIZATION"][7:])
        return self._app(environ, start_response)


def by_joserfc(key: Key) -> Any:
    """Decode with the claims checks of ours."""
    public = import_key(dict(key.jwk()))
    must = {"essential": True}
    claims = joserfc_jwt.JWTClaimsRegistry(
        iss={**must, "value": ISSUER},
        aud={**must, "value": ISSUER},
        exp=must,
        iat=must,
        sub=must,
        client_id=must,
        jti=must,
    )

    def decode(text: str) -> None:
        token = joserfc_jwt.decode(text, public, algorithms=[key.algorithm])
        if token.header["typ"] != "at+jwt":
            raise ValueError("another typ")
        claims.validate(token.claims)

    return decode


def by_pyjwt(key: Key) -> Any:
    public = pyjwt.PyJWK.from_dict(dict(key.jwk()))
    required = {"require": ["iss", "aud", "exp", "iat", "sub", "client_id", "jti"]}

    def decode(text: str) -> None:
        pyjwt.decode(text, public, algorithms=[key.algorithm], issuer=ISSUER, audience=ISSUER, options=required)

    return decode


def variants_of(folder: str, algorithm: str) -> Iterator[Variant]:
    store = open_store(f"sqlite:///{folder}/{algorithm}.db", create=True)
    admin.add_client(store, "benchmark", scope=SCOPE, client_id=CLIENT_ID, secret=SECRET)
    options = {"store": store, "issuer": ISSUER, "token_format": "jwt", "signing_algorithm": algorithm}
    app, small = OAuthMiddleware(bare, **options), OAuthMiddleware(bare, cache_size=UNCACHED, **options)
    texts = [issued(app) for _ in range(TOKENS)]
    key = key_of(store)
    hot = [with_token(text) for text in texts[:HOT]]
    yield Variant(f"floor {algorithm}", floor(texts[:HOT]), repeat(hot))
    yield Variant(f"cached {algorithm}", app, repeat(hot))
    for name, decoding in (
        ("first", small),
        ("joserfc", Decode(bare, by_joserfc(key))),
        ("pyjwt", Decode(bare, by_pyjwt(key))),
    ):
        yield Variant(f"{name} {algorithm}", decoding, _batches(texts))
    yield Variant(f"issue {algorithm}", app, repeat([token_request()] * ISSUES))
    by_hand = SigningEndpoint(f"{folder}/{algorithm}_by_hand.db", CLIENT_ID, SECRET, SCOPE, ISSUER, key)
    yield Variant(f"issue by hand {algorithm}", by_hand, repeat([token_request()] * ISSUES))


def issued(app: App) -> str:
    text: str = Request(token_request()).get_response(app).json["access_token"]
    return text


def key_of(store: Store) -> Key:
    """The pair that signs."""
    (record,) = store.read_keys().keys
    return from_pem(record.private)


def _batches(texts: list[str]) -> Iterator[Batch]:
    environs = [with_token(text) for text in texts]
    return cycle([environs[start : start + COLD] for start in range(0, len(environs), COLD)])


def rows(times: Times) -> Iterator[Row]:
    def microseconds(name: str) -> list[float]:
        return [median(added(times, f"{name} {each}", "bare")) / 1000 for each in ALGORITHMS]

    def ratios(name: str, base: str, without: str = "bare") -> list[float]:
        return [
            ratio(added(times, f"{name} {each}", without), added(times, f"{base} {each}", without))
            for each in ALGORITHMS
        ]

    yield times_row("the floor: a hand-written check, with these tokens", microseconds("floor"), "µs")
    yield times_row("accepted, cached JWT", ratios("cached", "floor"), "floors", 2)
    yield times_row("first check of a JWT", microseconds("first"), "µs")
    yield times_row("joserfc alone, the same claims checked", microseconds("joserfc"), "µs")
    yield times_row("PyJWT alone", microseconds("pyjwt"), "µs")
    yield times_row("first check of a JWT", ratios("first", "joserfc"), "× joserfc", 1.3)
    yield times_row("a hand-written endpoint that signs", microseconds("issue by hand"), "µs")
    yield times_row("JWT issued, SQLite", ratios("issue", "issue by hand"), "× that", 2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a first impression")
    rounds = 100 if parser.parse_args().quick else 600
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        variants = [Variant("bare", bare, repeat([with_token("x")] * HOT))]
        for algorithm in ALGORITHMS:
            variants += variants_of(folder, algorithm)
        found = list(rows(round_robin(variants, rounds)))
    print(f"| what | {' / '.join(ALGORITHMS)} | budget | within |\n| --- | --- | --- | --- |")
    print("\n".join(map(str, found)))
    libraries = ", ".join(f"{name} {version(name)}" for name in ("joserfc", "cryptography", "PyJWT"))
    print(f"\n{machine()} {libraries}. {time.monotonic() - started:.0f} seconds.")
    return 0 if all(row.within is not False for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
