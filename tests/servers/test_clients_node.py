"""Stock Node clients, unmodified, in the versions of ``node/package.json``: what the Python ones do."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hosting import HERE, Server
from odd_clients import ODD_CLIENTS

pytestmark = pytest.mark.node

INSTALL_SECONDS = 240
RUN_SECONDS = 30

# The methods that each script knows, and what its client can do beside asking for a token.
BOTH = ("client_secret_basic", "client_secret_post")
SCRIPTS = {
    "oauth4webapi": (BOTH, {"active": True, "refused": "invalid_token"}),
    "openid-client": (BOTH, {"active": True, "refused": "invalid_token"}),
    "simple-oauth2": ((*BOTH, "client_secret_basic_raw"), {"refused": "invalid_token"}),
    "client-oauth2": (("client_secret_basic_raw",), {}),
    "badgateway": ((*BOTH, "client_secret_basic_interop"), {"active": True, "refused": "invalid_token"}),
    "axios-oauth-client": (("client_secret_post",), {}),
}
RUNS = [
    (script, method, odd)
    for script, (methods, _) in SCRIPTS.items()
    for method in methods
    for odd in ODD_CLIENTS
    # This method encodes colons but no percent signs: where both occur, nobody can tell what was meant.
    if (method, odd) != ("client_secret_basic_interop", "all")
]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scripts and the packages that they use."""
    assert shutil.which("node") and shutil.which("npm"), "Node.js and npm are needed"
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(HERE / "node", folder, dirs_exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    assert done.returncode == 0, done.stderr
    return folder


def run(installed: Path, script: str, *arguments: str) -> Any:
    command = ["node", f"{script}.mjs", *arguments]
    done = subprocess.run(command, cwd=installed, capture_output=True, text=True, timeout=RUN_SECONDS)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("script", "method", "odd"), RUNS, ids=map(" ".join, RUNS))
def test_node_client_gets_uses_introspects_and_revokes_a_token(
    installed: Path, service: Server, script: str, method: str, odd: str
) -> None:
    client_id, secret = ODD_CLIENTS[odd]
    answer = run(installed, script, service.url, client_id, secret, method)
    service.confidential.add(answer.pop("token"))
    assert answer == {"scope": "read", "caller": client_id, **SCRIPTS[script][1]}
