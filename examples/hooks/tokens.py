"""Functions that decide about tokens: what they carry, how long they are valid, and who gets none.

    python examples/hooks/tokens.py

It prints what three clients are answered, and what the app sees of the first one's token.
"""

from __future__ import annotations

from werkzeug import Request, Response
from werkzeug.test import Client

from oauth_mw import OAuthMiddleware, admin, current_token, open_store
from oauth_mw.hooks import RefuseToken


def tier(client, scope, form):
    """Attributes of the token. The contract is an attribute of the client."""
    if client.attributes.get("contract") == "ended":
        raise RefuseToken("the contract has ended")
    return {"tier": "gold" if "reports:write" in scope.split() else "free", "device": form.get("device", "")[:40]}


def seconds(client, scope, form):
    """How long the token is valid: what may write is valid for ten minutes."""
    return 600 if "reports:write" in scope.split() else 3600


@Request.application
def app(request):
    """The wrapped app: it shows the attributes of the token."""
    return Response(f"{dict(current_token(request.environ).attributes)}\n")


store = open_store("memory://")
wrapped = OAuthMiddleware(app, store=store, on_issue=tier, on_issue_public=["tier"], on_lifetime=seconds)
browser = Client(wrapped)


def ask(name, scope, **attributes):
    """What the token endpoint answers a new client."""
    client, secret = admin.add_client(store, name, scope=scope, attributes=attributes)
    form = {"grant_type": "client_credentials", "device": "tablet"}
    return browser.post("/oauth/token", data=form, auth=(client.client_id, secret)).json


if __name__ == "__main__":
    writer = ask("Writer", "reports:read reports:write")
    print("writer:", writer["tier"], writer["expires_in"])
    reader = ask("Reader", "reports:read")
    print("reader:", reader["tier"], reader["expires_in"])
    print("former:", ask("Former", "reports:read", contract="ended")["error"])
    print(browser.get("/", headers={"Authorization": f"Bearer {writer['access_token']}"}).text, end="")
