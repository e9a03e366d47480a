"""Client authentication at the token, revocation and introspection endpoints (RFC 6749 §2.3).

First the mechanism that the request uses is determined, whatever is configured; there must be exactly one.
Then its function, by its registered name, returns the readings of id and secret to try.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .credentials import MAX_ID, MAX_SECRET, is_printable, live_secret, matching_verifier
from .errors import InvalidClient, InvalidRequest
from .http import Form, basic_credentials, form_decode
from .model import Client, Clock
from .protocols import ClientReader

if TYPE_CHECKING:
    from .webob import Request


# Base64 of the longest id and secret, with each of their characters as %XX.
MAX_BASIC = 4 * (MAX_ID + MAX_SECRET + 1)


class Reading(NamedTuple):
    """One way to decode the credentials of a request."""

    client_id: str
    secret: str


def _basic(request: Request, form: Form) -> Sequence[Reading]:
    """Both readings of a Basic header: form-decoded (RFC 6749 §2.3.1), then raw, as many clients send it."""
    _, _, value = request.environ["HTTP_AUTHORIZATION"].partition(" ")
    value = value.strip(" \t")
    decoded = basic_credentials(value) if len(value) <= MAX_BASIC else None
    if decoded is None:
        return ()
    client_id, _, secret = decoded.partition(b":")
    readings = []
    # If nothing is encoded, both readings are the same.
    for read in (form_decode, _raw) if b"%" in decoded or b"+" in decoded else (_raw,):
        try:
            readings.append(Reading(read(client_id), read(secret)))
        except ValueError:
            continue
    return readings


def _raw(text: bytes) -> str:
    return text.decode("utf-8")


def _post(request: Request, form: Form) -> Sequence[Reading]:
    return (Reading(form.get("client_id", ""), form["client_secret"]),)


METHODS: dict[str, Callable[[Request, Form], Sequence[Reading]]] = {
    "client_secret_basic": _basic,
    "client_secret_post": _post,
}


@dataclass(eq=False, repr=False)
class ClientAuthentication:
    """Authenticates the client of a request.

    :param methods: the registered names of the enabled methods.
    :param realm: the realm of the challenge.
    """

    clients: ClientReader
    methods: Sequence[str]
    realm: str
    clock: Clock

    def __call__(self, request: Request, form: Form) -> Client:
        """Return the authenticated client.

        :raises InvalidRequest: more than one mechanism, or two different client ids.
        :raises InvalidClient: authentication failed; the answer is the same whatever the reason.
        :raises StoreUnavailable: the client cannot be read.
        """
        method = self._mechanism(request, form)
        if method not in self.methods:
            raise self._invalid(f"client authentication by {method} is not enabled")
        client = self._first_match(METHODS[method](request, form))
        named = form.get("client_id")
        if named is not None and named != client.client_id:
            raise InvalidRequest("client_id differs from the authenticated client", client.client_id)
        return client

    def _mechanism(self, request: Request, form: Form) -> str:
        header = request.environ.get("HTTP_AUTHORIZATION")
        if header is not None and header.partition(" ")[0].lower() != "basic":
            raise self._invalid("the Authorization scheme is not Basic")
        found = [] if header is None else ["client_secret_basic"]
        if "client_secret" in form:
            found.append("client_secret_post")
        if "client_assertion" in form or "client_assertion_type" in form:
            found.append("private_key_jwt")
        if not found:
            raise self._invalid("no client authentication")
        if len(found) > 1:
            raise InvalidRequest("more than one way of client authentication")
        return found[0]

    def _first_match(self, readings: Sequence[Reading]) -> Client:
        """Try every reading, also after a match.

        So all failures take the same time, except for a correct secret that has expired or whose client is disabled.
        """
        now = self.clock()
        found = None
        reason, owner = "malformed credentials", ""
        for client_id, secret in readings:
            if not (0 < len(client_id) <= MAX_ID and 0 < len(secret) <= MAX_SECRET):
                continue
            if not is_printable(client_id + secret):
                continue
            verifiers = self.clients.find_verifiers(client_id)
            matched = matching_verifier(secret, verifiers)
            if matched is None:
                has_secrets = bool(verifiers.strip(b"\0"))
                reason, owner = ("wrong secret", client_id) if has_secrets else ("no client with secrets", "")
                continue
            # From here on the time may depend on the record: the caller has proved that it has the secret.
            client = self.clients.find_client(client_id)
            if client is None or live_secret(client, matched, now) is None:
                reason, owner = "expired or revoked secret", client_id
            elif not client.enabled:
                reason, owner = "disabled client", client_id
            elif found is None:
                found = client
        if found is None:
            raise self._invalid(reason, owner)
        return found

    def _invalid(self, reason: str, client_id: str = "") -> InvalidClient:
        return InvalidClient(reason, client_id, self.realm)
