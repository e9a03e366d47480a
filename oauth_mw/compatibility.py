"""``compatibility = apigee``: the members that clients of Apigee read, in token answers and in refusals.

It is for clients that cannot be changed. Statuses, challenges and headers stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from math import floor
from wsgiref.types import WSGIEnvironment

from .answers import Answer
from .errors import EndpointError, NoRule, OAuthError, SlashAtEnd
from .model import Client, Clock, Issued
from .on_refusal import Render
from .terms import RequestRefused

APIGEE = "apigee"
COMPATIBILITIES = ("off", APIGEE)

# Attributes of a client, private or public, that are members of its token answers under Apigee's names.
API_PRODUCTS = "api_products"  # names, separated by commas
APPLICATION_ID = "application_id"
ORGANIZATION = "organization"
DEVELOPER_EMAIL = "developer_email"
_RENAMED = {ORGANIZATION: "organization_name", DEVELOPER_EMAIL: "developer.email"}

_NO_PRODUCT = "keymanagement.service.InvalidAPICallAsNoApiProductMatchFound"
# Apigee's codes by ours. Others are ours, with the prefix of its OAuth policy.
_CODES = {
    "invalid_client": "oauth.v2.InvalidClientIdentifier",
    "unsupported_grant_type": "oauth.v2.UnSupportedGrantType",
    "missing_token": "oauth.v2.InvalidAccessToken",
    "invalid_token": "keymanagement.service.invalid_access_token",
    "insufficient_scope": "steps.oauth.v2.InsufficientScope",
    "too_many_requests": "policies.ratelimit.QuotaViolation",
    "temporarily_unavailable": "messaging.adaptors.http.flow.ServiceUnavailable",
}


def apigee_members(clock: Clock) -> Callable[[Client, Issued, str, int, str | None], dict[str, object]]:
    """Return a function of client, token, scope, lifetime and state, which makes the members of a token answer."""

    def members(client: Client, issued: Issued, scope: str, lifetime: int, state: str | None) -> dict[str, object]:
        attributes = client.attributes
        found: dict[str, object] = {name: _text(attributes[name]) for name in sorted(client.public_attributes)}
        found |= {
            "access_token": issued.text,
            "token_type": "BearerToken",
            "expires_in": str(lifetime),
            # Clients add expires_in to it, and the store may have taken a while.
            "issued_at": str(floor(min(clock(), issued.expires_at - lifetime) * 1000)),
            "client_id": client.client_id,
            "application_name": _text(attributes.get(APPLICATION_ID, client.name or client.client_id)),
            "scope": scope,
            "status": "approved",
            "refresh_token_expires_in": "0",
            "refresh_count": "0",
        }
        if API_PRODUCTS in attributes:
            products = [name for each in _text(attributes[API_PRODUCTS]).split(",") if (name := each.strip())]
            found |= {"api_product_list": f"[{','.join(products)}]", "api_product_list_json": products}
        found |= {theirs: _text(attributes[ours]) for ours, theirs in _RENAMED.items() if ours in attributes}
        return found if state is None else {**found, "state": state}

    return members


def apigee_bodies(token_paths: Collection[str], other_paths: Collection[str]) -> Render:
    """Return a function that renders refusals, with Apigee's members beside ours.

    :param token_paths: the paths of the token endpoint.
    :param other_paths: the paths of endpoints that Apigee does not have, whose answers are those of their RFCs.
    """

    def render(error: OAuthError, environ: WSGIEnvironment) -> Answer:
        answer, path = error.response(), environ.get("PATH_INFO") or "/"
        if path in other_paths or (isinstance(error, SlashAtEnd) and path[:-1] in other_paths):
            return answer
        members: dict[str, object] = json.loads(answer.body)
        if isinstance(error, EndpointError) or path in token_paths:
            members |= {"ErrorCode": error.error, "Error": error.description}
        members["fault"] = _fault(error)
        return answer.with_body("application/json", json.dumps(members).encode())

    return render


def _fault(error: OAuthError) -> Mapping[str, object]:
    if isinstance(error, NoRule | RequestRefused):
        code = _NO_PRODUCT
    else:
        code = _CODES.get(error.error, f"oauth.v2.{error.error}")
    return {"faultstring": error.description, "detail": {"errorcode": code}}


def _text(value: object) -> str:
    """A value of an attribute as Apigee has it: all of its attributes are texts."""
    return value if isinstance(value, str) else json.dumps(value)
