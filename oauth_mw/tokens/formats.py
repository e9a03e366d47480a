"""Opaque tokens and JWTs side by side, distinguished by their form."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Protocol

from ..errors import TokenRefused
from ..model import AccessToken, Client, Issued
from ..quotas import Quotas, has_quota
from .jws import is_compact

JWT = "jwt"
Found = tuple[AccessToken, bool] | None


class Format(Protocol):
    """A format of access tokens. Each method raises ``StoreUnavailable`` if the store does not answer."""

    def issue(self, client: Client, scopes: Sequence[str], lifetime: int, audience: Sequence[str]) -> Issued:
        """Issue a token that is valid for at least ``lifetime`` seconds, but not beyond the client's ``not_after``."""

    def read(self, text: str, *, anew: bool = False) -> AccessToken:
        """The live token for a text, whatever its audience.

        :param anew: read the store, however often callers cause that. Else, made-up texts cause one read a second.
        :raises TokenRefused: there is none.
        """

    def find(self, text: str) -> Found:
        """The token for a text and whether it is live (not revoked).

        ``None`` if it is unknown, or no machine's clock can accept it. The store is read anew.
        """

    def revoke(self, token: AccessToken) -> bool:
        """Revoke a token, or make an earlier revocation durable; false if it was revoked before."""

    def revoke_unknown(self, text: str, caller: str) -> None:
        """Revoke the token of a text that :meth:`find` does not know, if some worker may have it cached.

        :param caller: the id of the client that has sent the text.
        """


@dataclass(eq=False, repr=False)
class Formats:
    """All formats of one server. :meth:`issue` and :meth:`read` are those of :class:`Format`.

    :param jwt: ``None`` without an issuer.
    :param default: the format for clients without one of their own.
    :param audience: the identifiers of this resource server.
    :param implied: the audience is a default. Opaque tokens then do not carry it: they can only be read where their
        store is, also by workers that have no identifier yet.
    :param quotas: count JWTs; the format of opaque tokens counts its own.
    """

    opaque: Format
    jwt: Format | None
    default: str
    audience: Collection[str]
    _: KW_ONLY
    implied: bool = False
    quotas: Quotas | None = None

    def issue(self, client: Client, scopes: Sequence[str], lifetime: int, audience: Sequence[str]) -> Issued:
        if self.jwt is not None and (client.token_format or self.default) == JWT:
            if self.quotas is None or not has_quota(client):
                return self.jwt.issue(client, scopes, lifetime, audience)
            self.quotas.check(client)
            issued = self.jwt.issue(client, scopes, lifetime, audience)
            self.quotas.take(client)  # last, so that what cannot be issued is not counted
            return issued
        if audience and self.implied and set(audience) <= set(self.audience):
            audience = ()
        return self.opaque.issue(client, scopes, lifetime, audience)

    def accepted(self, text: str) -> AccessToken:
        """The live token for a text, if this resource server is in its audience (RFC 9700 §2.3).

        :raises TokenRefused: there is none.
        """
        token = self.of(text).read(text)
        # A token without an audience was issued while this server had no identifier.
        if token.audience and set(token.audience).isdisjoint(self.audience):
            raise TokenRefused("token for another audience", token.token_id, token.client_id)
        return token

    def read(self, text: str, *, anew: bool = False) -> AccessToken:
        return self.of(text).read(text, anew=anew)

    def of(self, text: str) -> Format:
        """The format that a text has, if it is a token."""
        return self.jwt if self.jwt is not None and is_compact(text) else self.opaque
