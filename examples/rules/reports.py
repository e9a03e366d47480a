"""A Flask app behind rules, with views that need more than a rule can say, and what each request is answered.

python examples/rules/reports.py
"""

from __future__ import annotations

from flask import Flask, request

from oauth_mw import OAuthMiddleware, forbidden
from oauth_mw.contrib.flask import any_of, require_scope
from oauth_mw.testing import sandbox

app = Flask(__name__)
app.wsgi_app = OAuthMiddleware(
    app.wsgi_app,
    store="memory://",
    public_paths=["/health"],
    required_scopes=[("GET,POST", "/reports/*", "any of reports staff"), ("*", "/*", "admin")],
)


@app.get("/health")
def health():
    return "ok\n"


@app.get("/reports/<name>")
@require_scope("reports", any_of("monthly", "yearly"))
def read(name):
    return f"report {name}\n"


@app.post("/reports/<name>")
def write(name):
    needed = f"reports:write:{name}"
    if not request.environ["oauth_mw.token"].has_scope(needed):
        return forbidden(needed)
    return f"report {name} is written\n"


if __name__ == "__main__":
    with sandbox(app) as oauth:
        print("scope                   GET /health, then GET, POST and PUT /reports/q3")
        for scope in ("", "reports", "reports monthly", "staff reports:write:q3"):
            client = oauth.authorize(app.test_client(), scope=scope)
            answers = [client.open("/reports/q3", method=method) for method in ("GET", "POST", "PUT")]
            print(f"{scope or '-':23}", *(each.status_code for each in (client.get("/health"), *answers)))
