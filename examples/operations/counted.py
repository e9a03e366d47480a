"""An app with metrics: what a scrape shows after a few requests. It prints some of it.

python examples/operations/counted.py
"""

from __future__ import annotations

from flask import Flask
from prometheus_client import Counter

from oauth_mw import OAuthMiddleware
from oauth_mw.testing import sandbox

SHOWN = ("oauth_mw_checks_total", "oauth_mw_refusals_total", "oauth_mw_cache_hits_total", "reports_")

reports = Counter("reports_total", "Reports that were read.")
app = Flask(__name__)
app.wsgi_app = OAuthMiddleware(  # type: ignore[method-assign]
    app.wsgi_app,
    store="memory://",
    metrics_path="/metrics",
    required_scopes=["GET /metrics metrics:read", "GET /reports reports:read"],
)


@app.get("/reports")
def read() -> str:
    reports.inc()
    return "a report"


if __name__ == "__main__":
    with sandbox(app) as oauth:
        client = oauth.authorize(app.test_client(), scope="reports:read", client="job")
        for _ in range(3):
            client.get("/reports")
        app.test_client().get("/reports")
        prometheus = oauth.authorize(app.test_client(), scope="metrics:read", client="prometheus")
        print(*filter(lambda line: line.startswith(SHOWN), prometheus.get("/metrics").text.splitlines()), sep="\n")
