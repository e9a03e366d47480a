"""Opaque tokens and JWTs side by side, told apart by their form."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from ..model import AccessToken, Client
from .jws import is_compact

JWT = "jwt"


class Format(Protocol):
    """What a format of access tokens can do. Each raises ``StoreUnavailable`` where it cannot tell."""

    def issue(
        self, client: Client, scopes: Sequence[str], lifetime: int, audience: Sequence[str]
    ) -> tuple[str, AccessToken]: ...

    def read(self, text: str) -> AccessToken | None:
        """The live token that ``text`` is, whomever it is for, or ``None``."""

    def known(self, text: str) -> tuple[AccessToken, bool] | None:
        """The token that ``text`` is, unless no machine accepts it any more for its time, and whether it lives; or
        ``None``."""

    def revoke(self, token: AccessToken) -> bool:
        """End a token, or make sure that its end is kept; false when it had ended before."""


class Formats:
    """
    :param jwt: ``None`` where no JWT can be issued or read.
    :param default: the format for clients that have none of their own.
    :param audience: what this resource server is called.
    :param implied: nobody asked for such a name. Opaque tokens then do not tell it: they can be read only where their
        store is, and there may be workers that have no name yet.
    """

    def __init__(
        self, opaque: Format, jwt: Format | None, default: str, audience: Collection[str], *, implied: bool = False
    ) -> None:
        self._opaque = opaque
        self._jwt = jwt
        self._default = default
        self._audience = frozenset(audience)
        self._implied = implied

    def issue(
        self, client: Client, scopes: Sequence[str], lifetime: int, audience: Sequence[str]
    ) -> tuple[str, AccessToken]:
        if self._jwt is not None and (client.token_format or self._default) == JWT:
            return self._jwt.issue(client, scopes, lifetime, audience)
        if audience and self._implied and self._audience.issuperset(audience):
            audience = ()
        return self._opaque.issue(client, scopes, lifetime, audience)

    def accepted(self, text: str) -> AccessToken | None:
        """The live token that ``text`` is, if this resource server may accept it (RFC 9700 §2.3), or ``None``."""
        token = self._of(text).read(text)
        # One for nobody in particular was issued while this server had no name.
        if token is None or (token.audience and self._audience.isdisjoint(token.audience)):
            return None
        return token

    def read(self, text: str) -> AccessToken | None:
        return self._of(text).read(text)

    def known(self, text: str) -> tuple[AccessToken, bool] | None:
        return self._of(text).known(text)

    def revoke(self, text: str, token: AccessToken) -> bool:
        """End the token that ``text`` was found to be."""
        return self._of(text).revoke(token)

    def _of(self, text: str) -> Format:
        return self._jwt if self._jwt is not None and is_compact(text) else self._opaque
