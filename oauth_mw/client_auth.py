"""Client authentication at the token, revocation and introspection endpoints (RFC 6749 §2.3).

First the method that the request uses is determined, enabled or not; there must be exactly one.
Then its function, by its registered name, returns the readings of id and secret to try.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING
from wsgiref.types import WSGIEnvironment

from .credentials import MAX_ID, MAX_SECRET, has_expired, is_printable, live_secret, matching_verifier
from .errors import AUTHORIZATION, InvalidClient, InvalidRequest
from .http import Form, basic_credentials, form_decode, is_encoded
from .model import Client, ClientSecret, Clock, Verifiers
from .protocols import ClientReader
from .server import environ_key
from .stores.records import verifiers_with
from .throttle import Throttle

if TYPE_CHECKING:
    from .webob import Request


# Base64 of the longest id and secret, with each of their characters as %XX.
MAX_BASIC = 4 * (MAX_ID + MAX_SECRET + 1)
MAX_KNOWN = 1024  # clients that are kept, so that most requests read no record


Reading = tuple[str, str]  # one way to decode the client id and the secret of a request


def _basic(header: str, form: Form) -> Sequence[Reading]:
    """Both readings of a Basic header: form-decoded (RFC 6749 §2.3.1), then raw, as many clients send it."""
    value = header.partition(" ")[2].strip(" \t")
    decoded = basic_credentials(value) if len(value) <= MAX_BASIC else None
    if decoded is None:
        return ()
    client_id, _, secret = decoded.partition(b":")
    readings = []
    # If nothing is encoded, both readings are the same.
    for read in (form_decode, bytes.decode) if is_encoded(decoded) else (bytes.decode,):
        try:
            readings.append((read(client_id), read(secret)))
        except ValueError:
            continue
    return readings


def _post(header: str, form: Form) -> Sequence[Reading]:
    return ((form.get("client_id", ""), form["client_secret"]),)


# What the endpoints need: the client of a request, or an ``EndpointError``.
Authenticate = Callable[["Request", Form], Client]

METHODS: dict[str, Callable[[str, Form], Sequence[Reading]]] = {
    "client_secret_basic": _basic,
    "client_secret_post": _post,
}


@dataclass(eq=False, repr=False)
class ClientAuthentication:
    """Authenticates the client of a request.

    :param methods: the registered names of the enabled methods.
    :param realm: the realm of the challenge.
    :param header: the name of the header with Basic credentials.
    :param on_use: called with the ids of an authenticated client and its secret, and the time. It raises nothing.
    :param throttle: counts wrong credentials; ``None``: nothing does.
    :param check_address: called with an authenticated client that has a list of addresses, and the environ. It raises
        an ``EndpointError`` if the address of the request is not on the list.
    """

    clients: ClientReader
    methods: Sequence[str]
    realm: str
    clock: Clock
    header: str = AUTHORIZATION
    _: KW_ONLY
    on_use: Callable[[str, str, float], None] = lambda client_id, secret_id, now: None
    throttle: Throttle | None = None
    check_address: Callable[[Client, WSGIEnvironment], None] = lambda client, environ: None

    def __post_init__(self) -> None:
        self._key = environ_key(self.header)
        self._known: dict[tuple[str, Verifiers], Client] = {}

    def authenticate(self, request: Request, form: Form) -> Client:
        """Return the client whose secret the request has.

        :raises InvalidRequest: more than one method, or two different client ids. No secret is compared then, so that
            the answer does not show whether it is right.
        :raises InvalidClient: authentication failed; the answer is the same whatever the reason.
        :raises EndpointError: as the throttle and ``check_address`` do.
        :raises StoreUnavailable: the client cannot be read.
        """
        environ, now = request.environ, self.clock()
        try:
            client, secret = self._first_match(self._readings(environ, form), now)
        except InvalidClient as refusal:
            if refusal.tried and self.throttle:  # else there were no credentials, or such that no client has
                self.throttle.count(refusal, environ)
            raise
        if secret.weak and self.throttle:
            self.throttle.check_weak(client.client_id, environ)
        self.on_use(client.client_id, secret.secret_id, now)
        if client.allowed_addresses:
            self.check_address(client, environ)
        return client

    def _readings(self, environ: WSGIEnvironment, form: Form) -> Sequence[Reading]:
        header = environ.get(self._key)
        method = self._method_of(header, form)
        if method not in self.methods:
            raise self._invalid(f"client authentication by {method} is not enabled")
        readings, named = METHODS[method](header or "", form), form.get("client_id")
        if readings and named is not None:
            readings = [each for each in readings if each[0] == named]
            if not readings:
                raise InvalidRequest("The parameter client_id names another client than the one that authenticates")
        return readings

    def _method_of(self, header: str | None, form: Form) -> str:
        if header is not None and header.partition(" ")[0].lower() != "basic":
            raise self._invalid(f"the {self.header} scheme is not Basic")
        found = [] if header is None else ["client_secret_basic"]
        if "client_secret" in form:
            found.append("client_secret_post")
        if "client_assertion" in form or "client_assertion_type" in form:
            found.append("private_key_jwt")
        if not found:
            raise self._invalid("no client authentication")
        if len(found) > 1:
            raise InvalidRequest("The client authenticates by more than one method: use one")
        return found[0]

    def _first_match(self, readings: Sequence[Reading], now: float) -> tuple[Client, ClientSecret]:
        """Return the client that is authenticated, and the secret by which it is.

        Every reading is tried, also after a match. So all failures take the same time, except for a correct secret that
        has expired, or whose client has expired or is disabled.
        """
        found, proved = None, False
        reason, owner = "malformed credentials", ""
        tried: list[tuple[str, bool]] = []
        for client_id, secret in readings:
            if not (0 < len(client_id) <= MAX_ID and 0 < len(secret) <= MAX_SECRET):
                continue
            if not is_printable(client_id + secret):
                continue
            verifiers = self.clients.find_verifiers(client_id)
            matched = matching_verifier(secret, verifiers.secrets)
            if matched is None:
                has_secrets = bool(verifiers.secrets.strip(b"\0"))
                tried.append((client_id, has_secrets))
                if not owner:
                    reason, owner = ("wrong secret", client_id) if has_secrets else ("no client with secrets", "")
                continue
            tried.append((client_id, True))
            # From here on the time may depend on the record: the caller has proved that it has the secret.
            known = self._known.get((client_id, verifiers))
            client = known or self.clients.find_client(client_id)
            live = live_secret(client, matched, now) if client else None
            if client is None or live is None:
                reason, owner, proved = "expired or revoked secret", client_id, True
            elif not client.enabled:
                reason, owner, proved = "disabled client", client_id, True
            elif has_expired(client, now):
                reason, owner, proved = "expired client", client_id, True
            elif found is None:
                found = client, live
                if known is None:
                    self._keep(client, verifiers)
        if found is None:
            refusal = self._invalid(reason, owner, proved=proved)
            refusal.tried = tried
            raise refusal
        return found

    def _keep(self, client: Client, verifiers: Verifiers) -> None:
        """Keep a client for requests that find the same verifiers, among which is the digest of its record.

        It is not kept if it has changed between the two reads, or if its record has the form of a newer version.
        """
        if verifiers_with(client) == verifiers:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[client.client_id, verifiers] = client

    def _invalid(self, reason: str, client_id: str = "", *, proved: bool = False) -> InvalidClient:
        return InvalidClient(reason, client_id, self.realm, proved=proved)
