"""Log each refused request as one line of JSON, with the fields that oauth_mw gives to the record.

python examples/logs/json_lines.py
"""

from __future__ import annotations

import json
import logging
import sys

from flask import Flask

from oauth_mw import OAuthMiddleware
from oauth_mw.testing import sandbox

PREFIX = "oauth_mw_"


class JSONLines(logging.Formatter):
    def format(self, record):
        fields = {name.removeprefix(PREFIX): value for name, value in vars(record).items() if name.startswith(PREFIX)}
        return json.dumps({"level": record.levelname, "message": record.getMessage(), **fields})


app = Flask(__name__)
app.wsgi_app = OAuthMiddleware(app.wsgi_app, store="memory://", required_scopes=["GET /reports/* reports:read"])

if __name__ == "__main__":
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JSONLines())
    log = logging.getLogger("oauth_mw")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    with sandbox(app) as oauth:
        app.test_client().get("/reports")
        oauth.authorize(app.test_client(), scope="orders").get("/reports")
    log.removeHandler(handler)
