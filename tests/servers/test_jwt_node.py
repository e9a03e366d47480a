"""Stock Node libraries, unmodified, find and check our JWTs by our documents."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hosting import SECRETS, Server, free_port, running
from node_scripts import answering, run
from wire import issue

from helpers.engines_base import wait_until
from oauth_mw import open_store
from oauth_mw.keys.keypair import ALGORITHMS, make
from oauth_mw.keys.ring import KeyRing

pytestmark = pytest.mark.node


@pytest.fixture(scope="module", params=ALGORITHMS)
def issuer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = free_port()
    options = {"token_format": "jwt", "signing_algorithm": request.param, "issuer": f"http://127.0.0.1:{port}"}
    with running("waitress", tmp_path_factory.mktemp(request.param), port=port, **options) as started:
        yield started


def test_oauth4webapi_finds_gets_checks_introspects_and_revokes_a_token(installed: Path, issuer: Server) -> None:
    answer = run(installed, "jwt-oauth4webapi", issuer.url, "alpha", SECRETS["alpha"])
    issuer.confidential.add(answer["token"])

    claims, before = answer["claims"], answer["before"]
    assert (claims["iss"], claims["aud"], claims["sub"], claims["scope"]) == (issuer.url, issuer.url, "alpha", "read")
    assert answer["elsewhere"] == "OAUTH_JWT_CLAIM_COMPARISON_FAILED"
    assert {name: before[name] for name in ("active", "sub", "aud", "exp")} == {
        "active": True, **{name: claims[name] for name in ("sub", "aud", "exp")},
    }  # fmt: skip
    assert (answer["active"], answer["refused"]["error"]) == (False, "invalid_token")


def test_jose_checks_tokens_and_sees_that_another_key_signs(installed: Path, issuer: Server) -> None:
    with answering(installed, "jwt-jose", issuer.url, issuer.url) as check:
        old = issue(issuer)
        first, changed = check(old), check(old[:-10] + "A" * 10)
        add_key(issuer, first["header"]["alg"])
        # Workers look for keys once a second.
        wait_until(lambda: issue(issuer).partition(".")[0] != old.partition(".")[0], "another key")
        second, again = check(issue(issuer)), check(old)

    assert (first["header"]["typ"], first["payload"]["client_id"]) == ("at+jwt", "alpha")
    assert changed == {"error": "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"}
    assert (second["payload"]["sub"], again) == ("alpha", first)
    assert second["header"]["kid"] != first["header"]["kid"]


def test_jose_refuses_a_token_for_another(installed: Path, issuer: Server) -> None:
    with answering(installed, "jwt-jose", issuer.url, "https://other.example") as check:
        assert check(issue(issuer)) == {"error": "ERR_JWT_CLAIM_VALIDATION_FAILED"}


def add_key(server: Server, algorithm: str) -> None:
    with closing(open_store(server.store_url)) as store:
        ring = KeyRing(store, time.time, time.monotonic, algorithm=algorithm, lifetime=None, lead=0, secret=None)
        assert ring.add(make(algorithm), at_once=True)
