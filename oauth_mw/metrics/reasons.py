"""Why a request was refused, as a label. There are only as many as here, and error codes."""

from __future__ import annotations

from ..errors import (
    EXPIRED,
    AmbiguousPath,
    MethodNotAllowed,
    MovedRoot,
    NoRule,
    OAuthError,
    PayloadTooLarge,
    SlashAtEnd,
)
from ..hooks import HookUnavailable, TokenDenied
from ..terms import AddressRefused, UnauthorizedAddress

# By the reason of the error, where it is a constant text; one that is not here has the error's code as its label.
_BY_TEXT = {
    EXPIRED: "expired_token",
    "revoked token": "revoked_token",
    "unknown token": "unknown_token",
    "token for another audience": "other_audience",
    "wrong signature": "wrong_signature",
    "no client with secrets": "unknown_client",
    "wrong secret": "wrong_secret",
    "expired or revoked secret": "expired_secret",
    "disabled client": "disabled_client",
    "malformed credentials": "malformed_credentials",
    "the address of the client is unknown": "unknown_address",
    "the client may not send this request": "other_request",
    "expired client": "expired_client",
    "the quota of tokens per hour is used up": "over_quota",
    "the quota of tokens per day is used up": "over_quota",
}
# Kinds that share their code with others.
_BY_KIND: tuple[tuple[type[OAuthError], str], ...] = (
    (NoRule, "no_rule"),
    (AddressRefused, "other_address"),
    (UnauthorizedAddress, "other_address"),
    (MovedRoot, "moved_root"),
    (AmbiguousPath, "ambiguous_path"),
    (MethodNotAllowed, "method_not_allowed"),
    (PayloadTooLarge, "payload_too_large"),
    (SlashAtEnd, "slash_at_end"),
    (TokenDenied, "denied_by_hook"),
    (HookUnavailable, "failed_hook"),
)


def reason_of(error: OAuthError) -> str:
    """Return the label of a refusal's reason."""
    found = _BY_TEXT.get(error.reason)
    if found is None:
        found = next((label for kind, label in _BY_KIND if isinstance(error, kind)), error.error)
    return found
