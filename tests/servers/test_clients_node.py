"""Stock Node clients, unmodified, in the versions of ``node/package.json``: what the Python ones do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hosting import ODD_CLIENTS, Server, by_waitress
from node_scripts import run

pytestmark = [pytest.mark.node, by_waitress]

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


@pytest.mark.parametrize(("script", "method", "odd"), RUNS, ids=map(" ".join, RUNS))
def test_node_client_gets_uses_introspects_and_revokes_a_token(
    installed: Path, server: Server, script: str, method: str, odd: str
) -> None:
    client_id, secret = ODD_CLIENTS[odd]
    answer = run(installed, script, server.url, client_id, secret, method)
    server.confidential.add(answer.pop("token"))
    assert answer == {"scope": "read", "caller": client_id, **SCRIPTS[script][1]}
