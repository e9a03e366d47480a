"""An app that writes its audit trail to a file, and a few requests at 14:03.

python examples/operations/audit_trail.py
"""

from __future__ import annotations

import logging
from logging.handlers import WatchedFileHandler

from flask import Flask

from oauth_mw import OAuthMiddleware
from oauth_mw.audit import flush
from oauth_mw.testing import sandbox

audit = logging.getLogger("oauth_mw.audit")

app = Flask(__name__)
app.wsgi_app = OAuthMiddleware(  # type: ignore[method-assign]
    app.wsgi_app,
    store="memory://",
    required_scopes=["GET /reports/* reports:read"],
    request_id_key="HTTP_X_REQUEST_ID",
)

if __name__ == "__main__":
    handler = WatchedFileHandler("audit.jsonl")
    audit.addHandler(handler)
    with sandbox(app, now=1_796_047_380) as oauth:
        oauth.authorize(app.test_client(), scope="orders", client="job").get(
            "/reports", headers={"X-Request-ID": "7f3a"}
        )
        app.test_client().get("/reports/daily")
    flush()  # the lines are written in a thread
    audit.removeHandler(handler)
    handler.close()
    with open("audit.jsonl") as file:
        print(file.read(), end="")
