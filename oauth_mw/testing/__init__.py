"""Test an app behind the middleware: its rules and options are those of production, its store and clock are the test's.

::

    from webtest import TestApp

    from oauth_mw.testing import sandbox

    def test_a_reader_may_not_write(app):
        with sandbox(app) as oauth:
            client = oauth.authorize(TestApp(app), scope="reports:read")

            client.get("/reports", status=200)
            client.post("/reports", status=403)

With pytest, :mod:`oauth_mw.testing.pytest` is a plugin with the fixture ``oauth``.
Views that are tested without the middleware take a token from :func:`make_token`. :func:`assert_closed` finds routes
that answer without a token.

Nothing here is loaded by :mod:`oauth_mw`, and no framework is imported before it is needed.
"""

from __future__ import annotations

from .clock import HandClock
from .closed import assert_closed
from .sandboxes import Sandbox, find_middleware, sandbox
from .tokens import environ_keys, make_token

__all__ = ["HandClock", "Sandbox", "assert_closed", "environ_keys", "find_middleware", "make_token", "sandbox"]
