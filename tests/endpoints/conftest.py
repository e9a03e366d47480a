from __future__ import annotations

from collections.abc import Callable

import pytest
from webtest import TestApp

from helpers.support import TESTER, HandClock
from helpers.wsgi_client import Answer, post_form
from oauth_mw.keys.ring import KeyRing
from oauth_mw.protocols import Store

CC = b"grant_type=client_credentials"


@pytest.fixture
def ring(store: Store, clock: HandClock) -> KeyRing:
    return KeyRing(store, clock, clock, algorithm="ES256", lifetime=None, lead=300, secret=None)


@pytest.fixture
def post(app: TestApp) -> Callable[..., Answer]:
    """POST a body to the token endpoint as the client, with environ keys as given."""
    return lambda body=CC, **keys: post_form(app.app, body, **{"HTTP_AUTHORIZATION": TESTER["Authorization"], **keys})
