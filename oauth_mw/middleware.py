"""The facade: it routes each request. The parts below make all decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self, Unpack
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from .apps import check_not_within
from .assembly import Parts, build
from .errors import Faults, InvalidRequest, OAuthError
from .events import DENIED
from .options import Options
from .protocols import Store
from .rules import OWN, Access
from .startup import check_options
from .variables import by_prefix, describing, options_of

DECISIONS = 4096
DECISION_LENGTH = 512  # of a method and path


class OAuthMiddleware:
    """Put the OAuth 2.0 client credentials grant in front of a WSGI app.

    It answers the token, revocation and introspection paths itself. Every other request needs a bearer
    access token (RFC 6750) unless an option opens its path. For accepted requests the environ holds
    ``oauth_mw.client_id``, ``oauth_mw.scope`` and ``oauth_mw.token``.

    :param app: the app to protect.
    :param store: a store URL (``sqlite:///file``, ``memory://``), or a store from :func:`oauth_mw.open_store`.
    :param options: the options of ``examples/options/README.md``, as Python values or as the strings of an ini.
    :ivar settings: the options, converted.
    :raises ConfigError: an option is unknown or cannot work; the error names it. Or the app is an ASGI app, a factory,
        or wrapped already. The first request raises it if the app calls its own middleware.
    """

    def __init__(self, app: WSGIApplication, *, store: str | Store, **options: Unpack[Options]) -> None:
        self.wrapped = app
        self.use(build(app, {"store": store, **options}))

    @classmethod
    def from_config(cls, app: WSGIApplication, mapping: Mapping[str, object], prefix: str = "OAUTH_MW_") -> Self:
        """Put the middleware in front of ``app``, with the options that a mapping has by their names in capitals.

        ``OAUTH_MW_STORE`` is ``store``. Values are those of the class, as Python values or as the strings of an ini.
        A relative file is relative to the working directory. Names that Kubernetes makes of services are ignored
        (``OAUTH_MW_SERVICE_HOST``, ``OAUTH_MW_PORT_80_TCP``), those that the command line reads
        (``OAUTH_MW_AUDIT_LOG``), and so are names without the prefix.

        :param mapping: such as Flask's ``app.config`` or ``os.environ``.
        :param prefix: what the names begin with.
        :raises ConfigError: an option is unknown, empty or cannot work; the error names it and its name in the mapping.
        """
        faults = Faults()
        with describing(by_prefix(prefix)):
            options: dict[str, Any] = options_of(mapping, prefix, faults)
            check_options(options, faults, app)
            return cls(app, **options)

    def use(self, parts: Parts) -> None:
        """Serve all later requests by ``parts``. Only :mod:`oauth_mw.testing` calls this again after the start."""
        self.parts = parts
        self._check = parts.check
        self._app = parts.app
        self._decided: dict[tuple[str, str], Access] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            target = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        except KeyError:
            # uWSGI passes on what is no request, such as the rest of a body that nothing has read.
            environ["REQUEST_METHOD"] = ""
            return self.parts.refuse(InvalidRequest("The request has no method"), environ, start_response)
        access = self._decided.get(target) or self._decide(*target)
        if access is OWN:
            environ.pop(DENIED, None)
            return self.parts.endpoints[target[1] or "/"](environ, start_response)
        try:
            self._check(environ, access)
        except OAuthError as error:
            return self.parts.refuse(error, environ, start_response)
        return self._app(environ, start_response)

    def _decide(self, method: str, path: str) -> Access:
        """Decide what a request needs, and cache that. The cache is bounded, because clients can invent paths."""
        if not self._decided:  # the first request
            check_not_within(self.wrapped, self)
        access = OWN if (path or "/") in self.parts.endpoints else self.parts.decide(method, path)
        if len(method) + len(path) <= DECISION_LENGTH:
            if len(self._decided) >= DECISIONS:
                self._decided = {}
            self._decided[method, path] = access
        return access

    def __repr__(self) -> str:
        return f"<OAuthMiddleware for {self.wrapped!r}>"
