"""Another service, without the middleware: it checks JWTs by the public keys of their issuer.

    pip install flask 'PyJWT[crypto]'
    ISSUER=http://127.0.0.1:8080 flask --app examples/jwt/billing.py run --port 8081

The issuer has ``issuer`` and ``token_format = jwt``, and a client that may request tokens for AUDIENCE.
"""

from __future__ import annotations

import os

import jwt
from flask import Flask, g, jsonify, request

ISSUER = os.environ.get("ISSUER", "https://example.com")
AUDIENCE = os.environ.get("AUDIENCE", "https://billing.example.com")
keys = jwt.PyJWKClient(f"{ISSUER}/oauth/jwks")
app = Flask(__name__)


def check(token):
    if jwt.get_unverified_header(token).get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("no access token")
    key, needed = keys.get_signing_key_from_jwt(token), ["exp", "client_id"]
    return jwt.decode(
        token, key, algorithms=["ES256"], issuer=ISSUER, audience=AUDIENCE, leeway=10, options={"require": needed}
    )


@app.before_request
def authenticate():
    authorization = request.authorization
    if authorization is None or authorization.type != "bearer" or not authorization.token:
        return jsonify(error="missing_token"), 401, {"WWW-Authenticate": "Bearer"}
    try:
        g.claims = check(authorization.token)
    except jwt.PyJWTError:
        return jsonify(error="invalid_token"), 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'}


@app.get("/invoices")
def invoices():
    return jsonify(client=g.claims["client_id"], scope=g.claims["scope"])
