"""What wrong secrets are answered, and right ones beside them.

python examples/throttling/guesses.py
"""

from __future__ import annotations

from flask import Flask

from oauth_mw import OAuthMiddleware, admin
from oauth_mw.testing import sandbox

app = Flask(__name__)
app.wsgi_app = OAuthMiddleware(app.wsgi_app, store="memory://")

HERE, THERE = "203.0.113.7", "198.51.100.9"
WEAK = "hunter2"


def status(client_id: str, secret: str, address: str = HERE) -> int:
    """Of a token request from an address."""
    form = {"grant_type": "client_credentials"}
    environ = {"REMOTE_ADDR": address}
    return app.test_client().post("/oauth/token", data=form, auth=(client_id, secret), environ_base=environ).status_code


if __name__ == "__main__":
    with sandbox(app) as oauth:
        generated = admin.add_client(oauth.store, "Nightly report job", client_id="job").secret
        admin.add_client(oauth.store, "Old importer", client_id="old", secret=WEAK, allow_weak_secret=True)
        print("client  20 wrong secrets  one more  the right one  the same from another address")
        for client_id, right in (("job", generated), ("old", WEAK)):
            wrong = {status(client_id, f"guess {number}") for number in range(20)}
            more = status(client_id, "guess"), status(client_id, right), status(client_id, right, THERE)
            print(f"{client_id:7}", *wrong, *more)
