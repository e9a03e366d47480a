"""What stands behind the middleware in a sandbox: the app that it wraps, or for one request another one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from ..middleware import OAuthMiddleware

APP = "oauth_mw.testing.app"
NEEDED = "pass the app, or define a fixture app or oauth_app for pytest"


@dataclass(frozen=True)
class ReplaceableApp:
    """Calls the app in the environ under :data:`APP`, else ``app``."""

    app: WSGIApplication

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        app: WSGIApplication = environ.pop(APP, self.app)
        return app(environ, start_response)


@dataclass(frozen=True)
class GuardedApp:
    """Another app behind the middleware of a sandbox."""

    app: WSGIApplication
    middleware: OAuthMiddleware

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[APP] = self.app
        return self.middleware(environ, start_response)
