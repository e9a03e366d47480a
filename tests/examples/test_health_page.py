"""The probes that the page on operations shows ask for what the middleware answers."""

from __future__ import annotations

import re

import pytest
import yaml

from helpers.pages import fence
from helpers.support import echo
from helpers.wsgi_client import CheckedApp
from oauth_mw import OAuthMiddleware
from oauth_mw.endpoints.health import LOOK_SECONDS

PAGE = "examples/operations/README.md"
KUBERNETES = yaml.safe_load(fence(PAGE, "yaml", "livenessProbe"))
HAPROXY = fence(PAGE, "haproxy")


@pytest.mark.parametrize(("probe", "name"), [("livenessProbe", "live"), ("readinessProbe", "ready")])
def test_each_probe_of_kubernetes_has_its_path_and_more_time_than_a_look(probe, name):
    app = CheckedApp(OAuthMiddleware(echo, store="memory://", health_path="/health"))
    path = KUBERNETES[probe]["httpGet"]["path"]

    assert path == f"/health/{name}" and app.get(path).json == {"status": "ok"}
    assert KUBERNETES[probe]["timeoutSeconds"] > LOOK_SECONDS


def test_a_load_balancer_asks_whether_the_worker_is_ready():
    assert re.findall("httpchk GET (.*)", HAPROXY) == ["/health/ready"]
    assert int(re.findall("timeout check (.*)s", HAPROXY)[0]) > LOOK_SECONDS
