"""How refusals are answered, in the guard and at the own paths."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from .answers import Answer
from .errors import InvalidToken, MissingToken, OAuthError, SlashAtEnd, StoreUnavailable
from .events import Refusals
from .on_refusal import Hook, Render, with_own_bodies
from .outages import GUARD, Outages
from .server import Refuse


def plain(error: OAuthError, environ: WSGIEnvironment) -> Answer:
    """Render a refusal as it renders itself."""
    return error.response()


def refusing(
    refusals: Refusals,
    outages: Outages,
    hook: Hook | None = None,
    *,
    at_endpoint: bool = False,
    render: Render = plain,
) -> Refuse:
    """Return what logs a refusal, and answers it.

    :param hook: the function of ``on_refusal``.
    :param at_endpoint: at an own path, not in the guard.
    :param render: renders a refusal where the hook does not.
    """
    note = refusals.note
    rendered = with_own_bodies(hook, refusals.report, render) if hook else render

    def refuse(error: OAuthError, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        note(error, environ)
        if isinstance(error, StoreUnavailable):
            outages.failed(error.reason, environ.get("PATH_INFO", "") if at_endpoint else GUARD)
        return rendered(error, environ)(environ, start_response)

    return refuse


def with_hint(refuse: Refuse, slashed: Collection[str]) -> Refuse:
    """Answer 404 with a hint, instead of the guard's 401, where only a slash differs from an own path."""

    def hinting(error: OAuthError, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") in slashed and isinstance(error, MissingToken | InvalidToken):
            error = SlashAtEnd("a slash after the path of an endpoint")
        return refuse(error, environ, start_response)

    return hinting
