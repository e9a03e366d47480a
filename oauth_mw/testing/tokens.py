"""Tokens for views that are tested without the middleware."""

from __future__ import annotations

import secrets
import time
from types import MappingProxyType

from ..attributes import check_attributes
from ..environ import CLIENT_ID, SCOPE, TOKEN
from ..model import AccessToken, Value
from ..scopes import check_scopes

LIFETIME = 3600


def make_token(scope: str = "", client: str = "job", **attributes: Value) -> AccessToken:
    """Return an :class:`~oauth_mw.AccessToken` as an accepted request has it, without issuing one.

    For views that are tested without the middleware: a function that takes the token, or a view that is called with a
    request made by hand. With :func:`environ_keys`, such a request looks like an accepted one. The token was issued
    just now, and expires in an hour. No middleware accepts it; :meth:`Sandbox.token_for` issues tokens.

    :param scope: the token's scope tokens, separated by spaces.
    :param client: the client's id.
    :param attributes: the token's attributes.
    :raises ValueError: a scope is malformed (RFC 6749 §3.3) or looks like a list, or an attribute is not allowed.
    """
    scopes, now = check_scopes(scope.split()), int(time.time())
    check_attributes(attributes, ())
    return AccessToken(
        client_id=client,
        scope=" ".join(scopes),
        scopes=frozenset(scopes),
        token_id=secrets.token_hex(32),
        issued_at=now,
        expires_at=now + LIFETIME,
        attributes=MappingProxyType(attributes),
    )


def environ_keys(token: AccessToken) -> dict[str, object]:
    """Return the environ keys of an accepted request with ``token``: the token, its client id and its scope.

    ::

        RequestFactory().get("/reports", **environ_keys(make_token("reports:read")))  # Django
        app.test_request_context("/reports", environ_base=environ_keys(make_token("reports:read")))  # Flask
    """
    return {TOKEN: token, CLIENT_ID: token.client_id, SCOPE: token.scope}
