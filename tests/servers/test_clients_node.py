"""Stock Node clients and libraries, unmodified, in the versions of ``node/package.json``."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hosting import HERE, ODD_CLIENTS, SECRETS, by_waitress, free_port, running
from wire import issue

from helpers.engines_base import wait_until
from oauth_mw import open_store
from oauth_mw.keys.keypair import ALGORITHMS, make
from oauth_mw.keys.ring import KeyRing

pytestmark = pytest.mark.node

INSTALL_SECONDS = 240
RUN_SECONDS = 30


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A folder with the scripts and the packages that they use."""
    assert shutil.which("node") and shutil.which("npm"), "Node.js and npm are needed"
    folder = shutil.copytree(HERE / "node", tmp_path_factory.mktemp("node"), dirs_exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    assert done.returncode == 0, done.stderr
    return folder


def run(installed: Path, script: str, *arguments: str) -> Any:
    """What a script says in the end."""
    command = ["node", f"{script}.mjs", *arguments]
    done = subprocess.run(command, cwd=installed, capture_output=True, text=True, timeout=RUN_SECONDS)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def answering(installed: Path, script: str, *arguments: str) -> Iterator[Callable[[str], Any]]:
    """A script that answers each line with a line, and remembers what was before."""
    command = ["node", f"{script}.mjs", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=installed, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin and process.stdout and process.stderr
        stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
        killer = threading.Timer(RUN_SECONDS, process.kill)
        killer.start()

        def ask(line: str) -> Any:
            print(line, file=stdin, flush=True)
            return json.loads(stdout.readline() or f"null {stderr.read()}")

        try:
            yield ask
        finally:
            killer.cancel()
            process.kill()


# They get, use, introspect and revoke tokens, as those of Python do

# The methods that each script knows, and what its client can do beside asking for a token.
BOTH = ("client_secret_basic", "client_secret_post")
SCRIPTS = {
    "oauth4webapi": (BOTH, {"active": True, "refused": "invalid_token"}),
    "openid-client": (BOTH, {"active": True, "refused": "invalid_token"}),
    "simple-oauth2": ((*BOTH, "client_secret_basic_raw"), {"refused": "invalid_token"}),
    "client-oauth2": (("client_secret_basic_raw",), {}),
    "badgateway": (BOTH, {"active": True, "refused": "invalid_token"}),
    "axios-oauth-client": (("client_secret_post",), {}),
}
# This method encodes colons but no percent signs: where both occur, no server can tell what was meant.
INTEROP = [("badgateway", "client_secret_basic_interop", odd) for odd in ODD_CLIENTS if odd != "all"]
RUNS = [
    (script, method, odd)
    for script, (methods, _) in SCRIPTS.items()
    for method in methods
    for odd in ("percent", "plus", "all")
] + INTEROP


@by_waitress
@pytest.mark.parametrize(("script", "method", "odd"), RUNS, ids=map(" ".join, RUNS))
def test_node_client_gets_uses_introspects_and_revokes_a_token(installed, server, script, method, odd):
    client_id, secret = ODD_CLIENTS[odd]
    answer = run(installed, script, server.url, client_id, secret, method)
    server.confidential.add(answer.pop("token"))
    assert answer == {"scope": "read", "caller": client_id, **SCRIPTS[script][1]}


# They find and check our JWTs by our documents


@pytest.fixture(scope="module", params=ALGORITHMS)
def issuer(request, tmp_path_factory):
    port = free_port()
    options = {"token_format": "jwt", "signing_algorithm": request.param, "issuer": f"http://127.0.0.1:{port}"}
    with running("waitress", tmp_path_factory.mktemp(request.param), port=port, **options) as started:
        yield started


def test_oauth4webapi_finds_gets_checks_introspects_and_revokes_a_token(installed, issuer):
    answer = run(installed, "jwt-oauth4webapi", issuer.url, "alpha", SECRETS["alpha"])
    issuer.confidential.add(answer["token"])

    claims, before = answer["claims"], answer["before"]
    assert (claims["iss"], claims["aud"], claims["sub"], claims["scope"]) == (issuer.url, issuer.url, "alpha", "read")
    assert answer["elsewhere"] == "OAUTH_JWT_CLAIM_COMPARISON_FAILED"
    assert {name: before[name] for name in ("active", "sub", "aud", "exp")} == {
        "active": True, **{name: claims[name] for name in ("sub", "aud", "exp")},
    }  # fmt: skip
    assert (answer["active"], answer["refused"]["error"]) == (False, "invalid_token")


def test_jose_checks_tokens_and_sees_that_another_key_signs(installed, issuer):
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


def test_jose_refuses_a_token_for_another(installed, issuer):
    with answering(installed, "jwt-jose", issuer.url, "https://other.example") as check:
        assert check(issue(issuer)) == {"error": "ERR_JWT_CLAIM_VALIDATION_FAILED"}


def add_key(server, algorithm):
    with closing(open_store(server.store_url)) as store:
        ring = KeyRing(store, time.time, time.monotonic, algorithm=algorithm, lifetime=None, lead=0, secret=None)
        assert ring.add(make(algorithm), at_once=True)
