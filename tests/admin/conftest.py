from __future__ import annotations

import tomllib

import pytest

from helpers.support import SECRET
from oauth_mw import ConfigError, admin


@pytest.fixture
def apply(store, clock):
    """Apply a text, and return the changes."""

    def apply(text, environ=None, **options):
        environ = environ or {"TESTER_SECRET": SECRET}
        return admin.apply_clients(store, tomllib.loads(text), environ=environ, clock=clock, **options)

    return apply


@pytest.fixture
def refused(apply, store):
    """Apply a text that has faults, and return them by their places; nothing may have been changed."""

    def refused(text, **options):
        before = list(admin.list_clients(store))
        with pytest.raises(ConfigError) as raised:
            apply(text, **options)
        assert list(admin.list_clients(store)) == before
        return dict(raised.value.faults)

    return refused
