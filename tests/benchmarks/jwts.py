"""Measure JWTs against PyJWT, joserfc and a hand-written endpoint: ``python tests/benchmarks/jwts.py``."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import repeat
from typing import Any

import jwt as pyjwt
from by_hand import after, bare
from by_hand_signed import SigningEndpoint, raw
from engines import SQLITE
from filled import CLIENT_ID, SCOPE, SECRET
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import import_key
from measure import App, Interval, Times, Variant, added, microseconds, ratio, round_robin
from report import Row, options_of, printed, times_row
from variants import HOT, ISSUES, batches_of, floor_of, issued, token_request, with_token

from oauth_mw import OAuthMiddleware, admin, open_store
from oauth_mw.keys.keypair import ALGORITHMS, Key, from_pem
from oauth_mw.protocols import Store

ISSUER = "https://api.example.com"
TOKENS = 400
# A cache that forgets every token before its turn comes again.
UNCACHED = 100


def decoding(decode: Callable[[str], None]) -> App:
    """What a library alone does with the token."""
    return after(lambda environ: decode(environ["HTTP_AUTHORIZATION"][7:]))


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


def by_cryptography(key: Key) -> Any:
    """The least that checks the signature and the same claims: no library but cryptography."""
    verify = raw(key)[1]

    def decode(text: str) -> None:
        message, _, signature = text.rpartition(".")
        header, payload = (json.loads(urlsafe_b64decode(part + "==")) for part in message.split("."))
        if header["typ"] != "at+jwt" or header["alg"] != key.algorithm or header["kid"] != key.kid:
            raise ValueError("another header")
        verify(urlsafe_b64decode(signature + "=="), message.encode())
        now = time.time()
        if payload["iss"] != ISSUER or payload["aud"] != ISSUER or not payload["iat"] - 60 <= now < payload["exp"]:
            raise ValueError("not valid here and now")
        if not payload["jti"] or payload["sub"] != payload["client_id"]:
            raise ValueError("no access token")

    return decode


def variants_of(folder: str, algorithm: str) -> Iterator[Variant]:
    store = open_store(f"sqlite:///{folder}/{algorithm}.db", create=True)
    admin.add_client(store, "benchmark", scope=SCOPE, client_id=CLIENT_ID, secret=SECRET)
    options = {"store": store, "issuer": ISSUER, "token_format": "jwt", "signing_algorithm": algorithm}
    app, small = OAuthMiddleware(bare, **options), OAuthMiddleware(bare, cache_size=UNCACHED, **options)
    texts = issued(app, TOKENS)
    key = key_of(store)
    hot = [with_token(text) for text in texts[:HOT]]
    yield Variant(f"floor {algorithm}", floor_of(texts[:HOT]), repeat(hot))
    yield Variant(f"cached {algorithm}", app, repeat(hot))
    all_tokens = [with_token(text) for text in texts]
    yield Variant(f"first {algorithm}", small, batches_of(all_tokens))
    for name, decoder in (("joserfc", by_joserfc), ("pyjwt", by_pyjwt), ("cryptography", by_cryptography)):
        yield Variant(f"{name} {algorithm}", decoding(decoder(key)), batches_of(all_tokens))
    yield Variant(f"issue {algorithm}", app, repeat([token_request()] * ISSUES))
    by_hand = SigningEndpoint(f"{folder}/{algorithm}_by_hand.db", CLIENT_ID, SECRET, SCOPE, ISSUER, key)
    yield Variant(f"issue by hand {algorithm}", by_hand, repeat([token_request()] * ISSUES))


def key_of(store: Store) -> Key:
    """The pair that signs."""
    (record,) = store.read_keys().keys
    return from_pem(record.private)


def rows(times: Times) -> Iterator[Row]:
    def costs(name: str) -> list[list[float]]:
        return [added(times, f"{name} {each}", "bare") for each in ALGORITHMS]

    def absolute(name: str) -> list[Interval]:
        return list(map(microseconds, costs(name)))

    def ratios(name: str, base: str) -> list[Interval]:
        return [ratio(mine, other) for mine, other in zip(costs(name), costs(base), strict=True)]

    yield times_row("the floor: a hand-written check, with these tokens", absolute("floor"), "µs")
    yield times_row("accepted, cached JWT", ratios("cached", "floor"), "floors", 1.5)
    yield times_row("first check of a JWT", absolute("first"), "µs")
    for name, what in (("cryptography", "`cryptography` alone"), ("joserfc", "joserfc"), ("pyjwt", "PyJWT")):
        yield times_row(f"{what}, the same claims checked", absolute(name), "µs")
    yield times_row("first check of a JWT", ratios("first", "cryptography"), "× `cryptography` alone", 1.3)
    yield times_row("first check of a JWT", ratios("first", "joserfc"), "× joserfc")
    yield times_row("a hand-written endpoint that signs", absolute("issue by hand"), "µs")
    yield times_row("JWT issued, SQLite", ratios("issue", "issue by hand"), "× that", 1.8)


def measured(rounds: int) -> Iterator[Row | str]:
    with tempfile.TemporaryDirectory() as folder:
        variants = [Variant("bare", bare, repeat([with_token("x")] * HOT))]
        for algorithm in ALGORITHMS:
            variants += variants_of(folder, algorithm)
        yield from rows(round_robin(variants, rounds))
    yield from (SQLITE, *(f"{name} {version(name)}" for name in ("joserfc", "cryptography", "PyJWT")))


def main() -> int:
    rounds = 100 if options_of(__doc__).parse_args().quick else 600
    return printed("what", " / ".join(ALGORITHMS), measured(rounds))


if __name__ == "__main__":
    sys.exit(main())
