"""The apps that gunicorn serves: the bare one, and the same behind the floor and behind the middleware."""

from __future__ import annotations

from by_hand import bare
from measure import App
from variants import RULES, floor_of

from oauth_mw import OAuthMiddleware


def unprotected() -> App:
    return bare


def behind_floor(token: str) -> App:
    return floor_of([token])


def protected(store: str) -> App:
    return OAuthMiddleware(bare, store=store, **RULES)
