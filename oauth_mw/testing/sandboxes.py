"""The middleware of an app, with a store in memory and a clock that moves by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from .. import admin
from ..assembly import assemble
from ..credentials import has_expired
from ..endpoints.token import GRANT_TYPE, TokenEndpoint
from ..errors import AdminError, OAuthError
from ..finding import Place, middlewares
from ..middleware import OAuthMiddleware
from ..model import Client, Value
from ..scopes import check_scopes
from ..stores.memory import MemoryStore
from ..webob import Request
from .apps import NEEDED, ReplaceableApp
from .clients import set_token
from .clock import HandClock

T = TypeVar("T")


@contextmanager
def sandbox(app: Any = None, *, now: float | None = None) -> Iterator[Sandbox]:
    """Replace store and clock of the middleware in ``app`` until the end of the ``with`` block.

    An app may contain several that have the same store, such as one for each mount: these share the store here, too.

    All other options are those of production: rules, public paths, own paths, token format and lifetimes. The store is
    an empty ``memory://``, and the clock moves by hand. The app itself is not touched, so every client of it works, and
    the app may be imported once for all tests. The middleware's own store is opened when the app is made, as in
    production, and is neither read nor written inside the block.

    ::

        with sandbox(app) as oauth:
            client = oauth.authorize(app.test_client(), scope="reports:read")
            assert client.get("/reports").status_code == 200

        class ReportsTest(unittest.TestCase):
            def setUp(self):
                self.oauth = self.enterContext(sandbox(app))

    :param app: the app that is or contains the middleware, or the middleware itself; by default the one that Django's
        setting ``WSGI_APPLICATION`` names.
    :param now: Unix seconds at which the clock stands; by default the present.
    :raises LookupError: there is no middleware in ``app``, or there are several with different stores, or Django has
        no such setting.
    """
    places, clock = _guards(_django_application() if app is None else app), HandClock(now)
    store = MemoryStore(clock)
    # The environs of some test clients claim several processes, which memory:// refuses outside tests.
    store.single_process = False
    before = [(place.found, place.found.parts) for place in places]
    try:
        for each, parts in before:
            each.use(assemble(ReplaceableApp(each.wrapped), replace(parts.settings, store=store), clock))
        middleware = places[0].found
        yield Sandbox(middleware, store, clock, places, middleware.parts.token_endpoint)
    finally:
        for each, parts in before:
            each.use(parts)


def find_middleware(app: Any) -> OAuthMiddleware:
    """Return the :class:`~oauth_mw.OAuthMiddleware` in ``app``.

    It is the app itself, or is searched in the attributes in which common WSGI middleware, apps and mounts keep other
    apps, in closures, and in partials.

    :param app: an app that is or contains the middleware, such as a Flask app, or a test client of one.
    :raises LookupError: there is none, or there are several.
    """
    places = _places(app)
    if len(places) > 1:
        raise _several(app, "", places)
    middleware: OAuthMiddleware = places[0].found
    return middleware


def _places(app: Any) -> list[Place]:
    """Where the app has the middleware, at least once; only the first if that is the app itself."""
    places = list(middlewares(app))
    if not places:
        raise LookupError(f"{app!r} contains no OAuthMiddleware that can be found: pass the middleware itself")
    return places[:1] if places[0].found is app else places


def _guards(app: Any) -> list[Place]:
    """The middleware in the app, or all of them if they have the same store: the one that issues tokens first."""
    places = _places(app)
    stores = [place.found.parts.settings.store for place in places]
    if len(places) > 1 and (stores[0] == "memory://" or any(each != stores[0] for each in stores)):
        raise _several(app, " with different stores", places)
    return sorted(places, key=lambda place: not place.found.parts.settings.token_path)


def _several(app: Any, which: str, places: list[Place]) -> LookupError:
    names = ", ".join(place.name for place in places)
    return LookupError(f"{app!r} contains several OAuthMiddleware objects{which}: pass the one to test, of {names}")


def _django_application() -> Any:
    try:
        from .django import application
    except ImportError:
        raise LookupError(f"no app is given, and Django is not installed: {NEEDED}") from None
    return application()


@dataclass(eq=False, repr=False)
class Sandbox:
    """What :func:`sandbox` returns.

    :param middleware: the app's own, for as long as the ``with`` block lasts; of several, the first that has a
        ``token_path``, which issues the tokens.
    :param store: the store in memory, for :mod:`oauth_mw.admin`: ``admin.add_client(oauth.store, …)`` registers a
        client with a secret, ``admin.revoke_all_tokens(oauth.store, "job")`` revokes.
    :param clock: ``oauth.clock.move(3600)`` lets an hour pass.
    :param places: where the app has the middleware, with the paths at which it is mounted.
    """

    middleware: OAuthMiddleware
    store: MemoryStore
    clock: HandClock
    places: list[Place]
    _token_endpoint: TokenEndpoint

    def token_for(self, scope: str = "", client: str = "job", **attributes: Value) -> str:
        """Issue a token, and return its text, as the token endpoint issues it to this client.

        The client is registered if it is unknown, and gets what it lacks of the scope. It keeps the attributes, also
        for its later tokens.

        :param scope: the token's scope tokens, separated by spaces: exactly these.
        :param client: the client's id.
        :param attributes: attributes of the client, which its tokens carry.
        :raises ValueError: a scope is malformed (RFC 6749 §3.3) or looks like a list, an attribute is not
            allowed, or the token endpoint refuses the client: it has expired, is disabled, is a resource server, has
            used up its quota, or ``on_issue`` refuses.
        """
        scopes = check_scopes(scope.split())
        record = self._registered(client, scopes, attributes)
        issue = replace(
            self._token_endpoint,
            authenticate=lambda request, form: replace(record, scopes=scopes, default_scope=scopes),
            grant_type_in=("body",),
        )
        request = Request.blank("/", POST={"grant_type": GRANT_TYPE})
        try:
            text: str = request.get_response(issue(request)).json["access_token"]
        except OAuthError as error:
            raise AdminError(f"the token endpoint refuses the client {client!r}: {error.reason}") from None
        return text

    def authorize(self, http_client: T, /, scope: str = "", client: str = "job", **attributes: Value) -> T:
        """Issue a token, let all later requests of a test client carry it, and return that test client.

        It is sent in the header that ``authorization_header`` names, and a request that has that header keeps its own.
        Calling this again replaces the token.

        :param http_client: see :meth:`set_token`. The other parameters are those of :meth:`token_for`.
        """
        return self.set_token(http_client, self.token_for(scope, client, **attributes))

    def set_token(self, http_client: T, token: str | None) -> T:
        """Let all later requests of a test client carry a token, or none, and return that test client.

        :param http_client: WebTest's ``TestApp``, Flask's test client, Werkzeug's ``Client``, Django's ``Client``, or
            ``APIClient`` of Django REST framework. The last two call views directly; from here on their requests pass
            the middleware first, also without a token. A Django ``LiveServerTestCase`` (``self`` in its tests) stands
            for all clients of its server, until the end of the test.
        :param token: the text of a token, for example an expired one; ``None`` for requests without a token.
        :raises TypeError: it is another client, or calls an app without the middleware; the text says what to do.
        """
        set_token(http_client, token, self.middleware)
        return http_client

    def _registered(self, client_id: str, scopes: Iterable[str], attributes: Mapping[str, Value]) -> Client:
        known = self.store.find_client(client_id)
        if known is None:
            scope = " ".join(scopes)
            new = admin.add_client(
                self.store, client_id, client_id=client_id, scope=scope, attributes=attributes, clock=self.clock
            )
            return new.client
        if not known.enabled:
            raise AdminError(f"the client {client_id!r} is disabled: the token endpoint refuses it")
        if has_expired(known, self.clock()):
            raise AdminError(f"the client {client_id!r} has expired: the token endpoint refuses it")
        private = {name: value for name, value in known.attributes.items() if name not in known.public_attributes}
        return admin.update_client(
            self.store,
            client_id,
            scope=" ".join(dict.fromkeys((*known.scopes, *scopes))),
            attributes={**private, **attributes},
            allow_odd_scope=True,  # those that it has
        )
