"""For Django REST framework: the client of the request's token as its user."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar
from wsgiref.types import WSGIEnvironment

from ..environ import challenge_of, current_token
from ..errors import ConfigError
from ..model import AccessToken
from .django import environ_of

__all__ = ["ClientUser", "OAuthMWAuthentication"]


@dataclass(frozen=True, slots=True)
class ClientUser:
    """``request.user`` of a request with a token. It has no row in a table of users, and no permission of Django's.

    ``pk`` is the client id.
    """

    pk: str
    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False
    is_active: ClassVar[bool] = True
    is_staff: ClassVar[bool] = False
    is_superuser: ClassVar[bool] = False

    def __str__(self) -> str:
        return self.pk

    def get_username(self) -> str:
        return self.pk

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return False

    def has_perms(self, perms: Iterable[str], obj: object = None) -> bool:
        return not [*perms]  # as for any user of Django: none is needed

    def has_module_perms(self, app_label: str) -> bool:
        return False


class OAuthMWAuthentication:
    """An authentication class: the token that the middleware has accepted, or none, so that the next class is tried.

    ``request.user`` is a :class:`ClientUser`, and ``request.auth`` the :class:`~oauth_mw.AccessToken`. As the first
    class it gives 401s the challenge of the middleware. It needs no CSRF token, but the view needs ``csrf_exempt``
    if it is none of Django REST framework's, which have it.
    """

    def authenticate(self, request: Any) -> tuple[ClientUser, AccessToken] | None:
        """Return user and token of a request.

        :raises ConfigError: it has no WSGI environ, as under ASGI.
        """
        token = current_token(_environ(request))
        return None if token is None else (ClientUser(token.client_id), token)

    def authenticate_header(self, request: Any) -> str:
        """Return the challenge for a 401 (RFC 6750 §3)."""
        return challenge_of(_environ(request))


def _environ(request: object) -> WSGIEnvironment:
    environ = environ_of((request,))
    if environ is None:
        raise ConfigError("OAuthMWAuthentication", "under ASGI no OAuthMiddleware is in front of the app: serve WSGI")
    return environ
