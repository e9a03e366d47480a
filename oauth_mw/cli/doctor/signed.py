"""Checks with the credentials of a client. The tokens that it gets are revoked at the end."""

from __future__ import annotations

import base64
import json
import re
import time
from typing import NamedTuple

import click

from ...credentials import is_printable
from ...errors import AdminError
from ...tokens.opaque import storage_key
from ..failures import DeploymentUnavailable
from ..fetching import Answer
from ..scraping import basic_of, members_of
from .checks import CLOCK_SECONDS, storable
from .deployment import Deployment, bearer_challenge, described, error_of, says_invalid_token
from .ending import held_back, unwinding
from .finding import CERTAIN, FINE, LIKELY, Finding, fine, unknown

_DIGITS = re.compile(r"[0-9]{1,10}")
_MOST_SECONDS = 10**11  # more fit no clock
TOKENS = 4  # that are requested
CALLS = 12  # with the first of them: enough to meet each of a few workers


class Client(NamedTuple):
    client_id: str
    secret: str
    scope: str

    def __repr__(self) -> str:
        return f"Client({self.client_id!r})"


class Token(NamedTuple):
    """A token, and the Unix seconds between which it was issued."""

    text: str
    lifetime: int | None
    sent: float
    received: float

    def off(self) -> float | None:
        """Seconds by which the clock of its worker differs, as far as that can be told."""
        at = issued_at(self.text, self.lifetime)
        return None if at is None else max(self.sent - 1 - at, at - 1 - self.received, 0.0)


def withheld(deployment: Deployment, findings: list[Finding]) -> str:
    """Why no credential may be sent; empty if it may."""
    if deployment.is_plain:
        return "not sent over plain http"
    try:
        if not deployment.has_token_path:
            return f"not sent: POST {deployment.token_path} is not answered by the token path"
    except (DeploymentUnavailable, AdminError) as failed:
        return f"not sent: {failed}"
    if any(each.fault == "authorization" for each in findings):
        return "not sent: Authorization is dropped"
    if deployment.guards and not says_invalid_token(deployment.made_up):
        return "not sent: a made-up token does not reach the app"
    return ""


def signed(deployment: Deployment, client: Client) -> list[Finding]:
    """What is found with the client's credentials."""
    calls = Calls(deployment, client)
    with unwinding():
        try:
            findings = calls.findings()
        except (DeploymentUnavailable, AdminError) as failed:
            findings = [unknown("client", str(failed))]
        except BaseException:
            for each in calls.revoke():
                click.echo(f"{each.check}: {each.evidence}", err=True)
            raise
        return findings + calls.revoke()


class Calls:
    """Calls of one client."""

    def __init__(self, deployment: Deployment, client: Client) -> None:
        self._deployment, self._client = deployment, client
        self._in_body = False
        self._tokens: list[Token] = []
        self._issued: list[Answer] = []
        self._refused: list[Answer] = []
        self._shared = False  # until it was seen

    def _post(self, path: str, form: dict[str, str]) -> Answer:
        known = self._client
        if self._in_body:
            return self._deployment.post(path, form | {"client_id": known.client_id, "client_secret": known.secret})
        return self._deployment.post(path, form, basic_of(known.client_id, known.secret))

    def _request_tokens(self) -> None:
        for number in range(TOKENS):
            if self._request_token() or number or error_of(self._refused[0]) != "invalid_client":
                continue
            self._in_body = True  # perhaps it may not use Basic (RFC 6749 §2.3.1)
            if self._request_token():
                self._refused.clear()
            else:
                self._in_body = False
                self._refused.pop()

    def _request_token(self) -> bool:
        form = {"grant_type": "client_credentials"} | ({"scope": self._client.scope} if self._client.scope else {})
        sent = time.time()
        with held_back():  # a token that is issued meanwhile must be known, to be revoked
            answer = self._post(self._deployment.token_path, form)
            members = members_of(answer.text)
            token = members.get("access_token")
            if answer.status == 200 and isinstance(token, str) and is_printable(token):
                self._tokens.append(Token(token, _number(members.get("expires_in")), sent, time.time()))
                self._issued.append(answer)
                return True
            self._refused.append(answer)
            return False

    def findings(self) -> list[Finding]:
        self._request_tokens()
        if not self._tokens:
            return [unknown("client", f"it gets no token: {described(self._refused[0])}")]
        shared = self._sharing()
        self._shared = shared.verdict == FINE
        return [shared, self._clocks(), self._caching()]

    def _sharing(self) -> Finding:
        name = "workers"
        if unknown_to := [each for each in self._refused if error_of(each) == "invalid_client"]:
            seen = f"{len(unknown_to)} of {TOKENS} token requests: {described(unknown_to[0])}"
            return Finding(name, LIKELY, seen, "not shared")
        if not self._deployment.guards:
            return unknown(name, f"GET {self._deployment.path} needs no token: give --path with one that does")
        answers = [self._call(self._tokens[0]) for _ in range(CALLS)]
        refused = [each for each in answers if says_invalid_token(each)]
        if refused:
            seen = f"{len(refused)} of {CALLS} requests with a new token: {described(refused[0])}"
            return Finding(name, LIKELY, seen, "not shared")
        if any(bearer_challenge(each) and each.status == 401 or each.status == 429 for each in answers):
            return unknown(name, f"requests with a new token: {described(answers[-1])}")
        return fine(name, f"{CALLS} of {CALLS} requests with a new token are accepted")

    def _call(self, token: Token) -> Answer:
        return self._deployment.get(credential=f"Bearer {token.text}")

    def _clocks(self) -> Finding:
        name = "workers' clocks"
        off = [seconds for token in self._tokens if (seconds := token.off()) is not None]
        if not off:
            return unknown(name, "the tokens do not show when they were issued")
        if max(off) > CLOCK_SECONDS:
            return Finding(name, LIKELY, f"a token was issued {max(off):.0f} s off this machine's clock", "clock")
        return fine(name, f"{len(off)} tokens were issued at the time of this machine's clock")

    def _caching(self) -> Finding:
        name = "stored answers"
        if len({token.text for token in self._tokens}) < len(self._tokens):
            return Finding(name, CERTAIN, "two token requests got the same token", "cached")
        if stored := next(filter(None, map(storable, self._issued)), ""):
            return Finding(name, CERTAIN, f"POST {self._deployment.token_path}, a token: {stored}", "cached")
        if self._deployment.guards:
            answer = self._deployment.get()
            if not bearer_challenge(answer) and answer.status < 400:
                seen = f"GET {self._deployment.path} without a token, after one with: {described(answer)}"
                return Finding(name, CERTAIN, seen, "cached")
        return fine(name, f"{len(self._tokens)} token requests got different tokens")

    def revoke(self) -> list[Finding]:
        """Revoke all tokens; unless workers share a store, once in each of them, as far as chance goes."""
        with held_back():
            why = list(filter(None, map(self._refusal, self._tokens)))
        if why:
            return [unknown("revocation", f"{len(why)} tokens stay valid until they expire: {why[-1]}")]
        return [fine("revocation", f"{len(self._tokens)} tokens were revoked")] if self._tokens else []

    def _refusal(self, token: Token) -> str:
        """Why a token was not revoked; empty if it was. Where one request gets no answer, another would wait, too."""
        answers: list[Answer] = []
        try:
            for _ in range(1 if self._shared else CALLS):
                answers.append(self._post(self._deployment.revocation_path, {"token": token.text}))
        except (DeploymentUnavailable, AdminError) as failed:
            return str(failed)
        return "" if any(each.status == 200 for each in answers) else described(answers[-1])


def _number(given: object) -> int | None:
    """A number, also one that is text, as with ``compatibility = apigee``."""
    if isinstance(given, str) and _DIGITS.fullmatch(given):
        return int(given)
    return given if isinstance(given, int) and 0 <= given < _MOST_SECONDS else None


def issued_at(token: str, lifetime: int | None) -> float | None:
    """When a token was issued, by its claim (RFC 7519 §4.1.6) or its expiry; ``None`` if it is not one of ours.

    Nothing is verified.
    """
    if key := storage_key(token):
        return int.from_bytes(key[:4]) - lifetime if lifetime is not None else None
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    moment = claims.get("iat") if isinstance(claims, dict) else None
    return _number(moment)
