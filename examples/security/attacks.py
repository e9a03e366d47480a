"""Attack a small protected app, and print what each attempt is answered: the two tables of README.md beside this file.

    python examples/security/attacks.py

Nothing is served: the requests are made in this process, against a store in memory and a clock that moves by hand.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, request
from joserfc import jwt
from joserfc.jwk import ECKey
from werkzeug.test import Client, TestResponse

from oauth_mw import OAuthMiddleware, admin
from oauth_mw.testing import Sandbox, sandbox

API, ELSEWHERE = "https://api.example", "https://billing.example"

app = Flask(__name__)
flask_app = app.wsgi_app


def with_override(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Something inside the middleware that changes the method: in the wrong place, for the last table."""
    environ["REQUEST_METHOD"] = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", environ["REQUEST_METHOD"])
    return flask_app(environ, start_response)


app.wsgi_app = OAuthMiddleware(
    with_override,
    store="memory://",
    issuer="https://auth.example",
    audience=API,
    public_paths=["/health"],
    required_scopes=[
        ("GET", "/reports/*", "reports:read"),
        ("POST", "/reports/*", "reports:write"),
        ("*", "/items/7", "staff"),
    ],
)


@app.get("/health")
@app.get("/")
@app.route("/reports", methods=["GET", "POST", "DELETE"])
@app.get("/items/<int:number>")
def view(number: int = 0) -> str:
    return f"{request.method} by {request.environ.get('oauth_mw.client_id', 'no client')}"


class Attacker:
    """What an attacker can send, and the client ``job`` with the scope ``reports:read`` whose secret was stolen."""

    def __init__(self, oauth: Sandbox) -> None:
        self.oauth, self.http = oauth, Client(app)
        job = admin.add_client(oauth.store, "Job", client_id="job", scope="reports:read", audiences=[API, ELSEWHERE])
        other = admin.add_client(oauth.store, "Other", client_id="other", scope="reports:read")
        self.job, self.other = ("job", job.secret), ("other", other.secret)

    def get(self, path: str, token: str = "", method: str = "GET", **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.http.open(path, method=method, headers={**headers, **options.pop("headers", {})}, **options)

    def raw(self, path: bytes, token: str = "") -> TestResponse:
        return self.get("/", token, environ_overrides={"PATH_INFO": path.decode("latin-1")})

    def ask(self, auth: tuple[str, str] | None, path: str = "/oauth/token", **form: Any) -> TestResponse:
        data = {"grant_type": "client_credentials", **form} if path == "/oauth/token" else form
        return self.http.post(path, data=data, auth=auth)

    def token(self, **form: Any) -> str:
        answer = self.ask(self.job, **form).get_json()
        return str(answer["access_token"])

    def jwt(self) -> str:
        admin.update_client(self.oauth.store, "job", token_format="jwt")
        return self.token()

    def revoked(self, token: str) -> str:
        self.ask(self.job, "/oauth/revoke", token=token)
        return token

    def spared(self, token: str) -> str:
        self.ask(self.other, "/oauth/revoke", token=token)
        return token

    def after(self, seconds: float, token: str) -> str:
        self.oauth.clock.move(seconds)
        return token

    def disabled(self) -> str:
        token = self.token()
        admin.disable_client(self.oauth.store, "job")
        return token


def part(value: Any) -> str:
    """A part of a JWT."""
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def claims(token: str) -> dict[str, Any]:
    """What is readable in a JWT without a key."""
    return dict(json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==")))


def forged(token: str, header: dict[str, Any], key: bytes = b"") -> str:
    """A JWT with the claims of ``token``, another header, and an HMAC as its signature, or none."""
    signed = f"{part({'typ': 'at+jwt', **header})}.{part(claims(token))}"
    return f"{signed}.{part(hmac.digest(key, signed.encode(), hashlib.sha256)) if key else ''}"


def with_scope(token: str, scope: str) -> str:
    """The JWT with another scope and its old signature."""
    header, _, signature = token.split(".")
    return f"{header}.{part({**claims(token), 'scope': scope})}.{signature}"


def public_key(attacker: Attacker) -> dict[str, Any]:
    return dict(attacker.get("/oauth/jwks").get_json()["keys"][0])


def checked_elsewhere(attacker: Attacker, token: str) -> str:
    """What a service finds that has the public key and sends no request to the server."""
    return f"accepted, for {jwt.decode(token, ECKey.import_key(public_key(attacker))).claims['client_id']}"


def shown(answer: TestResponse | str) -> str:
    """Status and error code; or what the attempt itself says."""
    if isinstance(answer, str):
        return answer
    error = (answer.get_json(silent=True) or {}).get("error")
    return f"{answer.status_code} {error}" if error else str(answer.status_code)


def same(answers: Iterable[TestResponse]) -> TestResponse:
    """The one answer that all of them are, byte for byte."""
    first, *others = answers
    for each in others:
        assert (each.status, each.data) == (first.status, first.data)
    return first


Attempt = Callable[[Attacker], "TestResponse | str"]

PATHS: dict[str, Attempt] = {
    "a path that no rule and no public path names": lambda a: a.get("/"),
    "a neighbour of the public path: `/health/`": lambda a: a.get("/health/"),
    "the public path in capitals: `/HEALTH`": lambda a: a.get("/HEALTH"),
    "`/health/../reports`": lambda a: a.raw(b"/health/../reports"),
    "`//reports`, `/reports;x`, a byte that is not UTF-8": lambda a: same(
        a.raw(path, a.token()) for path in (b"//reports", b"/reports;x", b"/reports\xff")
    ),
    "`X-Original-URL: /health` beside another path": lambda a: a.get("/", headers={"X-Original-URL": "/health"}),
    "the token in the query or in a cookie": lambda a: same(
        [a.get(f"/?access_token={a.token()}"), a.get("/", headers={"Cookie": f"access_token={a.token()}"})]
    ),
    "an environ key of ours that a server passed in, on a public path": lambda a: (
        a.get("/health", environ_overrides={"oauth_mw.client_id": "admin"}).text
    ),
}

TOKENS: dict[str, Attempt] = {
    "a method that needs another scope": lambda a: a.get("/reports", a.token(), "POST"),
    "a method that no rule names, on a path with rules": lambda a: a.get("/reports", a.token(), "DELETE"),
    "for comparison, a token as it was issued, opaque or JWT": lambda a: same(
        a.get("/reports", token) for token in (a.token(), a.jwt())
    ),
    "an invented token, a shortened one, one of 100 kB": lambda a: same(
        a.get("/", token) for token in ("x" * 48, a.token()[:-1], "x" * 100_000)
    ),
    "two tokens in one header": lambda a: a.get("/", f"{a.token()}, {a.token()}"),
    "an expired token": lambda a: a.get("/", a.after(2 * 3600, a.token())),
    "a revoked token, opaque or JWT": lambda a: same(a.get("/", a.revoked(t)) for t in (a.token(), a.jwt())),
    "a token of a client that was disabled since": lambda a: a.get("/", a.disabled()),
    "a token for another service": lambda a: a.get("/", a.token(resource=ELSEWHERE)),
    "a JWT without a signature (`alg: none`)": lambda a: a.get("/", forged(a.jwt(), {"alg": "none"})),
    "a JWT signed by HMAC with the public key": lambda a: a.get(
        "/", forged(a.jwt(), {"alg": "HS256", "kid": public_key(a)["kid"]}, json.dumps(public_key(a)).encode())
    ),
    "a JWT that brings its own key (`jwk` in its header)": lambda a: a.get(
        "/", forged(a.jwt(), {"alg": "HS256", "jwk": {"kty": "oct", "k": part(b"k" * 32)}}, b"k" * 32)
    ),
    "a JWT whose scope was changed": lambda a: a.get("/reports", with_scope(a.jwt(), "reports:write"), "POST"),
}

SECRETS: dict[str, Attempt] = {
    "a wrong secret, an unknown client, a disabled client: compared byte for byte": lambda a: same(
        [a.ask(("job", "wrong")), a.ask(("stranger", "wrong")), (a.disabled(), a.ask(a.job))[1]]
    ),
    "a scope that the client may not have": lambda a: a.ask(a.job, scope="reports:write"),
    "an audience that the client may not have": lambda a: a.ask(a.job, resource="https://admin.example"),
    "a parameter twice": lambda a: a.ask(a.job, scope=["reports:read", "reports:read"]),
    "the secret in the header and in the form": lambda a: a.ask(a.job, client_id="job", client_secret=a.job[1]),
    "the secret in the query": lambda a: a.http.post(
        f"/oauth/token?client_id=job&client_secret={a.job[1]}", data={"grant_type": "client_credentials"}
    ),
    "a token request by GET": lambda a: a.get("/oauth/token?grant_type=client_credentials"),
    "introspection of another client's token": lambda a: a.ask(a.other, "/oauth/introspect", token=a.token()).text,
    "a token that another client tried to revoke": lambda a: a.get("/", a.spared(a.token())),
}

LIMITS: dict[str, tuple[Attempt, str]] = {
    "use a stolen token": (
        lambda a: a.get("/reports", a.token()),
        "A token works for anyone that has it: serve https, keep lifetimes short, revoke what leaked.",
    ),
    "send a secret over plain http": (
        lambda a: a.ask(a.job),
        "Only the server or proxy can enforce https; nothing is inferred from `X-Forwarded-Proto`.",
    ),
    "guess secrets a hundred times, then send the right one": (
        lambda a: ([a.ask(("job", f"guess {n}")) for n in range(100)], a.ask(a.job))[1],
        "A generated secret has 256 random bits. Replace weak ones: a limit only slows down who guesses them.",
    ),
    "read a JWT without a key": (
        lambda a: "its claims: " + ", ".join(sorted(claims(a.jwt()))),
        "A JWT has public attributes only. The others reach the app with opaque tokens alone.",
    ),
    "use a revoked JWT at a service that checks the signature alone": (
        lambda a: checked_elsewhere(a, a.revoked(a.jwt())),
        "Keep lifetimes of JWTs short, or let the service introspect.",
    ),
    "find another spelling of a value: `/items/07` past a rule for `/items/7`": (
        lambda a: a.get("/items/07", a.token()),
        "Rules compare text. Write `/items/{id}` and let the view decide, or close the rest: `* /* admin`.",
    ),
    "have the app take another method: `X-HTTP-Method-Override`": (
        lambda a: "the view runs: " + a.get("/reports", a.token(), headers={"X-HTTP-Method-Override": "POST"}).text,
        "The guard sees GET. What rewrites method or path must wrap the middleware.",
    ),
    "read reports of another customer": (
        lambda a: a.get("/reports?customer=2", a.token()),
        "A scope opens a path, not a row. The view decides, by `oauth_mw.client_id` or the token's attributes.",
    ),
}


def tried(attempt: Attempt) -> str:
    with sandbox(app) as oauth:
        return shown(attempt(Attacker(oauth)))


def tables() -> str:
    """What README.md shows."""
    lines = ["| what is tried | what is answered |", "| --- | --- |"]
    for text, attempt in (PATHS | TOKENS | SECRETS).items():
        lines.append(f"| {text} | {tried(attempt)} |")
    lines += ["", "| what still works | what happens | what to do |", "| --- | --- | --- |"]
    for text, (attempt, advice) in LIMITS.items():
        lines.append(f"| {text} | {tried(attempt)} | {advice} |")
    return "\n".join(lines)


if __name__ == "__main__":
    logging.disable()  # the tables say what is refused
    print(tables())
